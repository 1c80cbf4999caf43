package soak

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/millrace-cdk/millrace/lambdas/kpl/kpltest"
	"github.com/millrace-cdk/millrace/spec"
)

// tables are declared beside events: of one, the newest state of a device
// stays; of the other, each event is a row, if its value is a number.
func tables() []spec.Table {
	return []spec.Table{
		{
			Name: "devices", EventTypes: []string{"state"}, Key: []string{"device"}, Conflict: spec.UpdateIfNewer, Newer: "at",
			Columns: []spec.Column{{Name: "device", Type: "text"}, {Name: "at", Type: "bigint"}, {Name: "level", Type: "numeric", Nullable: true, Path: "$.more['le vel'][0]"}},
		},
		{
			Name: "readings", EventTypes: []string{"reading"},
			Columns: []spec.Column{{Name: "value", Type: "numeric"}, {Name: "unit", Type: "text", Default: "°C"}},
		},
	}
}

// posted is one event as it was posted, and what is to become of it.
type posted struct {
	data       string
	id         string // empty: the place where it arrives
	kind       string
	occurredAt int64
	poison     bool
	device     string // of a state
	at         int
	value      int // of a reading
}

// record is one Kinesis record: one event, or several that the KPL packed.
type record struct {
	shard    int
	sequence string
	arrived  time.Time
	events   []posted
	packed   bool
}

const stream = "soak"

func (r record) shardID() string { return fmt.Sprintf("shardId-%012d", r.shard) }

// origin is the identity of the record's event i, if it has none itself.
func (r record) origin(i int) string {
	origin := stream + "/" + r.shardID() + "/" + r.sequence
	if i > 0 {
		origin += fmt.Sprintf("/%d", i)
	}
	return origin
}

func (r record) data() []byte {
	if !r.packed {
		return []byte(r.events[0].data)
	}
	data := make([]string, len(r.events))
	for i, e := range r.events {
		data[i] = e.data
	}
	return kpltest.Aggregate(data...)
}

func (r record) lambda() events.KinesisEventRecord {
	return events.KinesisEventRecord{
		EventID:        r.shardID() + ":" + r.sequence,
		EventSourceArn: "arn:aws:kinesis:eu-west-1:111122223333:stream/" + stream,
		Kinesis: events.KinesisRecord{
			Data: r.data(), SequenceNumber: r.sequence, PartitionKey: "key", KinesisSchemaVersion: "1.0",
			ApproximateArrivalTimestamp: events.SecondsEpochTime{Time: r.arrived},
		},
	}
}

// post draws count events and the records that carry them, each shard's in its
// order. A part of the events is posted twice.
func post(random *rand.Rand, round, count, shards int) [][]record {
	byShard := make([][]record, shards)
	sequence := 0
	add := func(packed bool, events ...posted) {
		shard := random.IntN(shards)
		sequence++
		byShard[shard] = append(byShard[shard], record{
			shard: shard, sequence: fmt.Sprintf("%d%050d", 10_000+round, sequence), events: events, packed: packed,
			arrived: time.UnixMilli(1_767_323_045_678 + int64(sequence)).UTC(),
		})
	}
	var twice []posted
	for i := 0; i < count; {
		if random.IntN(40) == 0 {
			var pack []posted
			for range min(2+random.IntN(20), count-i) {
				pack = append(pack, draw(random, round, i))
				i++
			}
			add(true, pack...)
			continue
		}
		e := draw(random, round, i)
		i++
		add(false, e)
		if e.id != "" && !e.poison && random.IntN(20) == 0 {
			twice = append(twice, e)
		}
		if len(twice) > 0 && random.IntN(30) == 0 {
			add(false, twice[0])
			twice = twice[1:]
		}
	}
	for _, e := range twice {
		add(false, e)
	}
	return byShard
}

var text = strings.Repeat("0123456789 abcdefghi ", 26)

func draw(random *rand.Rand, round, i int) posted {
	e := posted{id: fmt.Sprintf("e-%d-%d-%x", round, i, random.Uint32()), kind: "plain", occurredAt: 1_767_323_000_000 + int64(i)}
	more := fmt.Sprintf(`"n":%d.10,"text":%q`, i, text[:random.IntN(len(text))])
	switch chance := random.IntN(100); {
	case chance < 15:
		e.kind, e.device, e.at = "state", fmt.Sprintf("d-%d", random.IntN(50)), random.IntN(30)
		more += fmt.Sprintf(`,"device":%q,"at":%d,"more":{"le vel":[%d]}`, e.device, e.at, i)
	case chance < 25:
		e.kind, e.value = "reading", i
		more += fmt.Sprintf(`,"value":"%d"`, i)
	case chance < 35:
		e.id = ""
	case chance < 38:
		e.poison = true
		bad := []string{`"x":"\u0000"`, `"x":"\ud800"`, `"x":1e999999`, `"event_type":"reading","value":"warm"`, `"event_type":"reading"`, `"event_type":"state","device":"d","at":99999999999999999999`}
		more += "," + bad[random.IntN(len(bad))]
	case chance < 39:
		e.poison = true
		e.data = []string{"not JSON", `["no object"]`, "\xff\xfe", ""}[random.IntN(4)]
		return e
	}
	e.data = fmt.Sprintf(`{"event_type":%q,"occurred_at":%d,%s}`, e.kind, e.occurredAt, more)
	if e.id != "" {
		e.data = fmt.Sprintf(`{"event_id":%q,`, e.id) + e.data[1:]
	}
	return e
}
