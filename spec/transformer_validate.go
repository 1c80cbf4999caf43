package spec

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Validate reports everything that is wrong with t, except with the inside of [Transformer.Schemas].
func (t Transformer) Validate() error {
	var errs []error
	if t.CloudWatchLogs != nil && t.CloudWatchLogs.MaxBytes < 0 {
		errs = append(errs, fmt.Errorf("cloudwatch logs: max bytes must be positive, got %d", t.CloudWatchLogs.MaxBytes))
	}
	hashes := false
	for i, s := range t.Steps {
		hashes = hashes || s.Hash != nil
		for _, err := range s.validate() {
			errs = append(errs, fmt.Errorf("step %d: %w", i+1, err))
		}
	}
	if hashes && t.HashKeyARN == "" {
		errs = append(errs, errors.New("hash key is required by the hash step: pass the secret that holds it"))
	}
	if text, err := Encode(t); err != nil {
		errs = append(errs, err)
	} else if len(text) > MaxTransformerBytes {
		errs = append(errs, fmt.Errorf("steps take %d bytes as JSON, and an environment variable has room for %d: shorten the schema", len(text), MaxTransformerBytes))
	}
	return errors.Join(errs...)
}

func (s Step) validate() (errs []error) {
	set := 0
	check := func(name string, problems []error) {
		set++
		for _, err := range problems {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	if s.Validate != nil {
		check("validate", s.Validate.validate())
	}
	if s.Drop != nil {
		check("drop", s.Drop.validate())
	}
	if s.Remove != nil {
		check("remove", validatePaths(s.Remove.Paths))
	}
	if s.Redact != nil {
		check("redact", validatePaths(s.Redact.Paths))
	}
	if s.Hash != nil {
		check("hash", validatePaths(s.Hash.Paths))
	}
	if s.Timestamp != nil {
		check("timestamp", s.Timestamp.validate())
	}
	if s.Add != nil {
		check("add", s.Add.validate())
	}
	if s.Partition != nil {
		check("partition", s.Partition.validate())
	}
	if set != 1 {
		errs = append(errs, fmt.Errorf("exactly one of validate, drop, remove, redact, hash, timestamp, add and partition must be set, got %d", set))
	}
	return errs
}

func (v Validate) validate() []error {
	var object map[string]any
	if err := json.Unmarshal(v.Schema, &object); err != nil || object == nil {
		return []error{errors.New("schema must be a JSON object")}
	}
	return nil
}

func (d Drop) validate() (errs []error) {
	if len(d.When) == 0 {
		errs = append(errs, errors.New("when is required: without a condition every event would be dropped"))
	}
	for i, c := range d.When {
		for _, err := range c.validate() {
			errs = append(errs, fmt.Errorf("condition %d: %w", i+1, err))
		}
	}
	return errs
}

func (c Condition) validate() (errs []error) {
	if _, err := ParsePath(c.Path); err != nil {
		errs = append(errs, err)
	}
	set := 0
	for _, is := range []bool{len(c.Equals) > 0, c.Prefix != "", c.Above != nil, c.Below != nil, c.Present} {
		if is {
			set++
		}
	}
	if set != 1 {
		errs = append(errs, fmt.Errorf("exactly one of equals, prefix, above, below and present must be set, got %d", set))
	}
	for _, value := range c.Equals {
		switch value.(type) {
		case nil, string, bool, float64, int:
		default:
			errs = append(errs, fmt.Errorf("equals takes strings, numbers, booleans and null, got a %T", value))
		}
	}
	return errs
}

func (t Timestamp) validate() []error {
	errs := validatePaths([]string{t.Path})
	for _, format := range t.Formats {
		if !isTimeFormat(format) {
			errs = append(errs, fmt.Errorf("format must be rfc3339, unix_s, unix_ms, unix_us, unix_ns or a layout of Go's package time with at least a year, got %q", format))
		}
	}
	if _, err := time.LoadLocation(t.Zone); err != nil {
		errs = append(errs, fmt.Errorf("zone must be an IANA time zone, got %q", t.Zone))
	}
	return errs
}

func isTimeFormat(format string) bool {
	switch format {
	case "rfc3339", "unix_s", "unix_ms", "unix_us", "unix_ns":
		return true
	}
	// A layout is one that tells two times apart, and so not a text without any placeholder.
	return isLayout(format) && strings.Contains(format, "06")
}

func isLayout(layout string) bool {
	one, other := time.Date(2001, 1, 1, 1, 1, 1, 1, time.UTC), time.Date(2017, 12, 28, 23, 48, 49, 999, time.UTC)
	return one.Format(layout) != other.Format(layout)
}

func (a Add) validate() (errs []error) {
	if a.Name == "" {
		errs = append(errs, errors.New("name is required"))
	} else if err := changeable(a.Name); err != nil {
		errs = append(errs, err)
	}
	if (a.Value == "") == (a.From == "") {
		errs = append(errs, errors.New("exactly one of value and from must be set"))
	}
	if a.From != "" && !slices.Contains(sources(), a.From) {
		errs = append(errs, fmt.Errorf("from must be one of %s, got %q", strings.Join(sources(), ", "), a.From))
	}
	return errs
}

func (p Partition) validate() (errs []error) {
	if len(p.Keys) == 0 {
		errs = append(errs, errors.New("keys are required"))
	}
	for _, k := range p.Keys {
		if !regexp.MustCompile(`^[A-Za-z0-9_]+$`).MatchString(k.Name) {
			errs = append(errs, fmt.Errorf("key name must be letters, digits and underscores, got %q", k.Name))
		}
		if _, err := ParsePath(k.Path); err != nil {
			errs = append(errs, fmt.Errorf("key %s: %w", k.Name, err))
		}
		if k.Layout != "" && !isLayout(k.Layout) {
			errs = append(errs, fmt.Errorf("key %s: layout must be one of Go's package time, got %q", k.Name, k.Layout))
		}
	}
	return errs
}

func validatePaths(paths []string) (errs []error) {
	if len(paths) == 0 {
		errs = append(errs, errors.New("paths are required"))
	}
	for _, path := range paths {
		names, err := ParsePath(path)
		if err == nil && len(names) == 1 {
			err = changeable(names[0])
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// changeable refuses the members that say what the event is, here and in
// Postgres: it would be another one in the lake.
func changeable(name string) error {
	if bare := strings.TrimLeft(name, "_"); name == "event_id" || bare == "millrace" && bare != name {
		return fmt.Errorf("%q identifies the event and cannot be changed", name)
	}
	return nil
}

// sources are what [Add] may take a value from.
func sources() []string {
	return []string{"arrived_at", "stream", "shard", "sequence", "sub_sequence", "partition_key"}
}
