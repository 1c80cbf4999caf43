package loader

import (
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

// Retryable tells whether what failed with err may succeed later: the connection,
// the load, the space on disk, a right or a table that is missing yet. It may not
// where Postgres says by SQLSTATE that the value itself is the trouble
// (https://www.postgresql.org/docs/17/errcodes-appendix.html).
func Retryable(err error) bool {
	var refused *pgconn.PgError
	if !errors.As(err, &refused) || len(refused.Code) != 5 {
		return true
	}
	switch refused.Code[:2] {
	case "22", // data exception: a number out of range, \u0000, half of a surrogate pair
		"23", // integrity constraint violation; of the identity's key it is none, but a conflict
		"44", // with check option violation
		"54": // program limit exceeded: an index row too long, nesting too deep
		return false
	}
	return true
}

// reason says in quarantine why a value was refused. The text may quote the
// value, so it goes nowhere else.
func reason(err error) string {
	var refused *pgconn.PgError
	if !errors.As(err, &refused) {
		return err.Error()
	}
	return reasonOf(refused.Code, refused.Message, refused.Detail)
}

func reasonOf(code, message, detail string) string {
	text := fmt.Sprintf("SQLSTATE %s: %s", code, message)
	if detail != "" {
		text += ": " + detail
	}
	return text
}
