// Package atrest counts what an environment holds, by looking: it lists and
// decompresses the lake's objects, reads the stream from its beginning, and asks
// Postgres. No count comes from a counter of millrace's own.
package atrest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/millrace-cdk/millrace/lambdas/event"
)

// errorPrefix is where [delivery.FirehoseToS3] keeps what it could not deliver.
const errorPrefix = "errors/"

// maxLine bounds a line of the lake: the largest record that Kinesis takes is
// 10 MiB, and the metadata member is short.
const maxLine = 11 << 20

// Line is one event in the lake.
type Line struct {
	// Key names the object that holds it.
	Key string
	// Text is the line without its newline.
	Text []byte
	// ID is the event's identity, as the line carries it.
	ID string
}

// Lake reads a lake's bucket. Objects never change once they are written, so
// that [Lake.Refresh] reads each of them once.
type Lake struct {
	// Lines are the events delivered so far.
	Lines []Line
	// Objects are the keys of the objects that hold them.
	Objects []string
	// Failed are the keys of the objects below the error prefix.
	Failed []string
	// Prefixes are the folders that Refresh looks into. Default: the whole bucket.
	Prefixes []string
	// Since leaves alone what was written before. Default: nothing.
	Since time.Time

	client *s3.Client
	bucket string
	read   map[string]bool
}

// NewLake returns a reader of bucket that has read nothing yet.
func NewLake(client *s3.Client, bucket string) *Lake {
	return &Lake{client: client, bucket: bucket, read: map[string]bool{}}
}

// Refresh reads the objects that came since the last call.
func (l *Lake) Refresh(ctx context.Context) error {
	prefixes := l.Prefixes
	if len(prefixes) == 0 {
		prefixes = []string{""}
	}
	for _, prefix := range prefixes {
		if err := l.refresh(ctx, prefix); err != nil {
			return err
		}
	}
	return nil
}

func (l *Lake) refresh(ctx context.Context, prefix string) error {
	pages := s3.NewListObjectsV2Paginator(l.client, &s3.ListObjectsV2Input{Bucket: &l.bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("listing %s: %w", l.bucket, err)
		}
		for _, object := range page.Contents {
			if object.LastModified != nil && object.LastModified.Before(l.Since) {
				continue
			}
			if err := l.readObject(ctx, *object.Key); err != nil {
				return fmt.Errorf("reading %s of %s: %w", *object.Key, l.bucket, err)
			}
		}
	}
	return nil
}

func (l *Lake) readObject(ctx context.Context, key string) error {
	if l.read[key] {
		return nil
	}
	if strings.HasPrefix(key, errorPrefix) {
		l.Failed = append(l.Failed, key)
		l.read[key] = true
		return nil
	}
	object, err := l.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &l.bucket, Key: &key})
	if err != nil {
		return err
	}
	defer object.Body.Close()
	text, err := gunzip(object.Body)
	if err != nil {
		return err
	}
	lines, err := parseLines(key, text)
	if err != nil {
		return err
	}
	l.Lines = append(l.Lines, lines...)
	l.Objects = append(l.Objects, key)
	l.read[key] = true
	return nil
}

func gunzip(r io.Reader) ([]byte, error) {
	zip, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(zip)
}

func parseLines(key string, text []byte) ([]Line, error) {
	var lines []Line
	scanner := bufio.NewScanner(bytes.NewReader(text))
	scanner.Buffer(nil, maxLine)
	for scanner.Scan() {
		line := bytes.Clone(scanner.Bytes())
		e, err := event.Parse(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", len(lines)+1, err)
		}
		lines = append(lines, Line{Key: key, Text: line, ID: e.ID})
	}
	return lines, scanner.Err()
}

// IDs returns how often each identity is in the lake.
func (l *Lake) IDs() map[string]int {
	ids := make(map[string]int, len(l.Lines))
	for _, line := range l.Lines {
		ids[line.ID]++
	}
	return ids
}

// StreamRecords reads the stream from its oldest record to its newest and counts.
func StreamRecords(ctx context.Context, client *kinesis.Client, stream string) (int, error) {
	shards, err := client.ListShards(ctx, &kinesis.ListShardsInput{StreamName: &stream})
	if err != nil {
		return 0, fmt.Errorf("listing the shards of %s: %w", stream, err)
	}
	total := 0
	for _, shard := range shards.Shards {
		count, err := shardRecords(ctx, client, stream, *shard.ShardId)
		if err != nil {
			return 0, fmt.Errorf("reading %s of %s: %w", *shard.ShardId, stream, err)
		}
		total += count
	}
	return total, nil
}

func shardRecords(ctx context.Context, client *kinesis.Client, stream, shard string) (int, error) {
	start, err := client.GetShardIterator(ctx, &kinesis.GetShardIteratorInput{
		StreamName: &stream, ShardId: &shard, ShardIteratorType: kinesistypes.ShardIteratorTypeTrimHorizon,
	})
	if err != nil {
		return 0, err
	}
	count, iterator := 0, start.ShardIterator
	for iterator != nil {
		page, err := client.GetRecords(ctx, &kinesis.GetRecordsInput{ShardIterator: iterator})
		if err != nil {
			return 0, err
		}
		count += len(page.Records)
		if len(page.Records) == 0 && aws.ToInt64(page.MillisBehindLatest) == 0 {
			break
		}
		iterator = page.NextShardIterator
	}
	return count, nil
}
