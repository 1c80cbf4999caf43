// Package corpus is what the mapping templates of an IngestApi must withstand: what a client may
// send and what Kinesis may answer. It breaks a template that splices what a client sent, and an engine
// that reads JSON by another language's rules.
package corpus

import "strings"

// Rewriting is what an engine that parses an event, as it must in a batch, makes of its text.
// API Gateway parses by Java's libraries (see package velocity), the laptop by JavaScript's.
type Rewriting int

const (
	// Agreed is that the engines write the same bytes: white space between tokens goes, and so do escapes
	// that need not be.
	Agreed Rewriting = iota
	// Respelled is that a number or an escape of the same value is written otherwise (1.10 as 1.1,
	// "€" as "\u20AC"): what is read from it is the same, in the same order.
	Respelled
	// Reordered is that the laptop puts keys that look like small integers first.
	Reordered
	// Lossy is that Java has no such value: a number past a double's range is null, and half
	// a surrogate pair a question mark.
	Lossy
)

// Event is the body of a single event: a JSON object with at least one member.
type Event struct {
	Name, Body string
	// Batched is what happens to it in a batch. Alone, an event keeps every byte.
	Batched Rewriting
	// Keyed is what happens to its key, single or in a batch.
	Keyed Rewriting
}

// Events are bodies of single events, and, joined, the events of a batch.
func Events() []Event {
	events := []Event{
		{Name: "an earthquake", Body: `{"event_id":"us7000abcd","event_type":"earthquake","occurred_at":1700000000000,"properties":{"mag":6.1}}`},
		{Name: "white space", Body: " {\n\t\"spaces\" :  [ 1 , 2 ] ,\r\n \"kept\":true }\n"},
		{Name: "quotes and backslashes", Body: `{"quotes":"a\"b","backslash":"a\\b\\","apostrophe":"it's","both":"\\\""}`},
		{Name: "an escaped slash", Body: `{"slash":"a\/b"}`},
		{Name: "line ends and tabs", Body: `{"newlines":"a\nb\r\nc","tab":"\t","others":"\b\f"}`},
		{Name: "control characters", Body: `{"control":"\u0000\u001f\u0001"}`, Batched: Respelled},
		{Name: "delete and C1 controls", Body: "{\"delete\":\"\u007f\u0080\u009f\"}", Batched: Respelled},
		{Name: "references", Body: `{"dollar":"$input.body $context.requestId ${x} $!{y} $ $$ \\$x","$x":"$util.base64Encode($input.body)"}`},
		{Name: "hashes", Body: `{"hash":"# ## #* *# #[[ ]]# #{end} #@m()"}`},
		{Name: "directives", Body: `{"vtl":"#set($x = 1)#if(true)#else#end #foreach($i in [1..9])$i#end #stop #break #include('x') #parse('y') #evaluate('z') #macro(a)"}`},
		{Name: "directives in keys", Body: `{"#set($a = 1)":"$a","$input.json('$')":"#end","a\"b":"\"}","#end":"#else","${context.requestId}":1}`},
		{Name: "what ends a JSON string", Body: `{"breakout":"\"}","more":"\"},{\"Data\":\"eA==\",\"PartitionKey\":\"z\"}]}","k":"k\",\"ExplicitHashKey\":\"0"}`},
		{Name: "U+2028", Body: "{\"separators\":\"\u2028\u2029\"}", Batched: Respelled},
		{Name: "an escaped U+2028", Body: `{"escaped":"\u2028\u2029"}`, Batched: Respelled},
		{Name: "Latin, kanji and an astral character", Body: `{"unicode":"Zürich 東京 🌍","escaped":"Z\u00fcrich \ud83c\udf0d"}`},
		{Name: "a euro sign", Body: `{"price":"10 €"}`, Batched: Respelled},
		{Name: "a byte order mark", Body: "{\"bom\":\"\ufeffx\"}"},
		{Name: "a noncharacter", Body: "{\"last\":\"\uffff\ufffd\"}"},
		{Name: "a lone high surrogate", Body: `{"half":"a\ud83cb"}`, Batched: Lossy},
		{Name: "a lone low surrogate", Body: `{"half":"\udf0d"}`, Batched: Lossy},
		{Name: "a pair the wrong way round", Body: `{"half":"\udf0d\ud83c"}`, Batched: Lossy},
		{Name: "integers past 2^53", Body: `{"big":9007199254740993,"bigger":123456789012345678901234567890,"negative":-9007199254740993,"long":9223372036854775807}`},
		{Name: "zeros", Body: `{"zero":0,"float":0.0,"negative":-0.0}`},
		{Name: "a negative zero", Body: `{"negative":-0}`, Batched: Respelled},
		{Name: "a decimal with a zero at its end", Body: `{"price":1.10}`, Batched: Respelled},
		{Name: "an exponent", Body: `{"tiny":1e-7,"large":1E+30}`, Batched: Respelled},
		{Name: "more digits than a double has", Body: `{"digits":3.14159265358979323846264338327950288}`},
		{Name: "a number past a double's range", Body: `{"huge":1e400}`, Batched: Lossy},
		{Name: "null, empty objects and lists", Body: `{"null":null,"nested":{"null":null,"list":[null,[null,{}],{"a":{"b":null}}]},"empty":{},"none":[]}`},
		{Name: "empty strings", Body: `{"":"","empty":""," ":" "}`},
		{Name: "empty keys, nested", Body: `{"":{"":{"":[]}}}`},
		{Name: "true and false", Body: `{"true":true,"false":false}`},
		{Name: "keys of paths and of JavaScript", Body: `{"a.b":1,"a[0]":2,"a'b":3,"*":4,"..":5,"@":6,"length":7,"__proto__":8,"constructor":9,"events":[{"x":1}]}`},
		{Name: "keys that are integers", Body: `{"b":1,"2":2,"1":3}`, Batched: Reordered},
		{Name: "equal keys", Body: `{"a":1,"a":{"b":2},"a":"last"}`},
		{Name: "members of Kinesis", Body: `{"PartitionKey":"mine","Data":"eA==","StreamName":"other","StreamARN":"arn:aws:kinesis:eu-west-1:1:stream/other","ExplicitHashKey":"0"}`},
		{Name: "HTML and percent signs", Body: `{"html":"<script>&amp;</script>","percent":"%7B%22"}`},
		{Name: "a deep event", Body: `{"deep":` + strings.Repeat(`[{"a":`, 150) + `1` + strings.Repeat(`}]`, 150) + `}`},
		{Name: "a long string", Body: `{"long":"` + strings.Repeat(`$#\"`, 5_000) + `"}`},
		{Name: "a wide event", Body: `{` + strings.Repeat(`"a":"b",`, 1_000) + `"z":0}`},
	}
	for _, key := range Keys() {
		events = append(events, Event{Name: "keyed by " + key.Name, Body: `{"device_id":` + key.JSON + `,"user":{"id":` + key.JSON + `}}`, Batched: key.Batched, Keyed: key.Keyed})
	}
	return events
}
