package gateway_test

import (
	"encoding/base64"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkPutRecord posts an event of 1 KB through the gateway and puts the same record into the emulator itself, in
// turn, over the same HTTP client: the peer has no SDK that would make it slower. The method is as
// the product's: a key, a model, a template each way.
// "p50-added-ms" is what the gateway adds.
func BenchmarkPutRecord(b *testing.B) {
	config, g := startGateway(b)
	newStream(b, config)
	a := newAPI(b, config, g)
	a.addModel(b, "event", eventModel)
	a.add(b, method{
		verb: "POST", path: "/events", uri: putRecord, model: "event", keyed: true, pass: "NEVER",
		request:   map[string]string{"application/json": eventRequest},
		responses: []answer{{status: "202", template: `{"accepted":1,"request_id":"$context.requestId"}`}},
	})
	a.addKey(b, nil, nil)
	a.deploy(b)
	event := `{"event_id":"x","n":9007199254740993,"text":"` + strings.Repeat("é", 480) + `"}`
	gateway := post("http://"+g.Addr()+"/"+a.id+"/"+a.stage+"/events", event, map[string]string{
		"Content-Type": "application/json", "x-api-key": a.key,
	})
	emulator := post(*config.BaseEndpoint, `{"StreamName":"events","Data":"`+base64.StdEncoding.EncodeToString([]byte(event))+`","PartitionKey":"k"}`, map[string]string{
		"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "Kinesis_20131202.PutRecord",
		"Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/" + config.Region + "/kinesis/aws4_request, SignedHeaders=host, Signature=0",
	})
	var through, direct []time.Duration
	for b.Loop() {
		direct = append(direct, emulator(b, http.StatusOK))
		through = append(through, gateway(b, http.StatusAccepted))
	}
	ours, peer := milliseconds(median(through)), milliseconds(median(direct))
	b.ReportMetric(ours, "p50-ms")
	b.ReportMetric(peer, "p50-peer-ms")
	b.ReportMetric(ours-peer, "p50-added-ms")
	b.ReportMetric(ours/peer, "x-peer")
}

// post is a request that says how long its answer took.
func post(url, body string, headers map[string]string) func(testing.TB, int) time.Duration {
	return func(t testing.TB, want int) time.Duration {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
		require.NoError(t, err)
		for name, value := range headers {
			request.Header.Set(name, value)
		}
		start := time.Now()
		response, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		_, err = io.Copy(io.Discard, response.Body)
		took := time.Since(start)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.Equal(t, want, response.StatusCode)
		return took
	}
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1000 }
