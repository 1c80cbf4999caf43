package spec

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// What the transformer counts, in CloudWatch.
const (
	// TransformerNamespace is the namespace of the transformer's metrics.
	TransformerNamespace = "Millrace/Transformer"
	// TransformerFailedRecords counts the records that the transformer failed, by
	// DeliveryStreamName, and by DeliveryStreamName and Reason. While none fails
	// there is no data.
	TransformerFailedRecords = "FailedRecords"
)

// MaxTransformerBytes is how long an encoded Transformer may be. All environment
// variables of a function share 4 KB
// (https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html); the
// rest is left to other variables.
const MaxTransformerBytes = 3584

// Transformer is what the transformer obeys. The zero value puts each event on
// one line with its metadata, and changes nothing else.
//
// A path names a member of the event: JSON Pointer (RFC 6901), as in
// "/user/email". Where it meets an array, it goes on in each of the array's
// elements, for the steps that change the event; [Condition] and [PartitionKey],
// which need one value, do not look into arrays. Of two members with one name,
// changes meet both, and reading takes the last.
//
// The event's identity is not to be changed: no step may name event_id.
type Transformer struct {
	// CloudWatchLogs unpacks the gzip'd records that a CloudWatch Logs
	// subscription sends, into one event for each log event.
	//
	// Default: records are taken as they are.
	CloudWatchLogs *CloudWatchLogs `json:"cloudwatch_logs,omitempty"`
	// HashKeyARN names the Secrets Manager secret whose value is the key of every
	// Hash step: at least 32 bytes. It is read once, when the function starts.
	// Required by Hash.
	HashKeyARN string `json:"hash_key_arn,omitempty"`
	// Steps are done in their order. A record that a step fails goes to the error
	// prefix as it came; the rest of its batch goes on.
	Steps []Step `json:"steps,omitempty"`
}

// CloudWatchLogs unpacks records of a subscription filter
// (https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html).
// A log event becomes {"event_id", "occurred_at", "owner", "log_group",
// "log_stream", "message"}; control messages are dropped. A record that is not
// gzip is taken as an event.
type CloudWatchLogs struct {
	// MaxBytes is what one record may unpack to, in bytes. A record beyond it fails.
	//
	// Default: [DefaultUnpackedBytes].
	MaxBytes int `json:"max_bytes,omitempty"`
}

// DefaultUnpackedBytes bounds what one gzip'd record unpacks to: more would not
// fit in the function's response.
const DefaultUnpackedBytes = 6 * 1024 * 1024

// Step is one thing that is done to every event: exactly one member is set.
type Step struct {
	Validate  *Validate  `json:"validate,omitempty"`
	Drop      *Drop      `json:"drop,omitempty"`
	Remove    *Remove    `json:"remove,omitempty"`
	Redact    *Redact    `json:"redact,omitempty"`
	Hash      *Hash      `json:"hash,omitempty"`
	Timestamp *Timestamp `json:"timestamp,omitempty"`
	Add       *Add       `json:"add,omitempty"`
	Partition *Partition `json:"partition,omitempty"`
}

// Validate fails an event that does not follow a JSON Schema.
type Validate struct {
	// Schema is the schema: draft 2020-12, or the one that its $schema names.
	// References to other documents are not followed. Required.
	Schema json.RawMessage `json:"schema"`
}

// Drop drops an event for which all conditions hold.
type Drop struct {
	// When are the conditions. Required.
	When []Condition `json:"when"`
}

// Condition holds or not for an event. Exactly one of Equals, Prefix, Above,
// Below and Present is set. One that finds no value of the kind it asks about does not hold.
type Condition struct {
	// Path names the value. Required.
	Path string `json:"path"`
	// Equals holds if the value is one of these strings, numbers, booleans or
	// null. Numbers are compared as float64.
	Equals []any `json:"equals,omitempty"`
	// Prefix holds if the value is a string that begins so.
	Prefix string `json:"prefix,omitempty"`
	// Above holds if the value is a larger number.
	Above *float64 `json:"above,omitempty"`
	// Below holds if the value is a smaller number.
	Below *float64 `json:"below,omitempty"`
	// Present holds if there is a value, null included.
	Present bool `json:"present,omitempty"`
	// Not turns the condition around.
	Not bool `json:"not,omitempty"`
}

// Remove takes members out of the event.
type Remove struct {
	Paths []string `json:"paths"`
}

// Redact puts a text in the place of values.
type Redact struct {
	Paths []string `json:"paths"`
	// With is the text.
	//
	// Default: [DefaultRedaction].
	With string `json:"with,omitempty"`
}

// DefaultRedaction is what [Redact] writes.
const DefaultRedaction = "REDACTED"

