// Command recorder is a function for tests: it appends the data of every
// record that it gets to the file RECORDER_FILE, up to the first that says
// "poison", which it reports as failed; at "explode" it returns an error.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
)

func handle(event events.KinesisEvent) (response events.KinesisEventResponse, err error) {
	file, err := os.OpenFile(os.Getenv("RECORDER_FILE"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return response, err
	}
	defer file.Close()
	for _, r := range event.Records {
		switch data := string(r.Kinesis.Data); data {
		case "poison":
			response.BatchItemFailures = []events.KinesisBatchItemFailure{{ItemIdentifier: r.Kinesis.SequenceNumber}}
			return response, nil
		case "explode":
			return response, errors.New("exploded")
		default:
			if _, err := fmt.Fprintln(file, data); err != nil {
				return response, err
			}
		}
	}
	return response, nil
}

func main() { lambda.Start(handle) }
