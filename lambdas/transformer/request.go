package transformer

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// request is what Firehose sends, read in one pass without decoding the data.
// aws-lambda-go's events.KinesisFirehoseEvent is the same with copies, and refuses
// the whole batch for one subsequenceNumber that is a string.
type request struct {
	invocation string
	delivery   string // the delivery stream's name
	source     string // the Kinesis stream's name
	records    []incoming
	text       []byte // the records' texts, one after another: one string for all
}

// incoming is one record. It has no pointers, so that thousands of them are
// nothing to the garbage collector.
type incoming struct {
	id   span // of the payload: the JSON string as it came, with its quotes; it goes back the same
	data span // of the payload: what stands between the quotes

	shard, sequence, partitionKey span  // of the text
	subSequence                   int64 // -1: not readable
	arrivedAt                     int64 // milliseconds since 1970; 0: not readable
}

// span is a part of a text.
type span struct{ from, to int }

// of returns the part of text that s is.
func of[T []byte | string](text T, s span) T { return text[s.from:s.to] }

var (
	errSubSequence = &Error{Reason: "BadMetadata", Err: errors.New("the record's subsequenceNumber is not readable")}
	errArrival     = &Error{Reason: "BadMetadata", Err: errors.New("the record's approximateArrivalTimestamp is not readable")}
)

// fault is what the record fails with, whatever its data.
func (in *incoming) fault() error {
	switch {
	case in.subSequence < 0: // two events would get one identity
		return errSubSequence
	case in.arrivedAt == 0:
		return errArrival
	}
	return nil
}

// read fills r from payload, reusing what r has. Members that it does not know are skipped.
func (r *request) read(payload []byte) (err error) {
	*r = request{records: r.records[:0], text: r.text[:0]}
	c := cursor{src: payload}
	defer func() {
		if c.bad {
			err = fmt.Errorf("reading Firehose's request: it is malformed at byte %d", c.i+1)
		}
	}()
	for first := true; ; first = false {
		name, more := c.member(first)
		if !more {
			break
		}
		switch string(name) {
		case "invocationId":
			r.invocation = string(c.text())
		case "deliveryStreamArn":
			r.delivery = resourceName(string(c.text()))
		case "sourceKinesisStreamArn":
			r.source = resourceName(string(c.text()))
		case "records":
			r.readRecords(&c)
		default:
			c.skip()
		}
	}
	c.end()
	return nil
}

func (r *request) readRecords(c *cursor) {
	r.records = r.records[:0] // of two members with one name the last counts
	if c.null() {
		return
	}
	for first := true; c.element(first); first = false {
		r.records = append(r.records, incoming{})
		r.readRecord(c, &r.records[len(r.records)-1])
	}
}

func (r *request) readRecord(c *cursor, in *incoming) {
	var inStream int64
	for first := true; ; first = false {
		name, more := c.member(first)
		if !more {
			break
		}
		switch string(name) {
		case "recordId":
			in.id, _ = c.string()
			if !utf8.Valid(of(c.src, in.id)) {
				c.bad = true
			}
		case "data":
			in.data = c.data()
		case "approximateArrivalTimestamp":
			in.arrivedAt = readTime(c.scalar())
		case "kinesisRecordMetadata":
			inStream = r.readMetadata(c, in)
		default:
			c.skip()
		}
	}
	if inStream > 0 {
		in.arrivedAt = inStream
	}
	if in.id == (span{}) { // nothing can be answered for it
		c.bad = true
	}
}

func (r *request) readMetadata(c *cursor, in *incoming) (arrivedAt int64) {
	if c.null() {
		return 0
	}
	for first := true; ; first = false {
		name, more := c.member(first)
		if !more {
			return arrivedAt
		}
		switch string(name) {
		case "shardId":
			in.shard = r.keep(c.text())
		case "partitionKey":
			in.partitionKey = r.keep(c.text())
		case "sequenceNumber":
			in.sequence = r.keep(c.scalar())
		case "subsequenceNumber":
			in.subSequence = readCount(c.scalar())
		case "approximateArrivalTimestamp":
			arrivedAt = readTime(c.scalar())
		default:
			c.skip()
		}
	}
}

func (r *request) keep(text []byte) span {
	from := len(r.text)
	r.text = append(r.text, text...)
	return span{from, len(r.text)}
}

// resourceName returns what follows the slash in an ARN such as
// arn:aws:kinesis:eu-west-1:111122223333:stream/orders.
func resourceName(arn string) string {
	_, name, _ := strings.Cut(arn, "/")
	return name
}

// readCount reads a number that is 0 when left empty, as AWS's sample events have
// it, and -1 when it is not readable.
func readCount(text []byte) int64 {
	if len(text) == 0 {
		return 0
	}
	n, ok := readInteger(text)
	if !ok || n < 0 {
		return -1
	}
	return n
}

// readTime reads milliseconds since 1970, or RFC 3339 text: AWS's samples have
// both. 0: it is neither.
func readTime(text []byte) int64 {
	if milliseconds, ok := readInteger(text); ok {
		return max(0, milliseconds)
	}
	if milliseconds, err := strconv.ParseFloat(string(text), 64); err == nil && milliseconds > 0 && milliseconds < 1e15 {
		return int64(milliseconds)
	}
	t, err := time.Parse(time.RFC3339Nano, string(text))
	if err != nil {
		return 0
	}
	return max(0, t.UnixMilli())
}

func readInteger(text []byte) (n int64, ok bool) {
	for _, c := range text {
		if c < '0' || c > '9' || len(text) > 18 { // not the usual few digits
			n, err := strconv.ParseInt(string(text), 10, 64)
			return n, err == nil
		}
		n = n*10 + int64(c-'0')
	}
	return n, len(text) > 0
}
