// Command upper is a Firehose processor for tests: it capitalizes, drops
// records that say "drop", fails those that say "fail" and crashes at "crash".
package main

import (
	"bytes"
	"os"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
)

func handle(event events.KinesisFirehoseEvent) (events.KinesisFirehoseResponse, error) {
	var response events.KinesisFirehoseResponse
	for _, r := range event.Records {
		answer := events.KinesisFirehoseResponseRecord{RecordID: r.RecordID, Result: "Ok", Data: bytes.ToUpper(r.Data)}
		switch string(bytes.TrimSpace(r.Data)) {
		case "drop":
			answer.Result = "Dropped"
		case "crash":
			os.Exit(1)
		case "fail":
			answer.Result = "ProcessingFailed"
		}
		response.Records = append(response.Records, answer)
	}
	return response, nil
}

func main() { lambda.Start(handle) }
