package loader

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/millrace-cdk/millrace/spec"
)

// Lagging is a [Store] that knows whether the database is of an earlier release
// than the loader: what it lacks of what is declared, in words.
type Lagging interface {
	Lacks() []string
}

// lookAtTables asks what there is of tables: their columns, those that every row
// must have a value for, and whether rows may be replaced.
const lookAtTables = `
SELECT t.name, has_table_privilege(c.oid, 'UPDATE'),
  ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
  ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull AND NOT a.atthasdef)
FROM unnest($1::text[]) AS t (name)
JOIN pg_class c ON c.oid = to_regclass(quote_ident(t.name))`

// existing is a table as the database has it.
type existing struct {
	replaceable       bool
	columns, demanded []string
}

// fitTables makes the statements fit the tables that are there. It asks once for
// each connection, and before each batch as long as something is lacking: the
// migrator may be about to make it.
func (p *Postgres) fitTables(ctx context.Context, conn connection) error {
	if len(p.tables) == 0 || p.lookedOn == conn.PgConn() && len(p.lacks) == 0 {
		return nil
	}
	found, err := look(ctx, conn, p.tables)
	if err != nil {
		return fmt.Errorf("looking at the tables: %w", err)
	}
	p.lookedOn, p.lacks, p.statements, p.inspections = nil, nil, nil, nil
	for _, t := range p.tables {
		has, there := found[t.Name]
		if !there {
			p.lacks = append(p.lacks, "table "+t.Name)
			continue
		}
		fitted, lacks := fit(t, has)
		p.lacks = append(p.lacks, lacks...)
		if err := p.fill(fitted); err != nil {
			return err
		}
	}
	p.lookedOn = conn.PgConn()
	return nil
}

func look(ctx context.Context, conn connection, tables []spec.Table) (map[string]existing, error) {
	names := make([]string, len(tables))
	for i, t := range tables {
		names[i] = t.Name
	}
	rows, err := conn.Query(ctx, lookAtTables, names)
	if err != nil {
		return nil, err
	}
	found := map[string]existing{}
	var name string
	var has existing
	_, err = pgx.ForEachRow(rows, []any{&name, &has.replaceable, &has.columns, &has.demanded}, func() error {
		found[name] = has
		has = existing{}
		return nil
	})
	return found, err
}

// fit returns t as far as the table that is there allows, which is what the
// loader of the release before does with it, and what is lacking of t.
func fit(t spec.Table, has existing) (fitted spec.Table, lacks []string) {
	fitted = t
	fitted.Columns = nil
	for _, c := range t.Columns {
		switch {
		case c.Retired && slices.Contains(has.demanded, c.Name):
			c.Retired = false
			lacks = append(lacks, fmt.Sprintf("table %s: column %s takes no nulls yet", t.Name, c.Name))
		case c.Retired || slices.Contains(has.columns, c.Name) || slices.Contains(t.KeyColumns(), c.Name):
			// A key never changes: without its column the insert has to fail.
		default:
			lacks = append(lacks, fmt.Sprintf("table %s: column %s", t.Name, c.Name))
			continue
		}
		fitted.Columns = append(fitted.Columns, c)
	}
	if _, found := fitted.Column(t.Newer); t.Conflict == spec.UpdateIfNewer && !found {
		fitted.Conflict = spec.Update
	}
	if fitted.Conflict != spec.Ignore && fitted.Conflict != "" && !has.replaceable {
		fitted.Conflict = spec.Ignore
		lacks = append(lacks, fmt.Sprintf("table %s: the right to replace rows", t.Name))
	}
	return fitted, lacks
}
