package ingest_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/millrace-cdk/millrace/constructs/ingest/corpus"
	"github.com/millrace-cdk/millrace/local/gateway/vtl"
)

// parts are what agree looks at by itself.
type parts struct {
	rest               vtl.Result // without them
	keys, hashes, data []string
}

var member = regexp.MustCompile(`"Data":"(.*?)",|(?:"ExplicitHashKey":"(.*?)",)?"PartitionKey":"((?:[^"\\]|\\.)*)"`)

// apart takes a rendered JSON text to pieces. White space between its tokens goes: velocityjs and
// the versions of Velocity differ in which line ends around directives they keep.
func apart(r vtl.Result) (p parts, err error) {
	var compact bytes.Buffer
	if err := json.Compact(&compact, []byte(r.Text)); err != nil {
		return p, fmt.Errorf("%w: %.400s", err, r.Text)
	}
	r.Text = member.ReplaceAllStringFunc(compact.String(), func(text string) string {
		found := member.FindStringSubmatch(text)
		if found[3] == "" {
			p.data = append(p.data, found[1])
		} else {
			p.hashes, p.keys = append(p.hashes, found[2]), append(p.keys, found[3])
		}
		return ""
	})
	p.rest = r
	return p, nil
}

// agree holds what the engines rendered against each other: the same byte by byte, but for
// keys, whose greatest rewriting it returns, and the Data of batched events, which
// are to be as their Batched says.
func agree(ours, theirs vtl.Result, batched []corpus.Event) (key corpus.Rewriting, err error) {
	a, err := apart(ours)
	if err != nil {
		return 0, err
	}
	b, err := apart(theirs)
	if err != nil {
		return 0, err
	}
	if !reflect.DeepEqual(a.rest, b.rest) || len(a.keys) != len(b.keys) || len(a.data) != len(b.data) {
		return 0, fmt.Errorf("\nvelocityjs: %+v\nVelocity:   %+v", ours, theirs)
	}
	for i := range a.keys {
		one, err := keyRewriting(a.keys[i], b.keys[i])
		if err != nil {
			return 0, err
		}
		key = max(key, one)
		switch {
		case a.hashes[i] == "" && b.hashes[i] == "0": // -0 is no hash key, and Java's 0 is one
			key = max(key, corpus.Respelled)
		case a.hashes[i] != b.hashes[i]:
			return 0, fmt.Errorf("the explicit hash keys are %q and %q", a.hashes[i], b.hashes[i])
		}
	}
	if batched == nil {
		if !slices.Equal(a.data, b.data) {
			return 0, fmt.Errorf("the data differ:\nvelocityjs: %s\nVelocity:   %s", a.data, b.data)
		}
		return key, nil
	}
	if len(a.data) != len(batched) {
		return 0, fmt.Errorf("%d records for %d events", len(a.data), len(batched))
	}
	for i, event := range batched {
		one, err := base64.StdEncoding.DecodeString(a.data[i])
		if err != nil {
			return 0, err
		}
		other, err := base64.StdEncoding.DecodeString(b.data[i])
		if err != nil {
			return 0, err
		}
		got, err := rewriting(one, other)
		if err == nil && got != event.Batched {
			err = fmt.Errorf("rewriting %d, the corpus says %d", got, event.Batched)
		}
		if err != nil {
			return 0, fmt.Errorf("%s: %w\nvelocityjs: %.400s\nVelocity:   %.400s", event.Name, err, one, other)
		}
	}
	return key, nil
}

// keyRewriting explains how two engines wrote one partition key: a number, or half a pair of
// surrogates, of which the laptop makes U+FFFD.
func keyRewriting(ours, theirs string) (corpus.Rewriting, error) {
	if ours == theirs {
		return corpus.Agreed, nil
	}
	a, err := tokens([]byte(ours))
	if err == nil && len(a) == 1 {
		if b, err := tokens([]byte(theirs)); err == nil && reflect.DeepEqual(a, b) {
			return corpus.Respelled, nil
		}
		if reflect.DeepEqual(lost(a), []any{nil}) {
			return corpus.Lossy, nil // null is no key
		}
	}
	if strings.ReplaceAll(ours, `\uFFFD`, "?") == theirs {
		return corpus.Lossy, nil
	}
	return 0, fmt.Errorf("the keys are %s and %s", ours, theirs)
}

// rewriting is the least that explains how two engines wrote one event.
func rewriting(ours, theirs []byte) (corpus.Rewriting, error) {
	if bytes.Equal(ours, theirs) {
		return corpus.Agreed, nil
	}
	a, err := tokens(ours)
	if err != nil {
		return 0, err
	}
	b, err := tokens(theirs)
	if err != nil {
		return 0, err
	}
	if reflect.DeepEqual(a, b) {
		return corpus.Respelled, nil
	}
	if reflect.DeepEqual(lost(a), b) {
		return corpus.Lossy, nil
	}
	if sameMembers(ours, theirs) {
		return corpus.Reordered, nil
	}
	return 0, errors.New("the events differ")
}

// lost is what Java loses of tokens.
func lost(tokens []any) []any {
	left := make([]any, len(tokens))
	for i, token := range tokens {
		switch v := token.(type) {
		case *big.Rat:
			if f, _ := v.Float64(); fmt.Sprint(f) != "+Inf" && fmt.Sprint(f) != "-Inf" {
				left[i] = v
			}
		case string: // what is not Unicode decodes to U+FFFD
			left[i] = strings.ReplaceAll(v, "\ufffd", "?")
		default:
			left[i] = v
		}
	}
	return left
}

func sameMembers(ours, theirs []byte) bool {
	var a, b any
	return json.Unmarshal(ours, &a) == nil && json.Unmarshal(theirs, &b) == nil && reflect.DeepEqual(a, b)
}

// tokens are those of exactly one JSON text, its numbers as fractions: 1.10 equals 1.1, and
// 9007199254740993 is not 9007199254740992.
func tokens(text []byte) (all []any, err error) {
	if !json.Valid(text) { // Token does not see that something follows
		return nil, fmt.Errorf("no JSON text: %.400s", text)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		if number, ok := token.(json.Number); ok {
			token = fraction(number)
		}
		all = append(all, token)
	}
}

// fraction is a number's exact value, or its text if that has too many digits.
func fraction(number json.Number) any {
	_, exponent, _ := strings.Cut(strings.ToLower(number.String()), "e")
	if n, err := strconv.Atoi(exponent); exponent != "" && (err != nil || max(n, -n) > 5000) {
		return number
	}
	value, ok := new(big.Rat).SetString(number.String())
	if !ok {
		return number
	}
	return value
}
