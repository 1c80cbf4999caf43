package migrator

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/millrace-cdk/millrace/spec"
)

// contractMark is the line of a migration that takes something away. It is
// applied only if everything before it was applied by an earlier deploy.
const contractMark = "-- +millrace contract"

// Generate returns the migration that leads from the tables before to the tables
// after and that the loader of the last release does not notice: it makes tables,
// adds columns, and gives rights. Everything else is an error that says how it
// is done instead. Without a difference it returns "".
func Generate(before, after []spec.Table) (string, error) {
	d, err := compare(before, after)
	if err != nil {
		return "", err
	}
	for _, c := range d.contract {
		d.refused = append(d.refused, fmt.Errorf("%s: it takes something away: generate it as a contract, which is a file of its own", c.what))
	}
	return d.file("", d.expand, before, after)
}

// GenerateContract returns the migration that takes away what before has retired
// and after does not have any more, and nothing else. It is deployed in a release
// of its own: only then does no loader write it.
func GenerateContract(before, after []spec.Table) (string, error) {
	d, err := compare(before, after)
	if err != nil {
		return "", err
	}
	if len(d.expand) > 0 {
		d.refused = append(d.refused, errors.New("the declaration also adds something: generate that first, and the contract for the release after it"))
	}
	var statements []string
	for _, c := range d.contract {
		statements = append(statements, c.sql)
	}
	return d.file(contractMark+"\n", statements, before, after)
}

// difference is what leads from one declaration to another.
type difference struct {
	expand   []string
	contract []contract
	refused  []error
}

// contract is a statement that takes something away.
type contract struct{ what, sql string }

func (d *difference) refuse(format string, args ...any) {
	d.refused = append(d.refused, fmt.Errorf(format, args...))
}

func (d *difference) file(mark string, statements []string, before, after []spec.Table) (string, error) {
	if err := errors.Join(d.refused...); err != nil {
		return "", err
	}
	from, err := spec.Mark(before)
	if err != nil {
		return "", err
	}
	to, err := spec.Mark(after)
	if err != nil {
		return "", err
	}
	if from == to {
		return "", nil
	}
	// A statement that waits for a lock holds up all that come after it, the loader's too.
	statements = append([]string{"SET LOCAL lock_timeout = '10s'"}, statements...)
	return "-- +goose Up\n" + mark + to + "\n\n" + strings.Join(statements, ";\n") + ";\n", nil
}

func compare(before, after []spec.Table) (*difference, error) {
	if err := errors.Join(spec.ValidateTables(before), spec.ValidateTables(after)); err != nil {
		return nil, err
	}
	d := &difference{}
	for _, t := range after {
		if i := index(before, t.Name); i >= 0 {
			d.alter(before[i], t)
		} else {
			d.create(t)
		}
	}
	for _, t := range before {
		switch {
		case index(after, t.Name) >= 0:
		case t.Retired:
			d.contract = append(d.contract, contract{"table " + t.Name, "DROP TABLE " + quote(t.Name)})
		default:
			d.refuse("table %s is not declared any more: the loader of the last release still fills it, and its rows would go. "+
				"Declare it with Retired, deploy that, and remove it in the release after it", t.Name)
		}
	}
	return d, nil
}

func index(tables []spec.Table, name string) int {
	return slices.IndexFunc(tables, func(t spec.Table) bool { return t.Name == name })
}

func (d *difference) create(t spec.Table) {
	lines := []string{"    " + quote(spec.EventIDColumn) + " text NOT NULL"}
	for _, c := range t.Columns {
		lines = append(lines, "    "+definition(c))
	}
	lines = append(lines, "    PRIMARY KEY ("+quoteAll(t.KeyColumns())+")")
	d.expand = append(d.expand,
		"CREATE TABLE "+quote(t.Name)+" (\n"+strings.Join(lines, ",\n")+"\n)",
		"COMMENT ON COLUMN "+quote(t.Name)+"."+quote(spec.EventIDColumn)+" IS 'The event that this row is of.'",
		"GRANT "+rights(t)+" ON "+quote(t.Name)+" TO "+spec.LoaderRole)
}

