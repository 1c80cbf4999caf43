package loader

import (
	"context"
	"slices"
)

// outcome is what became of rows.
type outcome struct {
	stored   int // rows that are at rest
	inserted int // those that were not before
	poison   []Reject
	err      error // of the others
	failed   int   // the record of the first of them
}

func (o *outcome) add(other outcome) {
	o.stored += other.stored
	o.inserted += other.inserted
	o.poison = append(o.poison, other.poison...)
	o.err, o.failed = other.err, other.failed
}

// insert stores the rows of b while it parses them.
func (l *Loader) insert(ctx context.Context, b *batch) outcome {
	if !b.hasRows() {
		return outcome{}
	}
	inserted, err := l.Store.Insert(ctx, b.all)
	b.parseAll()
	if err == nil || Retryable(err) {
		return settle(b.rows, inserted, err)
	}
	rest, poison := l.inspect(ctx, b.rows)
	if len(poison) == 0 {
		return l.isolate(ctx, rest, err)
	}
	all := outcome{poison: poison}
	if len(rest) > 0 {
		all.add(l.try(ctx, rest))
	}
	return all
}

// inspect takes out of rows what the store can tell to be poison by a look.
func (l *Loader) inspect(ctx context.Context, rows []Row) (rest []Row, poison []Reject) {
	inspector, ok := l.Store.(Inspector)
	if !ok {
		return rows, nil
	}
	reasons, err := inspector.Inspect(ctx, rows)
	if err != nil {
		// A Postgres before 16, a look that found too much, or the connection: halving tells.
		return rows, nil
	}
	for i, row := range rows {
		if reason, found := reasons[i]; found {
			poison = append(poison, Reject{Reason: reason, Source: row.Source})
		} else {
			rest = append(rest, row)
		}
	}
	return rest, poison
}

// try stores rows, or those of them that can be.
func (l *Loader) try(ctx context.Context, rows []Row) outcome {
	inserted, err := l.Store.Insert(ctx, slices.Values(rows))
	if err == nil || Retryable(err) {
		return settle(rows, inserted, err)
	}
	return l.isolate(ctx, rows, err)
}

// isolate stores rows that hold poison, of which the store said err. It halves
// them until the poison stands alone.
func (l *Loader) isolate(ctx context.Context, rows []Row, err error) outcome {
	if len(rows) == 1 {
		return outcome{poison: []Reject{{Reason: reason(err), Source: rows[0].Source}}}
	}
	half := len(rows) / 2
	all := l.try(ctx, rows[:half])
	if all.err == nil {
		all.add(l.try(ctx, rows[half:]))
	}
	return all
}

// settle is what became of rows that were stored as a whole, or not at all.
func settle(rows []Row, inserted int, err error) outcome {
	if err != nil {
		return outcome{err: err, failed: rows[0].Source.index}
	}
	return outcome{stored: len(rows), inserted: inserted}
}
