// Package schema compiles the JSON Schemas that a transformer's steps name. It is
// apart from package spec so that only who validates links a validator, which costs a
// function 6 ms and 2 MB of its start.
package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Compile returns the schema that text holds.
func Compile(text json.RawMessage) (*jsonschema.Schema, error) {
	const name = "schema.json" // of the one document that there is
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("reading the schema: %w", err)
	}
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(nothing{})
	if err := compiler.AddResource(name, document); err != nil {
		return nil, fmt.Errorf("reading the schema: %w", err)
	}
	compiled, err := compiler.Compile(name)
	if err != nil {
		return nil, fmt.Errorf("compiling the schema: %w", err)
	}
	return compiled, nil
}

// nothing loads no other document: a function does not reach out for its configuration.
type nothing struct{}

func (nothing) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s is another document, which is not followed", url)
}

// Check reports every one of schemas that does not compile, numbered from 1.
func Check(schemas ...json.RawMessage) error {
	var errs []error
	for i, text := range schemas {
		if _, err := Compile(text); err != nil {
			errs = append(errs, fmt.Errorf("schema %d: %w", i+1, err))
		}
	}
	return errors.Join(errs...)
}
