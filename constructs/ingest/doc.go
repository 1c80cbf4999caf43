// Package ingest is the pipeline's front door: HTTPS in, Kinesis records out.
//
// [IngestApi] is an Amazon API Gateway REST API that writes to a stream by
// service integration: no Lambda function stands between client and stream.
//
//	POST /events        one JSON object       -> PutRecord
//	POST /events/batch  {"events":[…]}, 1-500 -> PutRecords
//	GET  /health        where asked for       -> {"status":"ok"}, without a call
//
// One API may have several [Route] values, each for one stream; no client names a stream.
//
// A single event becomes a record byte for byte. API Gateway renders the events
// of a batch anew from what it parsed: values stay, but spaces and the spelling
// of numbers and escapes are the template engine's, and of a member that stands
// twice in an object one stays. How AWS's engine spells numbers beyond double
// precision is not documented: a client that needs those digits posts single events.
//
// # What a client sees
//
//	202 {"accepted":N,"request_id":"…"}                                  all stored
//	207 {"accepted":N,"failed":M,"request_id":"…","results":[…]}         some stored: send those with "retryable":true again
//	4xx, 5xx {"error":{"code":"…","message":"…","request_id":"…"}}       nothing known to be stored
//
// A result is {"index":I,"status":202|429|503,"error":null|"throttled"|"unavailable","retryable":B},
// one an event, in the order of the request. 503 and 429 carry Retry-After in seconds, but for the 429 of a quota
// that is used up. [IngestApiProps.Failures] lists every error.
//
// # Partition keys
//
// A route takes an event's key from the first [KeySource] that has one: a member of the event, a header, else the request id
// (in a batch with the event's index). A text that is not empty is a key, and so is a number or a boolean as API Gateway writes
// it; null, objects and arrays are none. Of a longer key the first 256 UTF-16 units count, and half a surrogate
// pair is replaced. An explicit hash key that is not 0|([1-9]\d{0,38}) and below 2^128 is left out.
// Kinesis counts the key's bytes with the event's: both together may have 1 MiB.
//
// The mapping templates are the .vtl files in templates/.
package ingest
