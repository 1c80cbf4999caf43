package ingest

import (
	"embed"
	"strings"
	"text/template"
)

// The mapping templates are VTL once their {{…}} are filled in, which happens at synth with constants of the
// props alone: [IngestApiProps.Validate] lets nothing through that VTL or JSON would read.
//
//go:embed templates/*.vtl
var templateFiles embed.FS

var templates = template.Must(template.ParseFS(templateFiles, "templates/*.vtl"))

// render fills a mapping template in.
func render(name string, values any) string {
	var text strings.Builder
	if err := templates.ExecuteTemplate(&text, name, values); err != nil {
		panic(err) // our own bug: the file is there and its values are constants
	}
	return text.String()
}

// requestValues are what request templates are filled in with.
type requestValues struct {
	StreamName string
	// RequestKey is the partition key where the client gives none.
	RequestKey string
	// Key and Hash are where a partition key and an explicit hash key come from.
	Key, Hash sourceValues
	// MaxHash is the largest explicit hash key.
	MaxHash string
}

// maxHash is 2^128-1, the end of the range of hash keys.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_HashKeyRange.html
const maxHash = "340282366920938463463374607431768211455"

// sourceValues are a [KeySource] as templates have it.
//
// A text is a key if it is not empty; a number and a boolean are, as API Gateway writes them in JSON; null, objects,
// arrays and what is not there are none, and the next source is asked. The same template reads single events
// and batches, hence one source gives one key by both routes.
//
// Of a partition key the first 256 UTF-16 units are passed on, which are no more than the
// 256 characters that Kinesis takes, however it counts them. An explicit hash key is passed on if it is what Kinesis
// documents, 0|([1-9]\d{0,38}), and below 2^128, and is left out otherwise: the partition key then decides. One value
// that Kinesis refuses would have it refuse all of a batch.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecordsRequestEntry.html
type sourceValues struct {
	Name   string // of the template's variable
	Path   string // JSONPath from the body's root
	Header string
}

// Asked is whether there is such a source.
func (s sourceValues) Asked() bool { return s.Path != "" || s.Header != "" }

// request is the mapping template of a call's integration request.
func (c call) request() string {
	name, event, key := "event.request.vtl", "$", "$context.requestId"
	if c.batch {
		name, event, key = "batch.request.vtl", "$.events[$foreach.index]", "$context.requestId/$foreach.index"
	}
	source := func(name string, s KeySource) sourceValues {
		values := sourceValues{Name: name, Header: s.Header}
		if s.JSONPath != "" {
			values.Path = event + strings.TrimPrefix(s.JSONPath, "$")
		}
		return values
	}
	return render(name, requestValues{
		StreamName: *c.Stream.StreamName(),
		RequestKey: key,
		Key:        source("key", c.PartitionKey),
		Hash:       source("hash", c.ExplicitHashKey),
		MaxHash:    maxHash,
	})
}
