package replay

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/millrace-cdk/millrace/lambdas/event"
)

// maxRecordBytes is the largest record of Kinesis
// (https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html).
const maxRecordBytes = 10 << 20

// S3 is the part of the API that a replay takes.
type S3 interface {
	s3.ListObjectsV2APIClient
	GetObject(context.Context, *s3.GetObjectInput, ...func(*s3.Options)) (*s3.GetObjectOutput, error)
}

// Location is where objects are.
type Location struct {
	Bucket, Prefix string
	// Folders are names of which one must be in an object's key. Default: any key will do.
	Folders []string
	// From and To are how the first keys begin that are looked at, and the last. Default: all of the prefix.
	From, To string
}

func (l Location) String() string { return "s3://" + l.Bucket + "/" + l.Prefix }

// past says that a key, and so each after it, is behind the last.
func (l Location) past(key string) bool { return l.To != "" && key[:min(len(key), len(l.To))] > l.To }

func (l Location) has(key string) bool {
	if len(l.Folders) == 0 {
		return true
	}
	for _, folder := range l.Folders {
		if strings.Contains(key, folder) {
			return true
		}
	}
	return false
}

// Format is how records lie in an object.
type Format struct {
	name string
	read func(context.Context, *reading) error
}

// Objects is the [Source] of records in S3.
type Objects struct {
	Client    S3
	Locations []Location
	Format    Format
	// Since leaves out objects that were written before. Default: none.
	Since time.Time
}

// Name is the format, and where the objects are.
func (o *Objects) Name() string {
	places := make([]string, len(o.Locations))
	for i, l := range o.Locations {
		places[i] = l.String()
	}
	return o.Format.name + " in " + strings.Join(places, " and ")
}

// whole is the position at the end of an object, which needs no second look.
const whole = "whole"

// Read passes the records of one object after the other.
func (o *Objects) Read(ctx context.Context, done map[string]string, sink Sink) error {
	for _, location := range o.Locations {
		if err := o.location(ctx, location, done, sink); err != nil {
			return err
		}
	}
	return nil
}

func (o *Objects) location(ctx context.Context, l Location, done map[string]string, sink Sink) error {
	input := &s3.ListObjectsV2Input{Bucket: &l.Bucket, Prefix: &l.Prefix}
	if l.From != "" {
		input.StartAfter = &l.From
	}
	pages := s3.NewListObjectsV2Paginator(o.Client, input)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("listing %s: %w", l, err)
		}
		for _, object := range page.Contents {
			place := l.Bucket + "/" + *object.Key
			if l.past(*object.Key) {
				return nil
			}
			// S3 says when in whole seconds.
			if !l.has(*object.Key) || done[place] == whole || aws.ToTime(object.LastModified).Before(o.Since.Truncate(time.Second)) {
				continue
			}
			if err := o.object(ctx, l.Bucket, object, done[place], sink); err != nil {
				return fmt.Errorf("reading s3://%s: %w", place, err)
			}
			sink.Reached(place, whole)
		}
	}
	return nil
}

func (o *Objects) object(ctx context.Context, bucket string, object s3types.Object, position string, sink Sink) (err error) {
	from := 0
	if position != "" {
		if from, err = strconv.Atoi(position); err != nil {
			return fmt.Errorf("reading the checkpoint: %w", err)
		}
	}
	output, err := o.Client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: object.Key})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, output.Body.Close()) }()
	body, err := plain(output.Body)
	if errors.Is(err, errCompression) {
		sink.Broken(err.Error())
		return nil
	}
	if err != nil {
		return err
	}
	return o.Format.read(ctx, &reading{
		body: body, written: aws.ToTime(object.LastModified).UTC(), sink: sink, bucket: bucket, key: *object.Key, from: from,
	})
}

var errCompression = errors.New("an object is compressed by ZIP or Snappy: GZIP and uncompressed ones are read")

// plain returns the text of an object that may be compressed. Its name and its
// metadata do not always tell.
func plain(r io.Reader) (*bufio.Reader, error) {
	body := bufio.NewReaderSize(r, 64<<10)
	head, err := body.Peek(10)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		zip, err := gzip.NewReader(body)
		if err != nil {
			return nil, err
		}
		return bufio.NewReaderSize(zip, 64<<10), nil
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("\xff\x06\x00\x00sNaPpY")):
		return nil, errCompression
	}
	return body, nil
}

// reading is one object being read.
type reading struct {
	body        *bufio.Reader
	written     time.Time
	sink        Sink
	bucket, key string

	from int // so many were done in an earlier run
	next int
}

// take passes a record on, unless it was done before.
func (r *reading) take(ctx context.Context, record Record) error {
	number := r.next
	r.next++
	if number < r.from {
		return nil
	}
	record.Place = event.Origin{Stream: r.bucket, Shard: r.key, Sequence: strconv.Itoa(number)}
	if err := r.sink.Take(ctx, record); err != nil {
		return err
	}
	r.sink.Reached(r.bucket+"/"+r.key, strconv.Itoa(r.next))
	return nil
}

// broken counts what is no record.
func (r *reading) broken(reason string) {
	number := r.next
	r.next++
	if number >= r.from {
		r.sink.Broken(reason)
	}
}
