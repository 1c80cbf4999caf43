package steps

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/millrace-cdk/millrace/lambdas/event"
	"github.com/millrace-cdk/millrace/lambdas/event/object"
	"github.com/millrace-cdk/millrace/spec"
	"github.com/millrace-cdk/millrace/spec/schema"
)

// lookup returns the value at the path, nil if there is none.
func lookup(value []byte, path []string) []byte {
	for _, name := range path {
		if value == nil || value[0] != '{' {
			return nil
		}
		var found []byte
		for m := range object.Members(value) {
			if string(m.Name(value)) == name {
				found = m.Value(value) // the last one counts
			}
		}
		value = found
	}
	return value
}

func newValidate(v spec.Validate) (step, error) {
	compiled, err := schema.Compile(v.Schema)
	if err != nil {
		return nil, err
	}
	return func(d *document) error {
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(d.text))
		if err != nil {
			return err
		}
		var invalid *jsonschema.ValidationError
		if err := compiled.Validate(value); errors.As(err, &invalid) {
			return failure("Schema", "the event does not follow the schema: %s", broken(invalid))
		} else if err != nil {
			return failure("Schema", "the schema cannot be applied: a %T", err)
		}
		return nil
	}, nil
}

// broken names the first keyword of the schema that an event breaks. The
// library's own message may quote the event.
func broken(e *jsonschema.ValidationError) string {
	for len(e.Causes) > 0 {
		e = e.Causes[0]
	}
	_, place, _ := strings.Cut(e.SchemaURL, "#")
	return strings.Join(append([]string{place}, e.ErrorKind.KeywordPath()...), "/")
}

func newDrop(drop spec.Drop) step {
	var conditions []func(text []byte) bool
	for _, c := range drop.When {
		conditions = append(conditions, newCondition(c))
	}
	return func(d *document) error {
		for _, holds := range conditions {
			if !holds(d.text) {
				return nil
			}
		}
		return errDropped
	}
}

func newCondition(c spec.Condition) func(text []byte) bool {
	path := mustParse(c.Path)
	var equals []any
	for _, value := range c.Equals { // as JSON would have brought them
		if number, ok := value.(int); ok {
			value = float64(number)
		}
		equals = append(equals, value)
	}
	return func(text []byte) bool {
		value := lookup(text, path)
		return c.Not != (value != nil && holds(c, equals, value))
	}
}

func holds(c spec.Condition, equals []any, value []byte) bool {
	if c.Present {
		return true
	}
	if value[0] == '{' || value[0] == '[' {
		return false
	}
	var scalar any
	if err := json.Unmarshal(value, &scalar); err != nil {
		return false // a number beyond float64 equals none and is compared with none
	}
	number, isNumber := scalar.(float64)
	switch {
	case c.Prefix != "":
		text, isText := scalar.(string)
		return isText && strings.HasPrefix(text, c.Prefix)
	case c.Above != nil:
		return isNumber && number > *c.Above
	case c.Below != nil:
		return isNumber && number < *c.Below
	}
	return slices.Contains(equals, scalar)
}

// maxKeyBytes bounds one key's value: an object's whole key has 1,024 bytes
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html).
const maxKeyBytes = 256

func newPartition(p spec.Partition) step {
	paths := make([][]string, len(p.Keys))
	for i, k := range p.Keys {
		paths[i] = mustParse(k.Path)
	}
	return func(d *document) error {
		if d.keys == nil {
			d.keys = make(map[string]string, len(p.Keys))
		}
		for i, k := range p.Keys {
			value := keyValue(k, lookup(d.text, paths[i]))
			if value == "" {
				value = k.Default
			}
			escaped := escape(value)
			if escaped == "" {
				return failure("PartitionKey", "the event has no value for the partition key %s", k.Name)
			}
			if len(escaped) > maxKeyBytes {
				return failure("PartitionKey", "the event's value for the partition key %s has more than %d bytes", k.Name, maxKeyBytes)
			}
			d.keys[k.Name] = escaped
		}
		return nil
	}
}

// keyValue returns value as a partition key's, empty if it is none.
func keyValue(k spec.PartitionKey, value []byte) string {
	if value == nil {
		return ""
	}
	if k.Layout != "" {
		at := event.ParseTime(value)
		if at.IsZero() {
			return ""
		}
		return at.Format(k.Layout)
	}
	if text, ok := object.Text(value); ok {
		return string(text)
	}
	if _, err := strconv.ParseBool(string(value)); err == nil || value[0] == '-' || value[0]-'0' < 10 {
		return string(value)
	}
	return ""
}

// escape makes one folder's name of a value.
func escape(value string) string {
	if strings.Trim(value, ".") == "" { // "." and ".." are folders of their own to many a tool
		return strings.ReplaceAll(value, ".", "%2E")
	}
	return url.PathEscape(value)
}
