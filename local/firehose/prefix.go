package firehose

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"
)

// prefix is a Prefix or ErrorOutputPrefix (developer guide: s3-prefixes).
type prefix struct {
	parts []func(instance) string
	zone  *time.Location
	// keys are the expressions of dynamic partitioning, such as
	// "partitionKeyFromLambda:type", in the order of their values.
	keys []string
}

// instance is what a prefix is evaluated for.
type instance struct {
	at        time.Time
	errorType string
	keys      []string // the values of prefix.keys
}

// defaultTime is appended to a Prefix without a timestamp expression.
const defaultTime = "!{timestamp:yyyy/MM/dd/HH/}"

var expression = regexp.MustCompile(`!\{([^:{}]*):([^{}]*)\}`)

// The namespaces of dynamic partitioning.
const (
	fromLambda = "partitionKeyFromLambda"
	fromQuery  = "partitionKeyFromQuery"
)

// newPrefix reads a Prefix; dynamic says that it may have partition keys. Then
// no time is appended, as the developer guide's example has it (dynamic-partitioning-s3bucketprefix).
func newPrefix(text string, zone *time.Location, dynamic bool) (prefix, error) {
	if !dynamic && !strings.Contains(text, "!{timestamp:") {
		text += defaultTime
	}
	if strings.Contains(text, "!{firehose:error-output-type}") {
		return prefix{}, fmt.Errorf("prefix must not contain !{firehose:error-output-type}, got %q", text)
	}
	return parsePrefix("prefix", text, zone, dynamic)
}

// newErrorPrefix reads an ErrorOutputPrefix. Without one, Firehose makes it of
// the Prefix, which then may have no expressions; an ErrorOutputPrefix without
// expressions is taken the same way (AWS does not document that case).
func newErrorPrefix(text, prefixText string, zone *time.Location) (prefix, error) {
	literal := text
	if text == "" {
		if strings.Contains(prefixText, "!{") {
			return prefix{}, fmt.Errorf("error output prefix must be given when the prefix contains expressions, got none beside %q", prefixText)
		}
		literal = prefixText
	}
	if !strings.Contains(literal, "!{") {
		text = literal + "!{firehose:error-output-type}/" + defaultTime
	}
	if !strings.Contains(text, "!{firehose:error-output-type}") {
		return prefix{}, fmt.Errorf("error output prefix must contain !{firehose:error-output-type} once it has expressions, got %q", text)
	}
	return parsePrefix("error output prefix", text, zone, false)
}

func parsePrefix(subject, text string, zone *time.Location, dynamic bool) (prefix, error) {
	p := prefix{zone: zone}
	var errs []error
	literal := func(text string) {
		if strings.Contains(text, "!{") {
			errs = append(errs, fmt.Errorf("%s must have !{ only in expressions !{namespace:value}, got %q", subject, text))
		}
		p.parts = append(p.parts, func(instance) string { return text })
	}
	end := 0
	for _, at := range expression.FindAllStringSubmatchIndex(text, -1) {
		literal(text[end:at[0]])
		end = at[1]
		switch namespace, value := text[at[2]:at[3]], text[at[4]:at[5]]; {
		case namespace == "timestamp":
			if err := checkPattern(value); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", subject, err))
			}
			p.parts = append(p.parts, func(i instance) string { return javaTime(value, i.at) })
		case namespace == "firehose" && value == "random-string":
			p.parts = append(p.parts, func(instance) string { return uuid.NewString()[:11] })
		case namespace == "firehose" && value == "error-output-type":
			p.parts = append(p.parts, func(i instance) string { return i.errorType })
		case dynamic && (namespace == fromLambda || namespace == fromQuery):
			n := len(p.keys)
			p.keys = append(p.keys, namespace+":"+value)
			p.parts = append(p.parts, func(i instance) string { return i.keys[n] })
		default:
			errs = append(errs, fmt.Errorf("%s must use the namespaces timestamp and firehose, and those of partition keys with dynamic partitioning, got !{%s:%s}", subject, namespace, value))
		}
	}
	literal(text[end:])
	return p, errors.Join(errs...)
}

// key returns an object's key.
func (p prefix) key(s *settings, i instance, id, extension string) string {
	i.at = i.at.In(p.zone)
	return p.evaluate(i) + objectName(s, i.at, id, extension)
}

// evaluate returns the prefix of an object.
func (p prefix) evaluate(i instance) string {
	i.at = i.at.In(p.zone)
	var text strings.Builder
	for _, part := range p.parts {
		text.WriteString(part(i))
	}
	return text.String()
}

// objectName is the part of an object's key after its prefix (developer guide:
// s3-object-name): stream, version, time, UUID and file extension.
func objectName(s *settings, at time.Time, id, extension string) string {
	return fmt.Sprintf("%s-%s-%s-%s%s", s.name, s.version, at.Format("2006-01-02-15-04-05"), id, extension)
}
