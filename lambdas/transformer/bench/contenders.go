package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"

	fastbase64 "github.com/segmentio/asm/base64"

	"github.com/millrace-cdk/millrace/lambdas/transformer"
	"github.com/millrace-cdk/millrace/lambdas/transformer/steps"
	"github.com/millrace-cdk/millrace/spec"
)

// contender transforms a workload over and over for some time and says how many
// records it did in how many seconds of CPU time.
type contender struct {
	name string
	run  func(w workload, file string, length time.Duration) (measured, error)
}

// measured is also what the peers print.
type measured struct {
	OK         int     `json:"ok"` // records of the first response that are Ok
	Records    int     `json:"records"`
	CPUSeconds float64 `json:"cpu_seconds"`
}

const (
	ours      = "millrace"
	stepped   = "millrace with timestamp, hash, remove and partition steps"
	idiom     = "Go, aws-lambda-go and map[string]any"
	node      = "Node"
	python    = "Python"
	floor     = "base64 in and out, encoding/base64"
	fastFloor = "base64 in and out, segmentio/asm"
)

func contenders() []contender {
	return []contender{
		{ours, inProcess(&transformer.Handler{Transform: transformer.ToLine})},
		{stepped, withSteps()},
		{idiom, inProcess(lambda.NewHandler(idiomatic))},
		{node, peer("node", "lambdas/transformer/peers/peer.mjs")},
		{python, peer("python3", "lambdas/transformer/peers/peer.py")},
		{floor, codec(base64.StdEncoding.Decode, base64.StdEncoding.Encode)},
		{fastFloor, codec(fastbase64.StdEncoding.Decode, fastbase64.StdEncoding.Encode)},
	}
}

// inProcess measures a Lambda handler of this process, bytes in and bytes out.
func inProcess(h lambda.Handler) func(workload, string, time.Duration) (measured, error) {
	return func(w workload, _ string, length time.Duration) (m measured, err error) {
		output, err := h.Invoke(context.Background(), w.event)
		if err != nil {
			return m, err
		}
		var response events.KinesisFirehoseResponse
		if err := json.Unmarshal(output, &response); err != nil {
			return m, err
		}
		for _, r := range response.Records {
			if r.Result == events.KinesisFirehoseTransformedStateOk {
				m.OK++
			}
		}
		return m, m.repeat(length, func() error {
			_, err := h.Invoke(context.Background(), w.event)
			m.Records += w.records
			return err
		})
	}
}

// withSteps measures our handler with steps as a user may declare them.
func withSteps() func(workload, string, time.Duration) (measured, error) {
	f, err := steps.New(spec.Transformer{
		HashKeyARN: "the benchmark's",
		Steps: []spec.Step{
			{Timestamp: &spec.Timestamp{Path: "/occurred_at"}},
			{Hash: &spec.Hash{Paths: []string{"/customer/email"}}},
			{Remove: &spec.Remove{Paths: []string{"/ip", "/items/gift"}}},
			{Partition: &spec.Partition{Keys: []spec.PartitionKey{{Name: "country", Path: "/customer/country"}}}},
		},
	}, make([]byte, steps.MinKeyBytes))
	if err != nil {
		return func(workload, string, time.Duration) (measured, error) { return measured{}, err }
	}
	return inProcess(&transformer.Handler{Transform: f})
}

// codec measures the protocol alone: each record's data decoded and encoded again.
func codec(decode func(dst, src []byte) (int, error), encode func(dst, src []byte)) func(workload, string, time.Duration) (measured, error) {
	return func(w workload, _ string, length time.Duration) (m measured, err error) {
		var request struct{ Records []struct{ Data string } }
		if err := json.Unmarshal(w.event, &request); err != nil {
			return m, err
		}
		texts := make([][]byte, len(request.Records))
		for i, r := range request.Records {
			texts[i] = []byte(r.Data)
		}
		m.OK = len(texts)
		decoded, encoded := make([]byte, 2*w.size+256), make([]byte, 4*w.size+512)
		return m, m.repeat(length, func() error {
			for _, text := range texts {
				n, err := decode(decoded, text)
				if err != nil {
					return err
				}
				encode(encoded, decoded[:n])
			}
			m.Records += len(texts)
			return nil
		})
	}
}

func (m *measured) repeat(length time.Duration, f func() error) error {
	begin, end := cpuTime(), time.Now().Add(length)
	for time.Now().Before(end) {
		if err := f(); err != nil {
			return err
		}
	}
	m.CPUSeconds = (cpuTime() - begin).Seconds()
	return nil
}

// cpuTime is what this process has used so far, its garbage collector included.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err) // it has no error but for a bad argument
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// peer measures a program that times itself.
func peer(interpreter, program string) func(workload, string, time.Duration) (measured, error) {
	return func(_ workload, file string, length time.Duration) (m measured, err error) {
		output, err := exec.Command(interpreter, program, file, strconv.FormatFloat(length.Seconds(), 'f', -1, 64)).Output()
		if err != nil {
			return m, fmt.Errorf("running %s: %w", program, err)
		}
		if err := json.Unmarshal(output, &m); err != nil {
			return m, fmt.Errorf("reading what %s printed: %w", program, err)
		}
		return m, nil
	}
}

// idiomatic is a transformation as Go is usually written: decode each record,
// set two members, encode it.
func idiomatic(_ context.Context, request events.KinesisFirehoseEvent) (events.KinesisFirehoseResponse, error) {
	var response events.KinesisFirehoseResponse
	for _, record := range request.Records {
		answer := events.KinesisFirehoseResponseRecord{RecordID: record.RecordID, Result: events.KinesisFirehoseTransformedStateProcessingFailed}
		var event map[string]any
		if json.Unmarshal(record.Data, &event) == nil {
			event["id"], event["arrived_at"] = event["event_id"], record.ApproximateArrivalTimestamp.Time
			if data, err := json.Marshal(event); err == nil {
				answer.Result, answer.Data = events.KinesisFirehoseTransformedStateOk, append(data, '\n')
			}
		}
		response.Records = append(response.Records, answer)
	}
	return response, nil
}
