package replay

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/millrace-cdk/millrace/lambdas/event"
)

// Record is one record as it lies in a [Source].
type Record struct {
	// Data is what the producer sent, as far as the source has it.
	Data []byte
	// Identity is the event's, as a lake's line says it. Empty: the source does not say.
	Identity string
	// Origin is where it arrived. Zero: the source does not say.
	Origin event.Origin
	// ArrivedAt is when it arrived.
	ArrivedAt time.Time
	// Approximate says that it arrived at ArrivedAt or before.
	Approximate bool
	// PartitionKey and ExplicitHashKey are those it was put with. Empty: the source does not say.
	PartitionKey, ExplicitHashKey string
	// Reason is why it lies there, in the source's words. Empty: for no bad one.
	Reason string
	// Refused says that the record itself was the reason, so that it would be refused again.
	Refused bool
	// Place names where it lies, the same each time.
	Place event.Origin
}

// Sink takes what a [Source] reads. It may be called by several goroutines.
type Sink interface {
	// Take accepts a record.
	Take(context.Context, Record) error
	// Broken counts what is no record that could be read.
	Broken(reason string)
	// Reached says that a place (an object, a shard) is read up to a position.
	Reached(place, position string)
}

// Source is where records lie.
type Source interface {
	// Name tells the source from every other.
	Name() string
	// Read passes all records to the sink. Done has what [Sink.Reached] was told in an earlier run.
	Read(ctx context.Context, done map[string]string, sink Sink) error
}

// Filter leaves records out. Its zero value leaves none out.
type Filter struct {
	// Since and Until bound the arrival, both inclusive. Zero: no bound.
	Since, Until time.Time
	// Reasons are beginnings of the reasons to take. With any, those that are left out for
	// a refusal are taken too.
	Reasons []string
	// Types are the event types to take.
	Types []string
}

func (f Filter) takes(r Record) bool {
	if !f.Since.IsZero() && r.ArrivedAt.Before(f.Since) || !f.Until.IsZero() && r.ArrivedAt.After(f.Until) {
		return false
	}
	return len(f.Reasons) == 0 || slices.ContainsFunc(f.Reasons, func(want string) bool { return strings.HasPrefix(r.Reason, want) })
}