// Hash puts "hmac-sha256:" and 64 hexadecimal digits in the place of values:
// HMAC-SHA-256 of what a string says, or of the JSON text of any other value.
// null stays.
type Hash struct {
	Paths []string `json:"paths"`
}

// Timestamp rewrites a point in time as RFC 3339 in UTC, a string with the digits of a second that it needs.
type Timestamp struct {
	// Path names it. An event without it is left as it is. Required.
	Path string `json:"path"`
	// Formats are tried in this order: "rfc3339"; "unix_s", "unix_ms", "unix_us"
	// or "unix_ns", a number or a string of digits; or a layout of Go's package time
	// ("02/Jan/2006:15:04:05 -0700").
	//
	// Default: rfc3339, then unix_ms.
	Formats []string `json:"formats,omitempty"`
	// Zone is the IANA time zone of layouts that have none.
	//
	// Default: UTC.
	Zone string `json:"zone,omitempty"`
	// KeepUnreadable leaves a value that no format reads as it is.
	//
	// Default: the record fails.
	KeepUnreadable bool `json:"keep_unreadable,omitempty"`
}

// Add adds one member to the event itself, as its last; one that has the name
// already is replaced. Exactly one of Value and From is set.
type Add struct {
	// Name is the member's name. Required.
	Name string `json:"name"`
	// Value is the same for every event.
	Value string `json:"value,omitempty"`
	// From is where each event's value comes from: "arrived_at", "stream",
	// "shard", "sequence", "sub_sequence" or "partition_key".
	From string `json:"from,omitempty"`
}

// Partition sets keys for dynamic partitioning, which the delivery's prefix
// names as !{partitionKeyFromLambda:NAME}
// (https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning.html).
type Partition struct {
	Keys []PartitionKey `json:"keys"`
}

// PartitionKey takes one key's value from the event. What is not a letter, a
// digit or one of "-_.~$&+=:@" is escaped as %XX, so that a value is never two folders.
type PartitionKey struct {
	// Name is the key's name: letters, digits and underscores. Required.
	Name string `json:"name"`
	// Path names the value, a string, a number or a boolean. Required.
	Path string `json:"path"`
	// Layout takes a date out of a value that is RFC 3339 or milliseconds since
	// 1970: a layout of Go's package time, in UTC ("2006-01-02").
	//
	// Default: the value as it is.
	Layout string `json:"layout,omitempty"`
	// Default is taken when there is no such value.
	//
	// Default: the record fails.
	Default string `json:"default,omitempty"`
}

// Schemas returns the schemas of the Validate steps. Whether they compile is for
// [github.com/millrace-cdk/millrace/spec/schema] to say.
func (t Transformer) Schemas() []json.RawMessage {
	var schemas []json.RawMessage
	for _, s := range t.Steps {
		if s.Validate != nil {
			schemas = append(schemas, s.Validate.Schema)
		}
	}
	return schemas
}

// ParsePath returns the names of the members that a path goes through.
func ParsePath(path string) ([]string, error) {
	names := strings.Split(path, "/")
	if len(names) < 2 || names[0] != "" || slices.Contains(names[1:], "") {
		return nil, fmt.Errorf(`path must be members' names, each after a slash ("/user/email"), got %q`, path)
	}
	for i, name := range names[1:] {
		if strings.Contains(strings.NewReplacer("~0", "", "~1", "").Replace(name), "~") {
			return nil, fmt.Errorf(`path must write "~" as "~0" and "/" in a name as "~1", got %q`, path)
		}
		names[i+1] = strings.NewReplacer("~1", "/", "~0", "~").Replace(name)
	}
	return names[1:], nil
}

// Growth is by how many bytes the steps may make an event's line longer than
// the event, our metadata member included, with one value for each path. A
// construct checks the processor's buffer size by it.
func (t Transformer) Growth() int {
	const (
		metadata = 192     // our member with an identity of usual length
		hash     = 12 + 64 // "hmac-sha256:" and the digits
		instant  = 37      // RFC 3339 with nanoseconds, quoted
		source   = 128     // the longest is a partition key, which has 256 characters at most and seldom so many
	)
	growth := metadata
	for _, s := range t.Steps {
		switch {
		case s.Redact != nil:
			growth += len(s.Redact.Paths) * max(len(s.Redact.With), len(DefaultRedaction))
		case s.Hash != nil:
			growth += len(s.Hash.Paths) * hash
		case s.Timestamp != nil:
			growth += instant
		case s.Add != nil:
			growth += len(s.Add.Name) + max(len(s.Add.Value), source) + len(`,"":""`)
		}
	}
	return growth
}