// rights are what the loader needs: to replace a row it must update, to meet one it must read.
func rights(t spec.Table) string {
	if replaces(t) {
		return "SELECT, INSERT, UPDATE"
	}
	return "SELECT, INSERT"
}

func replaces(t spec.Table) bool {
	return t.Conflict == spec.Update || t.Conflict == spec.UpdateIfNewer
}

func (d *difference) alter(before, after spec.Table) {
	table := "table " + before.Name
	if !slices.Equal(before.KeyColumns(), after.KeyColumns()) {
		d.refuse("%s: its key cannot change from (%s) to (%s): the rows that it has may not be apart by the new one. "+
			"Declare a table of another name with the new key, send the events again to fill it, and retire this one",
			table, strings.Join(before.KeyColumns(), ", "), strings.Join(after.KeyColumns(), ", "))
	}
	if replaces(after) && !replaces(before) {
		d.expand = append(d.expand, "GRANT UPDATE ON "+quote(after.Name)+" TO "+spec.LoaderRole)
	}
	for _, c := range after.Columns {
		if was, found := before.Column(c.Name); found {
			d.alterColumn(after, was, c)
			continue
		}
		if !c.Nullable && c.Default == "" {
			d.refuse("%s: column %s is new and has neither a default nor nulls: the loader of the last release does not write it. "+
				"Declare it Nullable or with a Default", table, c.Name)
			continue
		}
		d.expand = append(d.expand, "ALTER TABLE "+quote(after.Name)+" ADD COLUMN "+definition(c))
	}
	for _, c := range before.Columns {
		if _, found := after.Column(c.Name); found {
			continue
		}
		if !c.Retired {
			d.refuse("%s: column %s is not declared any more: the loader of the last release still writes it, and its values would go. "+
				"Declare it with Retired, deploy that, and remove it in the release after it (to rename it, declare the new name beside it)", table, c.Name)
			continue
		}
		d.contract = append(d.contract, contract{table + ": column " + c.Name, "ALTER TABLE " + quote(after.Name) + " DROP COLUMN " + quote(c.Name)})
	}
}

func (d *difference) alterColumn(table spec.Table, before, after spec.Column) {
	name := "table " + table.Name + ": column " + after.Name
	alter := "ALTER TABLE " + quote(table.Name) + " ALTER COLUMN " + quote(after.Name) + " "
	if before.Type != after.Type {
		d.refuse("%s cannot change its type from %s to %s: the table would be written anew under a lock. "+
			"Declare a column of another name with the new type, fill it, and retire this one", name, before.Type, after.Type)
	}
	if before.Default != after.Default {
		if after.Default == "" {
			d.expand = append(d.expand, alter+"DROP DEFAULT")
		} else {
			d.expand = append(d.expand, alter+"SET DEFAULT "+defaultOf(after))
		}
	}
	// What is not written any more must not be asked for.
	nullable := func(c spec.Column) bool { return c.Nullable || c.Retired }
	switch {
	case nullable(after) && !nullable(before):
		d.expand = append(d.expand, alter+"DROP NOT NULL")
	case !nullable(after) && nullable(before) && before.Default == "":
		d.refuse("%s cannot become NOT NULL at once: the loader of the last release may write nulls. "+
			"Give it a Default, deploy that, fill the rows that have none, and take Nullable away in the release after it", name)
	case !nullable(after) && nullable(before):
		d.contract = append(d.contract, contract{name, alter + "SET NOT NULL"})
	}
}

func definition(c spec.Column) string {
	text := quote(c.Name) + " " + c.Type
	if !c.Nullable && !c.Retired {
		text += " NOT NULL"
	}
	if c.Default != "" {
		text += " DEFAULT " + defaultOf(c)
	}
	return text
}

func defaultOf(c spec.Column) string {
	return "'" + strings.ReplaceAll(c.Default, "'", "''") + "'::" + c.Type
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

func quoteAll(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = quote(name)
	}
	return strings.Join(quoted, ", ")
}
