package firehose

import (
	"bytes"
	"compress/gzip"
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

// processingFailed is the error-output-type of what the processor could not process.
const processingFailed = "processing-failed"

// putOutgoing writes the outgoing buffer as one object.
func (d *stream) putOutgoing(ctx context.Context) {
	d.put(ctx, &d.outgoing, func(s *settings, id string) *s3.PutObjectInput {
		body := join(d.outgoing.records, s.delimiter)
		object := &s3.PutObjectInput{Body: bytes.NewReader(body)}
		if s.gzip {
			object.Body = bytes.NewReader(compress(body))
			object.ContentEncoding = aws.String("gzip")
		}
		arrived := d.outgoing.oldest()
		object.Key = aws.String(s.prefix.evaluate(arrived, "") + objectName(s, arrived, id, s.extension))
		return object
	})
}

// putFailed writes the buffer of error lines as one object, never compressed.
func (d *stream) putFailed(ctx context.Context) {
	d.put(ctx, &d.failed, func(s *settings, id string) *s3.PutObjectInput {
		arrived := d.failed.oldest()
		return &s3.PutObjectInput{
			Body: bytes.NewReader(join(d.failed.records, "")),
			Key:  aws.String(s.errorPrefix.evaluate(arrived, processingFailed) + objectName(s, arrived, id, "")),
		}
	})
}

// put writes a buffer's object, tries again until S3 takes it, and empties the
// buffer then. The object is made anew at every attempt, since a changed
// destination may be what mends the trouble.
func (d *stream) put(ctx context.Context, b *buffer, build func(*settings, string) *s3.PutObjectInput) {
	writing := trouble.New(d.log)
	id := uuid.NewString()
	for wait := 500 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
		s := d.settings.Load()
		object := build(s, id)
		object.Bucket = &s.bucket
		object.ContentType = aws.String("application/octet-stream")
		_, err := d.s3.PutObject(ctx, object)
		if err == nil {
			writing.Report(nil)
			b.clear()
			return
		}
		if ctx.Err() != nil {
			return // the records stay in the buffer, to be counted
		}
		writing.Report(fmt.Errorf("putting %d records to s3://%s/%s: %w", len(b.records), s.bucket, *object.Key, err))
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
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

func compress(body []byte) []byte {
	var compressed bytes.Buffer
	writer := gzip.NewWriter(&compressed)
	// Writing into memory cannot fail.
	_, _ = writer.Write(body)
	_ = writer.Close()
	return compressed.Bytes()
}
