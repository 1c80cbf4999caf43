package corpus

import "strings"

const (
	// KeyPath leads to a key in the events of [Keys].
	KeyPath = "$.device_id"
	// DeepKeyPath leads to the same key.
	DeepKeyPath = "$.user.id"
	// KeyHeader is a header for one of [Headers].
	KeyHeader = "X-Device-Id"
)

// Key is a value in an event that a route may take a partition key or an explicit hash key from.
type Key struct {
	Name, JSON string
	// Batched and Keyed are as in [Event].
	Batched, Keyed Rewriting
}

// Keys are such values. Kinesis takes 1 to 256 characters as a partition key and a decimal number
// below 2^128 as an explicit hash key.
// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecord.html
func Keys() []Key {
	keys := []Key{
		{Name: "a number with a zero at its end", JSON: `1.10`, Batched: Respelled, Keyed: Respelled},
		{Name: "a number past a double's range", JSON: `1e400`, Batched: Lossy, Keyed: Lossy},
		{Name: "a number with an exponent", JSON: `1e10`, Batched: Respelled, Keyed: Respelled},
		{Name: "an integer past 2^53", JSON: `9007199254740993`},
		{Name: "a zero", JSON: `0`},
		{Name: "a negative zero", JSON: `-0`, Batched: Respelled, Keyed: Respelled},
		{Name: "a negative number", JSON: `-5`},
		{Name: "true", JSON: `true`},
		{Name: "false", JSON: `false`},
		{Name: "null", JSON: `null`},
		{Name: "an object", JSON: `{"a":"\"}"}`},
		{Name: "an empty object", JSON: `{}`},
		{Name: "an object with a length", JSON: `{"length":"17 m"}`},
		{Name: "a list", JSON: `["a",1]`},
		{Name: "an empty list", JSON: `[]`},
		{Name: "an escaped key", JSON: `"a\"b\\c\nd\u0000\/"`},
		{Name: "a lone surrogate", JSON: `"\ud83c"`, Batched: Lossy, Keyed: Lossy},
		{Name: "a delete and a C1 control", JSON: "\"\u007f\u0080\"", Batched: Respelled},
		{Name: "an astral character", JSON: `"🌍"`},
		{Name: "hash key 0", JSON: `"0"`},
		{Name: "the largest hash key", JSON: `"340282366920938463463374607431768211455"`},
		{Name: "a hash key of 2^128", JSON: `"340282366920938463463374607431768211456"`},
		{Name: "a hash key of as many digits as 2^128, and larger", JSON: `"999999999999999999999999999999999999999"`},
		{Name: "a hash key of as many digits as 2^128, and smaller", JSON: `"299999999999999999999999999999999999999"`},
		{Name: "a hash key of 2^128 as a number", JSON: `340282366920938463463374607431768211456`},
		{Name: "a hash key as a number", JSON: `170141183460469231731687303715884105728`},
		{Name: "a hash key with a sign", JSON: `"+1"`},
		{Name: "a hash key with zeros", JSON: `"0001"`},
		{Name: "a hash key of other digits", JSON: `"١٢٣"`},
	}
	for _, header := range Headers() {
		quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\t", `\t`).Replace(header.Value)
		keys = append(keys, Key{Name: header.Name, JSON: `"` + quoted + `"`, Batched: header.batched, Keyed: header.Keyed})
	}
	return keys
}

// Header is a header's value.
type Header struct {
	Name, Value string
	// Keyed is as in [Event].
	Keyed   Rewriting
	batched Rewriting // in an event
}

// Headers are values that HTTP lets through: no line ends, no control characters.
func Headers() []Header {
	long := func(n int) string { return strings.Repeat("k", n) }
	return []Header{
		{Name: "a plain value", Value: "device-17"},
		{Name: "an empty value", Value: ""},
		{Name: "a space", Value: "a b"},
		{Name: "a tab", Value: "a\tb"},
		{Name: "what ends a JSON string", Value: `"}`},
		{Name: "another record", Value: `k"},{"Data":"eA==","PartitionKey":"z`},
		{Name: "a backslash at the end", Value: `k\`},
		{Name: "backslashes", Value: `\\"\u0022\`},
		{Name: "an apostrophe", Value: `it's`},
		{Name: "a reference", Value: `$context.requestId ${input.body} $!x $`},
		{Name: "directives", Value: `#set($x = 1)#if(true)x#end ## #[[ ]]# #* *#`},
		{Name: "an unfinished directive", Value: `#if(`},
		{Name: "HTML", Value: `<script>&`},
		{Name: "a slash", Value: `a/b/../c`},
		{Name: "umlauts and an astral character", Value: "Zürich 🌍"},
		{Name: "a euro sign and U+2028", Value: "€\u2028", batched: Respelled},
		{Name: "255 characters", Value: long(255)},
		{Name: "256 characters", Value: long(256)},
		{Name: "257 characters", Value: long(257)},
		{Name: "5,000 characters", Value: long(5000)},
		{Name: "an astral character as the 255th and 256th UTF-16 unit", Value: long(254) + "🌍"},
		{Name: "an astral character as the 256th and 257th UTF-16 unit", Value: long(255) + "🌍", Keyed: Lossy},
		{Name: "an astral character as the 257th and 258th UTF-16 unit", Value: long(256) + "🌍"},
		{Name: "256 astral characters", Value: strings.Repeat("🌍", 256)},
		{Name: "257 astral characters", Value: strings.Repeat("🌍", 257)},
		{Name: "an escape at the limit", Value: long(255) + `"}`},
		{Name: "a backslash at the limit", Value: long(255) + `\\`},
		{Name: "a decimal number", Value: "170141183460469231731687303715884105728"},
	}
}
