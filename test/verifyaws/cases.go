package main

import "github.com/millrace-cdk/millrace/constructs/ingest/corpus"

// cases are the corpus as requests: each event alone and as a batch of one, on each resource, and each
// header beside an event without a key. What Kinesis answers (corpus.Answers) is not among
// them: nobody can have AWS's Kinesis answer so.
func cases() []Case {
	isJSON := map[string]string{"Content-Type": "application/json"}
	var all []Case
	for _, path := range []string{plainPath, keyedPath, hashedPath} {
		for _, event := range corpus.Events() {
			all = append(all,
				Case{Name: event.Name + ", alone", Path: path, Headers: isJSON, Body: event.Body},
				Case{Name: event.Name + ", in a batch", Path: path + batchPath, Headers: isJSON, Body: `{"events":[` + event.Body + `]}`})
		}
	}
	for _, path := range []string{keyedPath, hashedPath} {
		for _, header := range corpus.Headers() {
			headers := map[string]string{"Content-Type": "application/json", corpus.KeyHeader: header.Value}
			all = append(all,
				Case{Name: "header: " + header.Name + ", alone", Path: path, Headers: headers, Body: `{"a":1}`},
				Case{Name: "header: " + header.Name + ", in a batch", Path: path + batchPath, Headers: headers, Body: `{"events":[{"a":1},{"b":2}]}`})
		}
	}
	return all
}
