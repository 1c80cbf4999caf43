package migrator

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
	"testing/fstest"

	"github.com/pressly/goose/v3"
)

// memory returns files as a file system.
func memory(files map[string]string) fs.FS {
	system := fstest.MapFS{}
	for name, text := range files {
		system[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return system
}

const makeChecksums = `
CREATE TABLE IF NOT EXISTS millrace_checksums (
    versions text   NOT NULL,
    version  bigint NOT NULL,
    sha256   text   NOT NULL,
    PRIMARY KEY (versions, version)
)`

// check refuses migrations that must not be applied, or were changed after they had been.
func (m Migrator) check(ctx context.Context, db *sql.DB, s set, provider *goose.Provider) error {
	if _, err := db.ExecContext(ctx, makeChecksums); err != nil {
		return fmt.Errorf("making the table of checksums: %w", err)
	}
	sums, err := checksums(ctx, db, s)
	if err != nil {
		return err
	}
	migrations, err := provider.Status(ctx)
	if err != nil {
		return fmt.Errorf("reading what was applied: %w", err)
	}
	var errs []error
	empty, earlier := true, "" // the first file that is pending
	for _, migration := range migrations {
		name := migration.Source.Path
		text, err := fs.ReadFile(s.files, name)
		if err != nil {
			return fmt.Errorf("reading migration %s: %w", name, err)
		}
		if migration.State == goose.StateApplied {
			empty = false
			if want, known := sums[migration.Source.Version]; known && want != sum(text) {
				errs = append(errs, fmt.Errorf("%s was changed after it had been applied (its SHA-256 was %s, it is %s): "+
					"restore it, and put the change into a file of its own", name, want, sum(text)))
			}
			continue
		}
		if s.versions == tablesVersions {
			errs = append(errs, allowed(name, string(text), empty, earlier))
		}
		if earlier == "" {
			earlier = name
		}
	}
	return errors.Join(errs...)
}

// allowed tells why a pending migration must not be applied, if so.
func allowed(name, text string, empty bool, earlier string) error {
	if !strings.Contains(text, contractMark+"\n") {
		if what := destructive(text); what != "" {
			return fmt.Errorf("%s takes something away (%q): a loader of the last release may still need it. "+
				"Put it into a file of its own with the line %q, and deploy that in the release after the one that does without it", name, what, contractMark)
		}
		return nil
	}
	// A database that has none of these tables has no loader that fills them either.
	if earlier != "" && !empty {
		return fmt.Errorf("%s is a contract, and %s before it is new to this database too: "+
			"deploy the release with %s first, so that no loader of the last release needs what the contract takes away", name, earlier, earlier)
	}
	return nil
}

// remember keeps the checksums of what is applied.
func remember(ctx context.Context, db *sql.DB, s set, provider *goose.Provider) error {
	migrations, err := provider.Status(ctx)
	if err != nil {
		return fmt.Errorf("reading what was applied: %w", err)
	}
	for _, migration := range migrations {
		if migration.State != goose.StateApplied {
			continue
		}
		text, err := fs.ReadFile(s.files, migration.Source.Path)
		if err != nil {
			return fmt.Errorf("reading migration %s: %w", migration.Source.Path, err)
		}
		if _, err := db.ExecContext(ctx, "INSERT INTO millrace_checksums VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
			s.versions, migration.Source.Version, sum(text)); err != nil {
			return fmt.Errorf("keeping the checksum of %s: %w", migration.Source.Path, err)
		}
	}
	return nil
}

func checksums(ctx context.Context, db *sql.DB, s set) (sums map[int64]string, err error) {
	rows, err := db.QueryContext(ctx, "SELECT version, sha256 FROM millrace_checksums WHERE versions = $1", s.versions)
	if err != nil {
		return nil, fmt.Errorf("reading the checksums: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	sums = map[int64]string{}
	for rows.Next() {
		var version int64
		var sum string
		if err := rows.Scan(&version, &sum); err != nil {
			return nil, fmt.Errorf("reading the checksums: %w", err)
		}
		sums[version] = sum
	}
	return sums, rows.Err()
}

func sum(text []byte) string {
	hash := sha256.Sum256(text)
	return hex.EncodeToString(hash[:])
}

// notSQL is what a statement does not do: comments and literals.
var notSQL = regexp.MustCompile(`(?s)--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'`)

// takesAway finds what a loader of the last release may still need. A file that
// does it inside a function is for a reviewer's eyes.
var takesAway = regexp.MustCompile(`(?i)\b(?:` + strings.Join([]string{
	`DROP\s+(?:TABLE|COLUMN|CONSTRAINT|SCHEMA|TYPE|ROLE|VIEW|OWNED)\b`, `TRUNCATE\b`, `DELETE\s+FROM\b`, `RENAME\b`, `REVOKE\b`,
	`ALTER\s+(?:COLUMN\s+)?\S+\s+(?:SET\s+DATA\s+)?TYPE\b`,
	`SET\s+NOT\s+NULL\b`, `ADD\s+(?:CONSTRAINT|CHECK|UNIQUE|PRIMARY|FOREIGN|EXCLUDE)\b`,
	`CREATE\s+UNIQUE\s+INDEX\b`,
}, "|") + `)`)

var (
	addsColumn = regexp.MustCompile(`(?i)\bADD\s+COLUMN\b`)
	notNull    = regexp.MustCompile(`(?i)\bNOT\s+NULL\b`)
	hasDefault = regexp.MustCompile(`(?i)\bDEFAULT\b`)
)

// destructive returns the words of a migration that take something away, or "".
func destructive(text string) string {
	for statement := range strings.SplitSeq(notSQL.ReplaceAllString(text, " "), ";") {
		if found := takesAway.FindString(statement); found != "" {
			return strings.Join(strings.Fields(found), " ")
		}
		if addsColumn.MatchString(statement) && notNull.MatchString(statement) && !hasDefault.MatchString(statement) {
			return "ADD COLUMN … NOT NULL without DEFAULT"
		}
	}
	return ""
}
