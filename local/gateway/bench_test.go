package gateway_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/stretchr/testify/require"
)

// BenchmarkPutRecord has its peer in the same run: the difference is what the gateway adds.
func BenchmarkPutRecord(b *testing.B) {
	config, g := startGateway(b)
	stream := newStream(b, config)
	a := newAPI(b, config, g)
	a.addModel(b, "event", eventModel)
	a.add(b, method{
		verb: "POST", path: "/events", uri: putRecord, model: "event", keyed: true, never: true,
		request:   map[string]string{"application/json": eventRequest},
		responses: []answer{{status: "202", template: `{"accepted":1,"request_id":"$context.requestId"}`}},
	})
	a.addKey(b, nil)
	a.deploy(b)
	event := `{"event_id":"x","text":"` + strings.Repeat("é", 400) + `"}`

	b.Run("emulator", func(b *testing.B) {
		for b.Loop() {
			_, err := stream.PutRecord(b.Context(), &kinesis.PutRecordInput{
				StreamName: aws.String("events"), Data: []byte(event), PartitionKey: aws.String("k"),
			})
			require.NoError(b, err)
		}
	})
	b.Run("gateway", func(b *testing.B) {
		for b.Loop() {
			require.Equal(b, http.StatusAccepted, a.post(b, "/events", event).status)
		}
	})
}
