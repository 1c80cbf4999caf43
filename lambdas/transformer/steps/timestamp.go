package steps

import (
	"strconv"
	"strings"
	"time"

	"github.com/millrace-cdk/millrace/lambdas/event/object"
	"github.com/millrace-cdk/millrace/spec"
)

func newTimestamp(t spec.Timestamp) (step, error) {
	zone, err := time.LoadLocation(t.Zone)
	if err != nil {
		return nil, err
	}
	formats := t.Formats
	if len(formats) == 0 {
		formats = []string{"rfc3339", "unix_ms"}
	}
	return newEdit([]string{t.Path}, func(dst, value []byte) ([]byte, bool, error) {
		text, isText := object.Text(value)
		if !isText {
			text = value
		}
		for _, format := range formats {
			at, ok := readTime(string(text), isText, format, zone)
			if at = at.UTC(); ok && at.Year() >= 1 && at.Year() <= 9999 { // the years of RFC 3339
				dst = append(dst, '"')
				dst = at.AppendFormat(dst, time.RFC3339Nano)
				return append(dst, '"'), true, nil
			}
		}
		if t.KeepUnreadable {
			return append(dst, value...), true, nil
		}
		return dst, true, failure("Timestamp", "the time at %s is not readable", t.Path)
	}), nil
}

func readTime(text string, isText bool, format string, zone *time.Location) (time.Time, bool) {
	switch format {
	case "unix_s":
		return readUnix(text, 9)
	case "unix_ms":
		return readUnix(text, 6)
	case "unix_us":
		return readUnix(text, 3)
	case "unix_ns":
		return readUnix(text, 0)
	}
	if !isText {
		return time.Time{}, false
	}
	if format == "rfc3339" {
		at, err := time.Parse(time.RFC3339Nano, strings.ToUpper(text))
		return at, err == nil
	}
	at, err := time.ParseInLocation(format, text, zone)
	return at, err == nil
}

// readUnix reads a decimal number of units of 10^digits nanoseconds since 1970,
// without the rounding of a float64.
func readUnix(text string, digits int) (time.Time, bool) {
	whole, fraction, hasFraction := strings.Cut(text, ".")
	if hasFraction && fraction == "" || strings.HasPrefix(whole, "+") {
		return time.Time{}, false
	}
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	for _, c := range fraction {
		if c < '0' || c > '9' {
			return time.Time{}, false
		}
	}
	padded := fraction + strings.Repeat("0", digits)
	nanoseconds := int64(0)
	if digits > 0 {
		if nanoseconds, err = strconv.ParseInt(padded[:digits], 10, 64); err != nil {
			return time.Time{}, false
		}
	}
	if strings.HasPrefix(whole, "-") {
		nanoseconds = -nanoseconds
	}
	unit := int64(1)
	for range digits {
		unit *= 10
	}
	perSecond := int64(time.Second) / unit
	return time.Unix(n/perSecond, n%perSecond*unit+nanoseconds), true
}
