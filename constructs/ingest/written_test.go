package ingest_test

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"reflect"
	"regexp"
	"strings"
	"unicode/utf16"

	"github.com/millrace-cdk/millrace/constructs/ingest"
)

// checkRequest reads text as a request to Kinesis with the events of body.
func checkRequest(m mapping, text, body, header string) error {
	all, err := tokens([]byte(text))
	if err != nil {
		return err
	}
	r := &reader{tokens: all}
	route := keySources()[m.stream]
	if m.action == "PutRecord" {
		r.expect(json.Delim('{'), "StreamName", m.stream)
		record := r.record()
		r.end()
		if r.err != nil {
			return r.err
		}
		if want := cmp.Or(body, "{}"); string(record.data) != want { // of no body API Gateway makes {}, and its model refuses that
			return fmt.Errorf("the record's data are %.2000q", record.data)
		}
		return record.checkKeys(route, decoded([]byte(body)), header, requestID)
	}

	r.expect(json.Delim('{'), "StreamName", m.stream, "Records", json.Delim('['))
	var records []writtenRecord
	for r.err == nil && r.next() == json.Delim('{') {
		r.expect(json.Delim('{'))
		records = append(records, r.record())
	}
	r.expect(json.Delim(']'), json.Delim('}'))
	r.end()
	if r.err != nil {
		return r.err
	}
	batch, _ := decoded([]byte(body)).(map[string]any)
	events, isList := batch["events"].([]any)
	if !isList {
		return nil // such a body the API's model refuses; it did not break out
	}
	if len(records) != len(events) {
		return fmt.Errorf("%d records for %d events", len(records), len(events))
	}
	for i, event := range events {
		if got := decoded(records[i].data); !reflect.DeepEqual(fractions(got), fractions(event)) {
			return fmt.Errorf("event %d became %.2000s", i, records[i].data)
		}
		if err := records[i].checkKeys(route, event, header, fmt.Sprintf("%s/%d", requestID, i)); err != nil {
			return fmt.Errorf("event %d: %w", i, err)
		}
	}
	return nil
}

// decoded is a JSON text's value, nil if it is no JSON text. Of equal members the last counts.
func decoded(text []byte) (value any) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if !json.Valid(text) || decoder.Decode(&value) != nil {
		return nil
	}
	return value
}

// fractions is a decoded value with exact numbers in place of their texts.
func fractions(value any) any {
	switch v := value.(type) {
	case json.Number:
		return fraction(v)
	case map[string]any:
		exact := make(map[string]any, len(v))
		for name, member := range v {
			exact[name] = fractions(member)
		}
		return exact
	case []any:
		exact := make([]any, len(v))
		for i, element := range v {
			exact[i] = fractions(element)
		}
		return exact
	}
	return value
}

// reader reads a request's tokens in the order in which the templates write them: a
// second member of the same name, or one too many, is out of order.
type reader struct {
	tokens []any
	err    error
}

func (r *reader) next() any {
	if len(r.tokens) == 0 {
		return nil
	}
	return r.tokens[0]
}

func (r *reader) take() any {
	token := r.next()
	r.tokens = r.tokens[min(1, len(r.tokens)):]
	return token
}

func (r *reader) expect(tokens ...any) {
	for _, want := range tokens {
		if got := r.take(); r.err == nil && got != want {
			r.err = fmt.Errorf("the request has %v where %v is expected", got, want)
		}
	}
}

func (r *reader) text() string {
	text, ok := r.take().(string)
	if !ok && r.err == nil {
		r.err = errors.New("the request has no string where one is expected")
	}
	return text
}

func (r *reader) end() {
	if r.next() == json.Delim('}') {
		r.take()
	}
	if len(r.tokens) > 0 && r.err == nil {
		r.err = fmt.Errorf("the request goes on with %v", r.tokens[0])
	}
}

type writtenRecord struct {
	data      []byte
	key, hash string
}

// record reads the members of a record.
func (r *reader) record() (record writtenRecord) {
	r.expect("Data")
	var err error
	if record.data, err = base64.StdEncoding.Strict().DecodeString(r.text()); err != nil && r.err == nil {
		r.err = err
	}
	if r.next() == "ExplicitHashKey" {
		r.expect("ExplicitHashKey")
		record.hash = r.text()
	}
	r.expect("PartitionKey")
	record.key = r.text()
	r.expect(json.Delim('}'))
	return record
}

// checkKeys holds a record's keys against those that route gives event.
func (r writtenRecord) checkKeys(route ingest.Route, event any, header, fallback string) error {
	key := cmp.Or(source(route.PartitionKey, event, header), fallback)
	units := utf16.Encode([]rune(key))
	// "Unicode strings, with a maximum length limit of 256 characters for each key"
	// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecord.html
	if key = string(utf16.Decode(units[:min(len(units), 256)])); r.key != key {
		return fmt.Errorf("the partition key is %q, not %q", r.key, key)
	}
	hash := source(route.ExplicitHashKey, event, header)
	if number, _ := new(big.Int).SetString(hash, 10); number == nil || number.BitLen() > 128 || !regexp.MustCompile(`^(0|[1-9][0-9]*)$`).MatchString(hash) {
		hash = ""
	}
	if r.hash != hash {
		return fmt.Errorf("the explicit hash key is %q, not %q", r.hash, hash)
	}
	return nil
}

// source is the key that s finds, empty if there is none.
func source(s ingest.KeySource, event any, header string) string {
	if s.JSONPath != "" {
		value := event
		for name := range strings.SplitSeq(strings.TrimPrefix(s.JSONPath, "$."), ".") {
			members, _ := value.(map[string]any)
			value = members[name]
		}
		switch v := value.(type) {
		case string:
			if v != "" {
				return v
			}
		case json.Number, bool:
			return fmt.Sprint(v)
		}
	}
	if s.Header != "" {
		return header
	}
	return ""
}
