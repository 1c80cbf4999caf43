package trouble_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/millrace-cdk/millrace/local/internal/trouble"
)

func TestTroubleIsSaidWhenItStartsOrChangesAndOnceWhenItIsOver(t *testing.T) {
	var log bytes.Buffer
	l := trouble.New(slog.New(slog.NewTextHandler(&log, nil)))
	for _, err := range []error{nil, errors.New("one"), errors.New("one"), errors.New("two"), nil, nil, errors.New("two")} {
		l.Report(err)
	}
	var got []string
	for line := range strings.Lines(log.String()) {
		_, line, _ = strings.Cut(line, "msg=")
		got = append(got, strings.TrimSpace(line))
	}
	assert.Equal(t, []string{`"trying again" error=one`, `"trying again" error=two`, `recovered from=two`, `"trying again" error=two`}, got)
}
