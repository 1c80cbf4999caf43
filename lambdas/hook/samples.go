package hook

import (
	"time"

	"github.com/millrace-cdk/millrace/spec"
)

// Where samples come from, as their answers name it.
const (
	streamName = "millrace-hook"
	shard      = "shardId-000000000000"
)

// arrival is when the samples arrived.
var arrival = time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)

// Samples are those that are sent where a spec has none: good, poison and odd ones. What comes
// out is written down here, and not made by the code that is checked.
func Samples(kind spec.HookKind) []spec.Sample {
	if kind == spec.HookLoader {
		return []spec.Sample{
			{In: `{"event_id":"millrace-hook-1","event_type":"millrace-hook","occurred_at":"2026-01-02T03:04:05Z","n":1.10}`},
			{In: `{"text":"Zürich 東京 🌊","n":9007199254740993}`}, // its place in the stream is its identity
			{In: `{"event_id":"millrace-hook-1","again":true}`}, // what COPY refuses and a merge takes
			{In: `{"event_id":"millrace-hook-4"`, Result: spec.Quarantined},
			{In: `{"event_id":"millrace-hook-5","text":"\u0000"}`, Result: spec.Quarantined}, // Postgres itself refuses it
		}
	}
	metadata := func(id string) string {
		return `,"_millrace":{"id":"` + id + `","arrived_at":"2026-01-02T03:04:05.678Z"}}` + "\n"
	}
	return []spec.Sample{
		{In: `{"event_id":"hook-1","event_type":"hook","n":1.10}`, Out: `{"event_id":"hook-1","event_type":"hook","n":1.10` + metadata("hook-1")},
		{In: `{"event_id":"hook-2"`, Result: spec.ProcessingFailed},
		{In: `{"text":"Zürich 東京 🌊 \u00e9","n":9007199254740993}`, Out: `{"text":"Zürich 東京 🌊 \u00e9","n":9007199254740993` + metadata(streamName+"/"+shard+"/3")},
		{In: "\n{ \"event_id\" : \"hook-4\",\r\n \"a b\" :\t[ 1 , \"x  y\" ] }", Out: `{"event_id":"hook-4","a b":[1,"x  y"]` + metadata("hook-4")},
		{In: `[1,2]`, Result: spec.ProcessingFailed},
		{In: "{\"event_id\":\"\xff\"}", Result: spec.ProcessingFailed},
		{In: "", Result: spec.Dropped},
		{In: `{"event_id":"hook-8","event_type":"after the poison"}`, Out: `{"event_id":"hook-8","event_type":"after the poison"` + metadata("hook-8")},
	}
}
