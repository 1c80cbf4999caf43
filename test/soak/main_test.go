// Package soak holds the loader to its promise against a real Postgres: whatever
// is sent again, reordered, split, sent twice at once, cut or killed, each event
// is at rest exactly once, in the table or in quarantine, or is kept whole as a
// batch that failed for good.
//
// A round posts events to shards in memory, polls them as a Kinesis event source
// mapping does, breaks things all the while, and then compares the tables row for row
// with what was posted. `go test` runs a short one, `make soak` one of ten minutes.
package soak

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/millrace-cdk/millrace/lambdas/loader"
	"github.com/millrace-cdk/millrace/spec"
)

var (
	duration = flag.Duration("duration", 0, "how long to go on; 0 is one short round")
	seed     = flag.Uint64("seed", 0, "what the first round is drawn from; 0 is the time")
)

// childVariable makes this program a loader that another one drives by its standard input.
const childVariable = "MILLRACE_SOAK_LOADER"

func TestMain(m *testing.M) {
	if text := os.Getenv(childVariable); text != "" {
		if err := serve(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// newLoader makes a loader as its function does.
func newLoader(s spec.Loader) (*loader.Loader, error) {
	config := aws.Config{Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("test", "test", "")}
	return loader.New(s, config, slog.New(slog.DiscardHandler))
}

// invocationTimeout is that of the function.
const invocationTimeout = 5 * time.Second

// serve answers payloads until its input ends. Each is preceded by its length.
func serve(text string) error {
	var s spec.Loader
	if err := spec.Decode(text, &s); err != nil {
		return err
	}
	l, err := newLoader(s)
	if err != nil {
		return err
	}
	for {
		payload, err := receive(os.Stdin)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(context.Background(), invocationTimeout)
		answer, err := l.Invoke(ctx, payload)
		cancel()
		if err != nil {
			return err
		}
		if err := send(os.Stdout, answer); err != nil {
			return err
		}
	}
}

func send(w io.Writer, message []byte) error {
	_, err := w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(message))), message...))
	return err
}

func receive(r io.Reader) ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	message := make([]byte, binary.BigEndian.Uint32(length[:]))
	_, err := io.ReadFull(r, message)
	return message, err
}
