package firehose

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/uuid"

	"github.com/millrace-cdk/millrace/local/internal/trouble"
)

// objectAPI is the one call of S3 that delivery takes.
type objectAPI interface {
	PutObject(context.Context, *s3.PutObjectInput, ...func(*s3.Options)) (*s3.PutObjectOutput, error)
}

// content is an object to be put.
type content struct {
	bucket, key, encoding string
	body                  []byte
}

// putOutgoing writes a buffer of the prefix as one object.
func (d *stream) putOutgoing(ctx context.Context, b *buffer) {
	s := d.settings.Load()
	body := join(b.records, s.delimiter)
	if s.conversion != nil {
		if body = d.convert(ctx, s.conversion, b); body == nil {
			return
		}
	}
	d.put(ctx, b, func(s *settings, id string) (content, error) {
		key := b.prefix.key(s, instance{at: b.oldest(), keys: b.keys}, id, s.extension)
		return compressed(&s.target, key, body)
	})
}

// putBackup writes the source records as one object.
func (d *stream) putBackup(ctx context.Context, b *buffer) {
	t := d.settings.Load().backup
	if t == nil { // switched off in between
		d.emptied(b)
		return
	}
	body := join(b.records, "")
	d.put(ctx, b, func(s *settings, id string) (content, error) {
		if s.backup != nil {
			t = s.backup
		}
		return compressed(t, t.prefix.key(s, instance{at: b.oldest()}, id, t.extension), body)
	})
}

// putFailed writes a buffer of error lines as one object, never compressed.
func (d *stream) putFailed(errorType string) func(context.Context, *buffer) {
	return func(ctx context.Context, b *buffer) {
		body := join(b.records, "")
		d.put(ctx, b, func(s *settings, id string) (content, error) {
			key := s.errorPrefix.key(s, instance{at: b.oldest(), errorType: errorType}, id, "")
			return content{bucket: s.bucket, key: key, body: body}, nil
		})
	}
}

func compressed(t *target, key string, body []byte) (content, error) {
	body, err := t.compression.compress(body)
	return content{bucket: t.bucket, key: key, encoding: t.compression.encoding, body: body}, err
}

// put writes a buffer's object, tries again until S3 takes it, and empties the
// buffer then. The object is made anew at every attempt, since a changed
// destination may be what mends the trouble.
func (d *stream) put(ctx context.Context, b *buffer, build func(*settings, string) (content, error)) {
	id := uuid.NewString()
	d.persist(ctx, func() error {
		object, err := build(d.settings.Load(), id)
		if err != nil {
			return err
		}
		input := &s3.PutObjectInput{
			Bucket: &object.bucket, Key: &object.key, Body: bytes.NewReader(object.body),
			ContentType: aws.String("application/octet-stream"),
		}
		if object.encoding != "" {
			input.ContentEncoding = &object.encoding
		}
		_, err = d.s3.PutObject(ctx, input)
		d.measureDelivery(b, err)
		if err != nil {
			return fmt.Errorf("putting %d records to s3://%s/%s: %w", len(b.records), object.bucket, object.key, err)
		}
		d.emptied(b)
		return nil
	})
}

// persist tries until it succeeds, or ctx is done. Meanwhile nothing is read,
// so that what comes stays in the source for as long as that keeps it.
func (d *stream) persist(ctx context.Context, try func() error) {
	trying := trouble.New(d.log)
	for wait := 500 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
		err := try()
		if err == nil {
			trying.Report(nil)
			return
		}
		if ctx.Err() != nil {
			return // the records stay in the buffer, to be counted
		}
		trying.Report(err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// emptied puts down that a buffer's records are at rest. A partition is active
// only as long as its buffer holds something.
func (d *stream) emptied(b *buffer) {
	b.rest()
	if d.outgoing[b.partition] == b {
		delete(d.outgoing, b.partition)
	}
}

// join concatenates the records' data, with delimiter between them.
func join(records []record, delimiter string) []byte {
	parts := make([][]byte, len(records))
	for i, r := range records {
		parts[i] = r.data
	}
	return bytes.Join(parts, []byte(delimiter))
}
