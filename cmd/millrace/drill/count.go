package drill

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// found is what is at rest of a drill's events.
type found struct{ lost, duplicated, again, aside int }

// look counts, by looking, where the events came to rest that p's API accepted.
func (l *line) look(ctx context.Context, p *producer) (f found, err error) {
	if err := l.lake.Refresh(ctx); err != nil {
		return f, err
	}
	lines := map[int]int{}
	for _, line := range l.lake.Lines {
		if n, ok := numberOf(line.Text, p.drill); ok {
			lines[n]++
		}
	}
	db, err := l.connect(ctx)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, db.Close(context.WithoutCancel(ctx))) }()
	rows, err := numbers(ctx, db, "SELECT convert_to(payload::text, 'UTF8') FROM events WHERE payload->>'drill' = $1", p.drill, p.drill)
	if err != nil {
		return f, err
	}
	aside, err := numbers(ctx, db, "SELECT data FROM quarantine", p.drill)
	if err != nil {
		return f, err
	}
	return p.compare(lines, rows, aside), nil
}

// compare judges by how often each event is in the lake, in the table and in quarantine.
func (p *producer) compare(lines, rows, aside map[int]int) (f found) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for n := range p.accepted {
		poison := p.note != nil && p.note(n) != ""
		stored := rows[n] > 0
		if poison {
			stored = aside[n] > 0
			f.aside += min(aside[n], 1)
		}
		if !stored || lines[n] == 0 {
			f.lost++
		}
	}
	for _, count := range rows {
		f.duplicated += count - 1
	}
	for _, count := range lines {
		f.again += count - 1
	}
	return f
}

// numbers counts a drill's events in what a query returns.
func numbers(ctx context.Context, db *pgx.Conn, query, drill string, arguments ...any) (map[int]int, error) {
	rows, err := db.Query(ctx, query, arguments...)
	if err != nil {
		return nil, fmt.Errorf("reading what is stored: %w", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
	if err != nil {
		return nil, fmt.Errorf("reading what is stored: %w", err)
	}
	counts := map[int]int{}
	for _, text := range all {
		if n, ok := numberOf(text, drill); ok {
			counts[n]++
		}
	}
	return counts, nil
}

// numberOf is an event's number, if it is of that drill.
func numberOf(text []byte, drill string) (n int, ok bool) {
	if !bytes.Contains(text, []byte(drill)) {
		return 0, false
	}
	var e event
	if json.Unmarshal(text, &e) != nil || e.Drill != drill {
		return 0, false
	}
	return e.N, true
}
