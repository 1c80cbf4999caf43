// Package e2e tests a deployed environment from the outside: it posts to the API
// and looks at what is at rest. Without API_URL in the process's environment it
// brings env=local up for itself, and takes it down again if it was not up before;
// with it (and the other variables of .millrace/local.env) it tests that environment.
package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/cmd/millrace/atrest"
)

// root is the repository's root, where `millrace up` keeps its state.
const root = "../.."

func TestMain(m *testing.M) {
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if os.Getenv("API_URL") == "" {
		_, statErr := os.Stat(filepath.Join(root, ".millrace", "local.env"))
		wasUp := statErr == nil
		if err := millrace("up", "--time-scale=120"); err != nil {
			return 0, err
		}
		if !wasUp {
			defer func() {
				if downErr := millrace("down"); err == nil {
					err = downErr
				}
			}()
		}
		if err := source(filepath.Join(root, ".millrace", "local.env")); err != nil {
			return 0, err
		}
	}
	return m.Run(), nil
}

// millrace runs the command line as `make up` does.
func millrace(args ...string) error {
	command := exec.Command("build/millrace", args...)
	command.Dir = root
	command.Stdout, command.Stderr = os.Stderr, os.Stderr
	if err := command.Run(); err != nil {
		return fmt.Errorf("running millrace %s (make builds it): %w", strings.Join(args, " "), err)
	}
	return nil
}

// source takes a shell file's variables into this process, as a shell reads them.
func source(path string) error {
	output, err := exec.Command("bash", "-c", `set -a; . "$1"; env -0`, "bash", path).Output()
	if err != nil {
		return fmt.Errorf("reading %s: %w", path, err)
	}
	for pair := range strings.SplitSeq(string(output), "\x00") {
		if name, value, ok := strings.Cut(pair, "="); ok {
			if err := os.Setenv(name, value); err != nil {
				return fmt.Errorf("reading %s: %w", path, err)
			}
		}
	}
	return nil
}

// post sends body to path with the key, and returns status and answer.
func post(t *testing.T, path string, body []byte) (int, string) {
	t.Helper()
	answer := exchange(t, http.MethodPost, path, body, map[string]string{
		"Content-Type": "application/json", "X-Api-Key": os.Getenv("API_KEY"),
	})
	return answer.status, answer.body
}

// reply is what the API answered, and to what.
type reply struct {
	method, path string
	status       int
	header       http.Header
	body         string
}

// exchange sends a request to the deployed API.
func exchange(t *testing.T, method, path string, body []byte, headers map[string]string) reply {
	t.Helper()
	return exchangeAt(t, os.Getenv("API_URL"), method, path, body, headers)
}

// exchangeAt sends a request to the API at url.
func exchangeAt(t *testing.T, url, method, path string, body []byte, headers map[string]string) reply {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, url+path, bytes.NewReader(body))
	require.NoError(t, err)
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return reply{method, path, response.StatusCode, response.Header, string(answer)}
}

func awsConfig(t *testing.T) aws.Config {
	t.Helper()
	loaded, err := config.LoadDefaultConfig(t.Context())
	require.NoError(t, err)
	return loaded
}

func database(t *testing.T) *pgx.Conn {
	t.Helper()
	db, err := pgx.Connect(t.Context(), os.Getenv("DATABASE_URL"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close(context.WithoutCancel(t.Context()))) })
	return db
}

func lakeReader(t *testing.T) *atrest.Lake {
	t.Helper()
	client := s3.NewFromConfig(awsConfig(t), func(o *s3.Options) { o.UsePathStyle = true })
	return atrest.NewLake(client, os.Getenv("LAKE_BUCKET"))
}

// lake waits until the lake has a line for each of the ids, and returns the lines by id.
func lake(t *testing.T, ids []string) map[string][]byte {
	t.Helper()
	reader := lakeReader(t)
	lines := map[string][]byte{}
	require.Eventually(t, func() bool {
		require.NoError(t, reader.Refresh(t.Context()))
		for _, line := range reader.Lines {
			lines[line.ID] = line.Text
		}
		for _, id := range ids {
			if lines[id] == nil {
				return false
			}
		}
		return true
	}, time.Minute, 200*time.Millisecond, "the lake has not all of %v; it has objects of failed records: %v", ids, &reader.Failed)
	return lines
}

// payload waits until the table has the event, and returns its payload as Postgres writes it.
func payload(t *testing.T, db *pgx.Conn, id string) string {
	t.Helper()
	var text string
	require.Eventually(t, func() bool {
		err := db.QueryRow(t.Context(), "SELECT payload::text FROM events WHERE event_id = $1", id).Scan(&text)
		if err != nil {
			require.ErrorIs(t, err, pgx.ErrNoRows)
		}
		return err == nil
	}, time.Minute, 100*time.Millisecond, "no row of %s", id)
	return text
}

// lineWith waits for the lake's line that contains text, and returns it.
func lineWith(t *testing.T, text string) []byte {
	t.Helper()
	reader := lakeReader(t)
	var found []byte
	require.Eventually(t, func() bool {
		require.NoError(t, reader.Refresh(t.Context()))
		for _, line := range reader.Lines {
			if bytes.Contains(line.Text, []byte(text)) {
				found = line.Text
			}
		}
		return found != nil
	}, time.Minute, 200*time.Millisecond, "the lake has no line with %s", text)
	return found
}
