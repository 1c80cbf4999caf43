package loader

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/millrace-cdk/millrace/spec"
)

// statement takes the rows out of events, where they are since this
// transaction or, of a duplicate, for longer: so what a table gets is always what events has,
// and sending events again fills a table that was declared later.
//
// The rows go in ordered by their key, so that two loaders wait for each other and never deadlock.
func statement(t spec.Table) (string, error) {
	names, values, err := taken(t)
	if err != nil {
		return "", err
	}
	key := quoteAll(t.KeyColumns())
	filter := ""
	if len(t.EventTypes) > 0 {
		filter = "\n  WHERE e.event_type IN (" + joinMap(t.EventTypes, literal) + ")"
	}

	distinct, order, resolve := "", key+", position", "NOTHING"
	switch t.Conflict {
	case spec.Update:
		distinct, order, resolve = "DISTINCT ON ("+key+") ", key+", position DESC", "UPDATE SET "+assignments(t, names)
	case spec.UpdateIfNewer:
		newer := quote(t.Newer)
		distinct = "DISTINCT ON (" + key + ") "
		order = key + ", " + newer + ` DESC, event_id COLLATE "C" DESC`
		resolve = "UPDATE SET " + assignments(t, names) + "\n" +
			`WHERE (old.` + newer + `, old.event_id COLLATE "C") < (excluded.` + newer + `, excluded.event_id COLLATE "C")`
	}
	return "INSERT INTO " + quote(t.Name) + " AS old (" + quoteAll(names) + ")\n" +
		"SELECT " + distinct + quoteAll(names) + "\n" +
		"FROM (\n  SELECT " + strings.Join(values, ", ") + ", i.position\n" +
		"  FROM unnest($1::text[]) WITH ORDINALITY AS i (id, position)\n" +
		"  JOIN events e ON e.event_id = i.id" + filter + "\n) AS r\n" +
		"ORDER BY " + order + "\n" +
		"ON CONFLICT (" + key + ") DO " + resolve, nil
}

// Fill returns the statement that takes the columns of t, which are not of its key, out of
// events anew, for rows that were written without one: before it was declared, or by the loader
// of the release before. Each row gets what the event has that it is of, whatever the conflict
// rule. It is for the master, after the deploy, and one transaction.
func Fill(t spec.Table) (string, error) {
	if err := t.Validate(); err != nil {
		return "", err
	}
	names, values, err := taken(t)
	if err != nil {
		return "", err
	}
	var set, old, excluded []string
	for _, name := range names[1:] { // the first is event_id
		if !slices.Contains(t.KeyColumns(), name) {
			set = append(set, quote(name)+" = excluded."+quote(name))
			old, excluded = append(old, "old."+quote(name)), append(excluded, "excluded."+quote(name))
		}
	}
	if len(set) == 0 {
		return "", fmt.Errorf("table %s: it has no column to fill that is not of its key", t.Name)
	}
	return "UPDATE " + quote(t.Name) + " AS old\nSET " + strings.Join(set, ", ") + "\n" +
		"FROM (\n  SELECT " + strings.Join(values, ", ") + "\n  FROM events e\n) AS excluded\n" +
		"WHERE old.event_id = excluded.event_id\n" +
		"  AND (" + strings.Join(old, ", ") + ") IS DISTINCT FROM (" + strings.Join(excluded, ", ") + ")", nil
}

// taken are the columns that are filled and their values in an event, event_id first.
func taken(t spec.Table) (names, values []string, err error) {
	names, values = []string{spec.EventIDColumn}, []string{"e.event_id"}
	for _, c := range t.Columns {
		if c.Retired {
			continue
		}
		value, err := expression(c)
		if err != nil {
			return nil, nil, fmt.Errorf("table %s: %w", t.Name, err)
		}
		names, values = append(names, c.Name), append(values, value+" AS "+quote(c.Name))
	}
	return names, values, nil
}

// expression is a column's value in an event. A number in a column of a time is
// milliseconds since 1970, as in occurred_at.
func expression(c spec.Column) (string, error) {
	steps, err := c.PathSteps()
	if err != nil {
		return "", err
	}
	path := "ARRAY[" + joinMap(steps, literal) + "]"
	text := "e.payload #>> " + path
	value := "(" + text + ")::" + c.Type
	switch c.Type {
	case "jsonb":
		value = "e.payload #> " + path
	case "timestamptz":
		value = "CASE jsonb_typeof(e.payload #> " + path + ") WHEN 'number' THEN to_timestamp((" + text + ")::numeric / 1000) ELSE " + value + " END"
	}
	if c.Default != "" {
		value = "COALESCE(" + value + ", " + literal(c.Default) + "::" + c.Type + ")"
	}
	return value, nil
}

func assignments(t spec.Table, names []string) string {
	var all []string
	for _, name := range names {
		if !slices.Contains(t.KeyColumns(), name) {
			all = append(all, quote(name)+" = excluded."+quote(name))
		}
	}
	return strings.Join(all, ", ")
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

func quoteAll(names []string) string { return joinMap(names, quote) }

func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

func joinMap(items []string, f func(string) string) string {
	mapped := make([]string, len(items))
	for i, item := range items {
		mapped[i] = f(item)
	}
	return strings.Join(mapped, ", ")
}
