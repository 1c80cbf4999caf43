package main

import (
	"context"
	"fmt"

	"github.com/millrace-cdk/millrace/local/gateway/vtl"
)

// engine is what renders templates on the laptop.
type engine interface {
	Render(ctx context.Context, request vtl.Request) (vtl.Result, error)
}

// compare renders what API Gateway rendered, from the same template and request, and
// lists what is not the same text. compared is how many answers had one.
func compare(ctx context.Context, f *Fixture, laptop engine) (differences []string, compared int) {
	for _, answer := range f.Answers {
		if answer.Rendered == nil {
			continue // API Gateway refused it, or its template failed: the status says so
		}
		compared++
		rendered, err := laptop.Render(ctx, vtl.Request{
			Name: answer.Path, Template: f.Templates[answer.Path], Body: []byte(answer.Body), Headers: answer.Headers,
			Context: map[string]any{"requestId": answer.RequestID, "stage": "test-invoke-stage", "httpMethod": "POST", "resourcePath": answer.Path},
		})
		text := rendered.Text
		if answer.Truncated {
			text = text[:min(len(text), len(*answer.Rendered))]
		}
		switch {
		case err != nil:
			differences = append(differences, fmt.Sprintf("%s, %s: the laptop cannot render it: %v", answer.Path, answer.Name, err))
		case text != *answer.Rendered:
			differences = append(differences, fmt.Sprintf("%s, %s:\nAPI Gateway: %s\nthe laptop:  %s", answer.Path, answer.Name, *answer.Rendered, text))
		}
	}
	return differences, compared
}
