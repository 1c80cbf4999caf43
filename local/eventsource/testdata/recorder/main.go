// Command recorder is a function for tests: it appends "stream/data" of every
// record that it gets to the file RECORDER_FILE, up to the first that says
// "poison", which it reports as failed; at "explode" it returns an error. In a
// tumbling window it counts records, and appends "stream/window/count" at the end.
package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
)

func handle(event events.KinesisTimeWindowEvent) (response events.KinesisTimeWindowEventResponse, err error) {
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
			if _, err := fmt.Fprintln(file, name(r.EventSourceArn)+"/"+data); err != nil {
				return response, err
			}
		}
	}
	count, _ := strconv.Atoi(event.State["count"]) // 0 in a fresh state
	if event.IsFinalInvokeForWindow {
		_, err = fmt.Fprintf(file, "%s/window/%d\n", name(event.EventSourceARN), count)
	}
	response.State = map[string]string{"count": strconv.Itoa(count + len(event.Records))}
	return response, err
}

func name(stream string) string { return stream[strings.LastIndex(stream, "/")+1:] }

func main() { lambda.Start(handle) }
