package loader

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// record is one Kinesis record of a batch.
type record struct {
	stream, shard, sequence string
	arrivedAt               time.Time
	data                    []byte // as it came, or its base64 text
	encoded                 bool   // data is base64 text
}

// appendData appends the record's bytes to dst, decoded.
func (r record) appendData(dst []byte) ([]byte, error) {
	if !r.encoded {
		return append(dst, r.data...), nil
	}
	return base64.StdEncoding.AppendDecode(dst, r.data)
}

// fromEvent takes a batch in aws-lambda-go's types.
func fromEvent(batch events.KinesisEvent) []record {
	records := make([]record, len(batch.Records))
	for i, r := range batch.Records {
		shard, _, _ := strings.Cut(r.EventID, ":")
		records[i] = record{
			stream: streamName(r.EventSourceArn), shard: shard, sequence: r.Kinesis.SequenceNumber,
			arrivedAt: arrival(r.Kinesis.ApproximateArrivalTimestamp.Time), data: r.Kinesis.Data,
		}
	}
	return records
}

// streamName takes a stream's name out of its event source's ARN. A consumer
// with enhanced fan-out has an ARN that goes on: …:stream/orders/consumer/loader:1700000000.
func streamName(arn string) string {
	_, name, _ := strings.Cut(arn, "/")
	name, _, _ = strings.Cut(name, "/")
	return name
}

// arrival mends a time that Lambda gives as a fraction of seconds: a float64
// makes 476.999 milliseconds out of 477.
func arrival(t time.Time) time.Time { return t.Round(time.Millisecond).UTC() }

// decode reads the event that Lambda passes
// (https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html). encoding/json
// takes longer for it than Postgres for the rows in it, so what has exactly
// Lambda's shape is read by hand, and everything else by encoding/json.
func decode(payload []byte) ([]record, error) {
	s := scanner{text: payload}
	if records, ok := s.event(); ok {
		return records, nil
	}
	var batch events.KinesisEvent
	if err := json.Unmarshal(payload, &batch); err != nil {
		return nil, fmt.Errorf("decoding the Kinesis event: %w", err)
	}
	return fromEvent(batch), nil
}

// scanner reads JSON whose strings have no escapes. bad is set for everything
// that is not just as expected.
type scanner struct {
	text []byte
	i    int
	bad  bool

	arn    []byte // of the last record, and the name in it
	stream string
}

func (s *scanner) event() ([]record, bool) {
	// A record of Lambda's is over 400 bytes without its data.
	records := make([]record, 0, len(s.text)/512+1)
	found := 0
	s.object(func(key []byte) {
		if string(key) != "Records" {
			s.bad = true
			return
		}
		found++
		s.list('[', ']', func() { records = append(records, s.record()) })
	})
	s.space()
	return records, !s.bad && found == 1 && s.i == len(s.text)
}

func (s *scanner) record() record {
	r := record{encoded: true}
	var id, arn, sequence, seconds []byte
	s.object(func(key []byte) {
		switch string(key) {
		case "kinesis":
			s.object(func(key []byte) {
				switch string(key) {
				case "data":
					r.data = s.string()
				case "sequenceNumber":
					sequence = s.name()
				case "approximateArrivalTimestamp":
					seconds = s.number()
				default:
					s.skip()
				}
			})
		case "eventID":
			id = s.name()
		case "eventSourceARN":
			arn = s.name()
		default:
			s.skip()
		}
	})
	if s.bad || r.data == nil || sequence == nil || seconds == nil || id == nil || arn == nil {
		s.bad = true
		return record{}
	}
	if !bytes.Equal(arn, s.arn) || s.stream == "" {
		s.arn, s.stream = arn, streamName(string(arn))
	}
	r.stream = s.stream
	// eventID is shard:sequence: one string serves for both.
	var rest string
	r.shard, rest, _ = strings.Cut(string(id), ":")
	if r.sequence = rest; rest != string(sequence) {
		r.sequence = string(sequence)
	}
	epoch, err := strconv.ParseFloat(string(seconds), 64)
	s.bad = s.bad || err != nil || epoch < 0 || epoch > maxEpoch
	whole, fraction := math.Modf(epoch)
	r.arrivedAt = arrival(time.Unix(int64(whole), int64(fraction*float64(time.Second))))
	return r
}

// maxEpoch is the end of the year 9999 in seconds since 1970.
const maxEpoch = 253_402_300_799

func (s *scanner) object(member func(key []byte)) {
	s.list('{', '}', func() {
		key := s.string()
		if s.take(':'); !s.bad {
			member(key)
		}
	})
}

func (s *scanner) list(first, last byte, element func()) {
	s.take(first)
	if s.peek() == last {
		s.i++
		return
	}
	for !s.bad {
		element()
		if s.peek() != ',' {
			s.take(last)
			return
		}
		s.i++
	}
}

// string returns what stands between two quotes.
func (s *scanner) string() []byte {
	s.take('"')
	length := bytes.IndexByte(s.text[s.i:], '"')
	if s.bad || length < 0 {
		s.bad = true
		return nil
	}
	text := s.text[s.i : s.i+length]
	s.i += length + 1
	if bytes.IndexByte(text, '\\') >= 0 {
		s.bad = true
	}
	return text
}

// name returns a string of printable ASCII, of which encoding/json would change nothing.
func (s *scanner) name() []byte {
	text := s.string()
	for _, c := range text {
		s.bad = s.bad || c < ' ' || c > '~'
	}
	return text
}

func (s *scanner) number() []byte {
	s.space()
	start := s.i
	for s.i < len(s.text) && bytes.IndexByte([]byte("0123456789.eE+-"), s.text[s.i]) >= 0 {
		s.i++
	}
	return s.text[start:s.i]
}

// skip passes over a member that is not needed: those of Lambda are strings.
func (s *scanner) skip() { s.string() }

func (s *scanner) take(c byte) {
	if s.peek() != c {
		s.bad = true
		return
	}
	s.i++
}

// peek returns the next byte that is not whitespace, or 0.
func (s *scanner) peek() byte {
	s.space()
	if s.i == len(s.text) {
		return 0
	}
	return s.text[s.i]
}

func (s *scanner) space() {
	for s.i < len(s.text) {
		switch s.text[s.i] {
		case ' ', '\n', '\r', '\t':
			s.i++
		default:
			return
		}
	}
}
