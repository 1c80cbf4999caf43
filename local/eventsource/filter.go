package eventsource

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// filters are the patterns of a mapping's FilterCriteria: a record passes if it
// matches one, or if there are none. They are written in EventBridge's language
// (developer guide: invocation-eventfiltering).
type filters []pattern

// pattern is what one field, or the whole of the data, must be like.
type pattern interface {
	// matches is given the field's value as [readJSON] reads it, and whether the field is there.
	matches(value any, exists bool) bool
}

type (
	fields       map[string]pattern // every one of them
	alternatives []pattern          // one of them
	test         func(value any) bool
	presence     bool
)

// newFilters reads filter criteria. Its error names what is not supported.
func newFilters(criteria *types.FilterCriteria) (filters, error) {
	if criteria == nil {
		return nil, nil
	}
	var all filters
	for _, f := range criteria.Filters {
		text := aws.ToString(f.Pattern)
		p, err := newPattern(text)
		if err != nil {
			return nil, fmt.Errorf("filter pattern %s: %w", text, err)
		}
		all = append(all, p)
	}
	return all, nil
}

// newPattern reads a filter. Kinesis mappings filter on the key "data" only
// (developer guide: with-kinesis-filtering).
func newPattern(text string) (pattern, error) {
	value, err := readJSON([]byte(text))
	if err != nil {
		return nil, err
	}
	rule, isObject := value.(map[string]any)
	if !isObject {
		return nil, errors.New("must be a JSON object")
	}
	for key := range rule {
		if key != "data" {
			return nil, fmt.Errorf(`must be on "data" only, got %q`, key)
		}
	}
	data, isObject := rule["data"].(map[string]any)
	if !isObject {
		return nil, errors.New(`"data" must be a JSON object`)
	}
	return newFields(data)
}

func newFields(rule map[string]any) (pattern, error) {
	all := fields{}
	for key, value := range rule {
		var err error
		switch value := value.(type) {
		case map[string]any:
			all[key], err = newFields(value)
		case []any:
			if key == "$or" {
				all[key], err = newAlternatives(value, newBranch)
			} else {
				all[key], err = newAlternatives(value, newRule)
			}
		default:
			err = errors.New("must be an array or an object")
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
	}
	return all, nil
}

func newAlternatives(rules []any, read func(any) (pattern, error)) (pattern, error) {
	var all alternatives
	for _, r := range rules {
		p, err := read(r)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// newBranch reads one of the objects of an "$or".
func newBranch(rule any) (pattern, error) {
	object, isObject := rule.(map[string]any)
	if !isObject {
		return nil, errors.New("must be an array of objects")
	}
	return newFields(object)
}

// newRule reads one of the values that a field may have, or a comparison.
func newRule(rule any) (pattern, error) {
	comparison, isObject := rule.(map[string]any)
	if !isObject {
		return test(func(value any) bool { return value == rule }), nil
	}
	if len(comparison) != 1 {
		return nil, fmt.Errorf("a comparison must have one operator, got %d", len(comparison))
	}
	for operator, operand := range comparison {
		p, err := newComparison(operator, operand)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", operator, err)
		}
		return p, nil
	}
	panic("unreachable")
}

func newComparison(operator string, operand any) (pattern, error) {
	switch operand := operand.(type) {
	case bool:
		if operator == "exists" {
			return presence(operand), nil
		}
	case []any:
		switch operator {
		case "numeric":
			return newNumeric(operand)
		case "anything-but":
			return newAnythingBut(operand)
		}
	case json.Number:
		if operator == "anything-but" {
			return newAnythingBut([]any{operand})
		}
	case string:
		switch operator {
		case "anything-but":
			return newAnythingBut([]any{operand})
		case "prefix":
			return text(func(value string) bool { return strings.HasPrefix(value, operand) }), nil
		case "suffix":
			return text(func(value string) bool { return strings.HasSuffix(value, operand) }), nil
		case "equals-ignore-case":
			return text(func(value string) bool { return strings.EqualFold(value, operand) }), nil
		}
	}
	return nil, fmt.Errorf("operator is not supported with %v", operand)
}

func text(is func(string) bool) pattern {
	return test(func(value any) bool {
		text, isString := value.(string)
		return isString && is(text)
	})
}

func newAnythingBut(values []any) (pattern, error) {
	for _, value := range values {
		switch value.(type) {
		case map[string]any, []any:
			return nil, errors.New("must have strings or numbers")
		}
	}
	return test(func(value any) bool { return !slices.Contains(values, value) }), nil
}

// newNumeric reads comparisons, all of which must hold: an operator and a number each.
func newNumeric(operands []any) (pattern, error) {
	var all []func(float64) bool
	for pair := range slices.Chunk(operands, 2) {
		if len(pair) != 2 {
			return nil, errors.New("must have a number after each operator")
		}
		limit, isNumber := float(pair[1])
		if !isNumber {
			return nil, fmt.Errorf("must have numbers, got %v", pair[1])
		}
		switch pair[0] {
		case "=":
			all = append(all, func(n float64) bool { return n == limit })
		case "<":
			all = append(all, func(n float64) bool { return n < limit })
		case "<=":
			all = append(all, func(n float64) bool { return n <= limit })
		case ">":
			all = append(all, func(n float64) bool { return n > limit })
		case ">=":
			all = append(all, func(n float64) bool { return n >= limit })
		default:
			return nil, fmt.Errorf("must have =, <, <=, > or >=, got %v", pair[0])
		}
	}
	return test(func(value any) bool {
		n, isNumber := float(value)
		return isNumber && !slices.ContainsFunc(all, func(holds func(float64) bool) bool { return !holds(n) })
	}), nil
}

func float(value any) (float64, bool) {
	number, isNumber := value.(json.Number)
	n, err := strconv.ParseFloat(string(number), 64)
	return n, isNumber && err == nil
}

// match says whether a record with this data is for the function. Data that is
// not JSON matches no filter.
func (f filters) match(data []byte) bool {
	if len(f) == 0 {
		return true
	}
	value, err := readJSON(data)
	return err == nil && slices.ContainsFunc(f, func(p pattern) bool { return p.matches(value, true) })
}

func (f fields) matches(value any, _ bool) bool {
	if elements, isArray := value.([]any); isArray {
		return slices.ContainsFunc(elements, func(element any) bool { return f.matches(element, true) })
	}
	object, _ := value.(map[string]any) // what is no object has no fields
	for key, p := range f {
		field, exists := object[key]
		if key == "$or" {
			field, exists = any(object), true
		}
		if !p.matches(field, exists) {
			return false
		}
	}
	return true
}

func (a alternatives) matches(value any, exists bool) bool {
	return slices.ContainsFunc(a, func(p pattern) bool { return p.matches(value, exists) })
}

// matches of an array is that one of its elements does.
func (t test) matches(value any, exists bool) bool {
	switch value := value.(type) {
	case []any:
		return slices.ContainsFunc(value, func(element any) bool { return t.matches(element, true) })
	case map[string]any:
		return false // comparisons work on leaf nodes
	}
	return exists && t(value)
}

func (p presence) matches(value any, exists bool) bool {
	_, isObject := value.(map[string]any)
	return (exists && !isObject) == bool(p)
}

// readJSON reads one JSON value, numbers as they are written: "For numbers,
// Lambda also uses string representation."
func readJSON(data []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, fmt.Errorf("reading JSON: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("reading JSON: more than one value")
	}
	return value, nil
}
