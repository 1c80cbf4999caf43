// Package trouble keeps a log readable when something is tried again and again:
// what goes wrong is said when it starts or changes, and once when it is over.
package trouble

import "log/slog"

// Log reports on one thing that is tried repeatedly. It is not safe for
// concurrent use.
type Log struct {
	log  *slog.Logger
	last string
}

// New returns a Log that writes to log.
func New(log *slog.Logger) *Log { return &Log{log: log} }

// Report logs err, unless it is what was reported last. A nil err ends the trouble.
func (l *Log) Report(err error) {
	switch {
	case err == nil && l.last != "":
		l.log.Info("recovered", "from", l.last)
		l.last = ""
	case err != nil && err.Error() != l.last:
		l.last = err.Error()
		l.log.Warn("trying again", "error", err)
	}
}
