package firehose

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/deprecated"
)

func mismatch(t *hiveType, value json.RawMessage) error {
	form := map[byte]string{'{': "an object", '[': "an array", '"': "a string", 't': "a truth value", 'f': "a truth value"}[value[0]]
	if form == "" {
		form = "a number"
	}
	return fmt.Errorf("%s does not fit the type %s", form, t.kind)
}

// leaf converts as the OpenX JSON SerDe does: every value is a string for a
// string column, and the text of a string is read as the type of its column.
func (t *hiveType) leaf(value json.RawMessage) (parquet.Value, error) {
	text, quoted := string(value), value[0] == '"'
	if quoted {
		if err := json.Unmarshal(value, &text); err != nil {
			return parquet.Value{}, errMalformed
		}
	} else if t.kind == "string" && (value[0] == '{' || value[0] == '[') {
		var compact bytes.Buffer
		if err := json.Compact(&compact, value); err != nil {
			return parquet.Value{}, errMalformed
		}
		text = compact.String()
	}
	if made, ok := t.scalar(text); ok {
		return made, nil
	}
	return parquet.Value{}, mismatch(t, value)
}

func (t *hiveType) scalar(text string) (parquet.Value, bool) {
	switch t.kind {
	case "string":
		return parquet.ByteArrayValue([]byte(text)), true
	case "boolean":
		return parquet.BooleanValue(strings.EqualFold(text, "true")), strings.EqualFold(text, "true") || strings.EqualFold(text, "false")
	case "tinyint", "smallint", "int":
		n, err := strconv.ParseInt(text, 10, map[string]int{"tinyint": 8, "smallint": 16, "int": 32}[t.kind])
		return parquet.Int32Value(int32(n)), err == nil
	case "bigint":
		n, err := strconv.ParseInt(text, 10, 64)
		return parquet.Int64Value(n), err == nil
	case "float":
		n, err := strconv.ParseFloat(text, 32)
		return parquet.FloatValue(float32(n)), err == nil
	case "double":
		n, err := strconv.ParseFloat(text, 64)
		return parquet.DoubleValue(n), err == nil
	case "decimal":
		return t.decimal(text)
	case "date":
		day, err := time.Parse(time.DateOnly, text)
		return parquet.Int32Value(int32(day.Unix() / int64(24*60*60))), err == nil
	default: // timestamp
		at, ok := hiveTime(text)
		return parquet.Int96Value(int96(at)), ok
	}
}

var decimalForm = regexp.MustCompile(`^-?\d{1,100}(\.\d{1,100})?([eE][+-]?\d{1,2})?$`)

// decimal rounds half up to the scale; what needs more digits than the precision does not fit.
func (t *hiveType) decimal(text string) (parquet.Value, bool) {
	if !decimalForm.MatchString(text) { // an exponent could ask for any amount of memory
		return parquet.Value{}, false
	}
	number, ok := new(big.Rat).SetString(text)
	if !ok {
		return parquet.Value{}, false
	}
	unscaled, ok := new(big.Int).SetString(strings.Replace(number.FloatString(t.scale), ".", "", 1), 10)
	limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(t.precision)), nil)
	if !ok || unscaled.CmpAbs(limit) >= 0 {
		return parquet.Value{}, false
	}
	if unscaled.Sign() < 0 { // two's complement
		unscaled.Add(unscaled, new(big.Int).Lsh(big.NewInt(1), uint(8*t.bytes())))
	}
	return parquet.FixedLenByteArrayValue(unscaled.FillBytes(make([]byte, t.bytes()))), true
}

var epoch = regexp.MustCompile(`^-?\d+(\.\d+)?$`)

// hiveTime reads a timestamp as the developer guide lists for the OpenX JSON
// SerDe: two texts with up to nine digits of fraction, and seconds (with a
// fraction, or not) or milliseconds since 1970.
func hiveTime(text string) (time.Time, bool) {
	if epoch.MatchString(text) {
		whole, fraction, _ := strings.Cut(text, ".")
		seconds, err := strconv.ParseInt(whole, 10, 64)
		if err != nil {
			return time.Time{}, false
		}
		if fraction == "" && (seconds >= 1e11 || seconds <= -1e11) { // years away as seconds
			return time.UnixMilli(seconds), true
		}
		nanos, err := strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
		return time.Unix(seconds, nanos), err == nil
	}
	for _, layout := range []string{"2006-01-02T15:04:05Z", "2006-1-2 15:04:05"} { // Go takes a fraction by itself
		if at, err := time.Parse(layout, text); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}

// int96 is a time as nanoseconds of a day and the day's Julian number.
func int96(at time.Time) deprecated.Int96 {
	const julianOf1970 = 2_440_588
	day := at.Unix() / (24 * 60 * 60)
	if at.Unix()%(24*60*60) < 0 {
		day--
	}
	nanos := uint64(at.Sub(time.Unix(day*24*60*60, 0)))
	return deprecated.Int96{uint32(nanos), uint32(nanos >> 32), uint32(day + julianOf1970)}
}
