package firehose

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"
)

// prefix evaluates a Prefix or ErrorOutputPrefix (developer guide: s3-prefixes).
type prefix struct {
	parts []func(at time.Time, errorType string) string
	zone  *time.Location
}

// defaultTime is appended to a Prefix without a timestamp expression.
const defaultTime = "!{timestamp:yyyy/MM/dd/HH/}"

var expression = regexp.MustCompile(`!\{([^:{}]*):([^{}]*)\}`)

// newPrefix reads a Prefix.
func newPrefix(text string, zone *time.Location) (prefix, error) {
	if !strings.Contains(text, "!{timestamp:") {
		text += defaultTime
	}
	if strings.Contains(text, "!{firehose:error-output-type}") {
		return prefix{}, fmt.Errorf("prefix must not contain !{firehose:error-output-type}, got %q", text)
	}
	return parsePrefix("prefix", text, zone)
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
	return parsePrefix("error output prefix", text, zone)
}

func parsePrefix(subject, text string, zone *time.Location) (prefix, error) {
	p := prefix{zone: zone}
	var errs []error
	literal := func(text string) {
		if strings.Contains(text, "!{") {
			errs = append(errs, fmt.Errorf("%s must have !{ only in expressions !{namespace:value}, got %q", subject, text))
		}
		p.parts = append(p.parts, func(time.Time, string) string { return text })
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
			p.parts = append(p.parts, func(at time.Time, _ string) string { return javaTime(value, at) })
		case namespace == "firehose" && value == "random-string":
			p.parts = append(p.parts, func(time.Time, string) string { return uuid.NewString()[:11] })
		case namespace == "firehose" && value == "error-output-type":
			p.parts = append(p.parts, func(_ time.Time, errorType string) string { return errorType })
		default:
			errs = append(errs, fmt.Errorf("%s must use the namespaces timestamp and firehose, got !{%s:%s}", subject, namespace, value))
		}
	}
	literal(text[end:])
	return p, errors.Join(errs...)
}

// evaluate returns the prefix of an object whose oldest record arrived at arrived.
func (p prefix) evaluate(arrived time.Time, errorType string) string {
	at := arrived.In(p.zone)
	var text strings.Builder
	for _, part := range p.parts {
		text.WriteString(part(at, errorType))
	}
	return text.String()
}

// objectName is the part of an object's key after its prefix (developer guide:
// s3-object-name): stream, version, time, UUID and file extension.
func objectName(s *settings, arrived time.Time, id, extension string) string {
	at := arrived.In(s.prefix.zone).Format("2006-01-02-15-04-05")
	return fmt.Sprintf("%s-%s-%s-%s%s", s.name, s.version, at, id, extension)
}

// javaTime formats at by a pattern of Java's DateTimeFormatter: letters in
// runs, 'literals' in quotes, a doubled quote for one.
func javaTime(pattern string, at time.Time) string {
	var text strings.Builder
	for _, token := range tokens(pattern) {
		text.WriteString(token.format(at))
	}
	return text.String()
}

func checkPattern(pattern string) error {
	if strings.Count(pattern, "'")%2 != 0 {
		return fmt.Errorf("timestamp pattern must close its quotes, got %q", pattern)
	}
	for _, token := range tokens(pattern) {
		if letter := token.letter; letter != 0 && !strings.ContainsRune("yMdDHms", letter) {
			return fmt.Errorf("timestamp pattern must use the letters y M d D H m s, got %q in %q", letter, pattern)
		}
	}
	return nil
}

// token is a run of one pattern letter, or a literal when letter is 0.
type token struct {
	letter  rune
	count   int
	literal string
}

var tokenForm = regexp.MustCompile(`'([^']*)'|([A-Za-z]+)|([^A-Za-z']+)`)

func tokens(pattern string) []token {
	var found []token
	for _, match := range tokenForm.FindAllStringSubmatch(pattern, -1) {
		quoted, letters, other := match[1], match[2], match[3]
		if match[0] == "''" {
			quoted = "'"
		}
		if letters == "" {
			found = append(found, token{literal: quoted + other})
		}
		for i, letter := range letters {
			if i > 0 && found[len(found)-1].letter == letter {
				found[len(found)-1].count++
			} else {
				found = append(found, token{letter: letter, count: 1})
			}
		}
	}
	return found
}

func (t token) format(at time.Time) string {
	number := map[rune]int{
		'y': at.Year(), 'M': int(at.Month()), 'd': at.Day(), 'D': at.YearDay(),
		'H': at.Hour(), 'm': at.Minute(), 's': at.Second(),
	}[t.letter]
	switch {
	case t.letter == 0:
		return t.literal
	case t.letter == 'y' && t.count == 2:
		return fmt.Sprintf("%02d", number%100)
	case t.letter == 'M' && t.count == 3:
		return at.Format("Jan")
	case t.letter == 'M' && t.count == 4:
		return at.Format("January")
	default:
		return fmt.Sprintf("%0*d", t.count, number)
	}
}
