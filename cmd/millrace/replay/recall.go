package replay

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"time"

	"github.com/millrace-cdk/millrace/lambdas/event"
)

const (
	// exactly is how far an arrival that was written down may be off: both are in milliseconds.
	exactly = time.Millisecond
	// together is how far apart two arrivals may be that are looked for in one go.
	together = time.Minute
)

// digest tells records apart by their bytes. Whitespace around them does not
// count: a backup has nothing that would tell whose it is.
type digest [sha256.Size]byte

func digestOf(data []byte) digest { return sha256.Sum256(bytes.TrimSpace(data)) }

// wanted is a record whose origin is looked for.
type wanted struct {
	Record
	from, to time.Time // when it arrived, inclusive
	found    bool
}

// recall sends the events whose identity is their origin, though the source did
// not say it, as the stream has them. A stream may have the same bytes several
// times; all of those that are meant are sent, since each is an event of its own
// and stays one by its origin. With a Loader there is no stream to look into.
func (r *run) recall(ctx context.Context) error {
	all := make([]*wanted, len(r.missing))
	var exact []*wanted
	for i, record := range r.missing {
		all[i] = &wanted{Record: record, from: record.ArrivedAt.Add(-exactly), to: record.ArrivedAt.Add(exactly)}
		if !record.Approximate {
			exact = append(exact, all[i])
		}
	}
	r.missing, r.held = nil, 0
	if err := r.find(ctx, exact); err != nil {
		return err
	}
	// AWS documents the time in an error object as that of the arrival at Firehose, which reads later.
	var rest []*wanted
	for _, w := range all {
		if !w.found {
			w.from, w.to = w.ArrivedAt.Add(-r.Lookback), w.ArrivedAt.Add(exactly)
			rest = append(rest, w)
		}
	}
	if err := r.find(ctx, rest); err != nil {
		return err
	}
	for _, w := range rest {
		if err := r.unknown(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

// unknown is what becomes of an event that the stream does not have any more.
func (r *run) unknown(ctx context.Context, w *wanted) error {
	switch {
	case w.found:
		return nil
	case !r.AsNew:
		r.report.fail("the origin of an event without event_id is not to be found", 1)
		return nil
	}
	e, err := event.Parse(w.Data)
	if err != nil {
		return err // it was parsed before
	}
	w.Origin = w.Place
	if id := w.Place.String(); len(id) > event.MaxTextBytes {
		w.Origin = event.Origin{Stream: fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(id)))}
	}
	return r.send(ctx, e, w.Record)
}

// find sends what the stream has of the wanted records.
func (r *run) find(ctx context.Context, list []*wanted) error {
	byDigest := make(map[digest][]*wanted, len(list))
	for _, w := range list {
		d := digestOf(w.Data)
		byDigest[d] = append(byDigest[d], w)
	}
	slices.SortFunc(list, func(a, b *wanted) int { return a.from.Compare(b.from) })
	for r.Stream != nil && len(list) > 0 {
		n, to := 1, list[0].to
		for n < len(list) && list[n].from.Before(to.Add(together)) {
			if list[n].to.After(to) {
				to = list[n].to
			}
			n++
		}
		from := list[0].from
		list = list[n:]
		err := r.Stream.scan(ctx, window{from: from, to: to}, nil, func(_ string, page []Record, _ string) error {
			for _, record := range page {
				if err := r.match(ctx, byDigest[digestOf(record.Data)], record); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// match sends a record of the stream if it is wanted.
func (r *run) match(ctx context.Context, candidates []*wanted, record Record) error {
	meant := false
	for _, w := range candidates {
		if !record.ArrivedAt.Before(w.from) && !record.ArrivedAt.After(w.to) {
			w.found, meant = true, true
		}
	}
	if !meant {
		return nil
	}
	e, err := event.Parse(record.Data)
	if err != nil {
		return err // it is the same as one that was parsed before
	}
	return r.send(ctx, e, record)
}
