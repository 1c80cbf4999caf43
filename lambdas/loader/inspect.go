package loader

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/millrace-cdk/millrace/spec"
)

// inspectPayloads asks Postgres, from 16 on, which texts are no jsonb
// (https://www.postgresql.org/docs/17/functions-info.html#FUNCTIONS-INFO-VALIDITY).
const inspectPayloads = `
SELECT i.position - 1, info.sql_error_code, info.message, coalesce(info.detail, '')
FROM unnest($1::text[]) WITH ORDINALITY AS i (payload, position), pg_input_error_info(i.payload, 'jsonb') AS info
WHERE info.sql_error_code IS NOT NULL`

// inspection asks which events have a value that is none of its column's type
// in t, or none where there has to be one.
func inspection(t spec.Table) (string, error) {
	var values []string
	for _, c := range t.Columns {
		steps, err := c.PathSteps()
		if err != nil {
			return "", fmt.Errorf("table %s: %w", t.Name, err)
		}
		if c.Retired {
			continue
		}
		kind, path := c.Type, "ARRAY["+joinMap(steps, literal)+"]"
		text := "e.payload #>> " + path
		if c.Type == "timestamptz" { // a number is one too
			kind = "text"
		}
		values = append(values, fmt.Sprintf("(%s, '%s', %s, %t)", literal(c.Name), kind, text, c.Nullable || c.Default != ""))
	}
	filter := ""
	if len(t.EventTypes) > 0 {
		filter = " AND e.event_type IN (" + joinMap(t.EventTypes, literal) + ")"
	}
	return `
SELECT e.position - 1, coalesce(info.sql_error_code, '23502'), coalesce(info.message, 'null value'), ` + literal("table "+t.Name+", column ") + ` || c.name
FROM unnest($1::jsonb[], $2::text[]) WITH ORDINALITY AS e (payload, event_type, position),
  LATERAL (VALUES ` + strings.Join(values, ", ") + `) AS c (name, type, value, nullable),
  LATERAL pg_input_error_info(c.value, c.type) AS info
WHERE (info.sql_error_code IS NOT NULL OR c.value IS NULL AND NOT c.nullable)` + filter, nil
}

// Inspect tells poison by its text, all of it in one statement a table.
func (p *Postgres) Inspect(ctx context.Context, rows []Row) (reasons map[int]string, err error) {
	reasons = map[int]string{}
	payloads := make([]string, len(rows))
	for i, row := range rows {
		payloads[i] = string(row.Payload)
	}
	err = p.use(ctx, "inspecting events", func(conn connection) error {
		if err := collect(ctx, conn, reasons, inspectPayloads, payloads); err != nil {
			return err
		}
		types := make([]string, len(rows))
		for i, row := range rows {
			types[i] = row.Type
			if _, found := reasons[i]; found {
				payloads[i], types[i] = "{}", "" // it is out already
			}
		}
		poison := map[int]string{}
		for _, sql := range p.inspections {
			if err := collect(ctx, conn, poison, sql, payloads, types); err != nil {
				return err
			}
		}
		for i, reason := range poison {
			if _, found := reasons[i]; !found {
				reasons[i] = reason
			}
		}
		return nil
	})
	return reasons, err
}

// collect adds the reasons that a query finds.
func collect(ctx context.Context, conn connection, reasons map[int]string, sql string, arguments ...any) error {
	found, err := conn.Query(ctx, sql, arguments...)
	if err != nil {
		return err
	}
	var position int
	var code, message, detail string
	_, err = pgx.ForEachRow(found, []any{&position, &code, &message, &detail}, func() error {
		reasons[position] = reasonOf(code, message, detail)
		return nil
	})
	return err
}
