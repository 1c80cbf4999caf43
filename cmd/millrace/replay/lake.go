package replay

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	firehosetypes "github.com/aws/aws-sdk-go-v2/service/firehose/types"

	"github.com/millrace-cdk/millrace/lambdas/event"
)

// LakeLines are the objects of a lake of JSON lines. Each line says in its
// metadata which event it is and when that first arrived (docs/event.md).
func LakeLines() Format { return Format{"lake", readLake} }

// maxLakeLine is the largest record, with ample room for the metadata member.
const maxLakeLine = maxRecordBytes + 64<<10

func readLake(ctx context.Context, r *reading) error {
	lines := bufio.NewScanner(r.body)
	lines.Buffer(nil, maxLakeLine)
	for lines.Scan() {
		e, err := event.Parse(lines.Bytes())
		if err != nil {
			r.broken("a line of the lake is no event")
			continue
		}
		record := Record{Data: bytes.Clone(lines.Bytes()), Identity: e.ID, ArrivedAt: e.ArrivedAt}
		if record.ArrivedAt.IsZero() { // the transformer that wrote it is not ours
			record.ArrivedAt, record.Approximate = r.written, true
		}
		if err := r.take(ctx, record); err != nil {
			return err
		}
	}
	return lines.Err()
}

const (
	// earlier is how long before its last record an object's first one may have arrived, which the
	// object has its name of: Firehose buffers for up to 15 minutes and tries to deliver for up to 24 hours
	// (https://docs.aws.amazon.com/firehose/latest/dev/basic-deliver.html).
	earlier = 25 * time.Hour
	// later is how far behind the arrival in the stream an object's name may be: Firehose
	// may have read the record later.
	later = time.Hour
)

// LakeLocations are where the deliveries of a stream to S3 write events as JSON
// lines, as far as they may hold what arrived from a time to a time. Zero: no bound.
// What was sent again lies where its second arrival put it, and may be behind them.
func LakeLocations(ctx context.Context, client Firehose, streamARN string, from, to time.Time) ([]Location, error) {
	return locations(ctx, client, streamARN, func(d *firehosetypes.ExtendedS3DestinationDescription) (Location, bool) {
		if c := d.DataFormatConversionConfiguration; c != nil && aws.ToBool(c.Enabled) {
			return Location{}, false
		}
		l := Location{Bucket: bucketName(d.BucketARN), Prefix: literal(d.Prefix)}
		zone, err := time.LoadLocation(cmp.Or(aws.ToString(d.CustomTimeZone), "UTC"))
		if err != nil { // one that this machine does not know: all of the lake is read
			return l, true
		}
		if !from.IsZero() {
			l.From = hourly(aws.ToString(d.Prefix), from.Add(-earlier).In(zone))
		}
		if !to.IsZero() {
			l.To = hourly(aws.ToString(d.Prefix), to.Add(later).In(zone))
		}
		return l, true
	})
}

// hourly is how the keys of an hour begin, up to where they stop being in the order of time.
func hourly(prefix string, at time.Time) string {
	var key strings.Builder
	for _, unit := range [...]struct{ pattern, layout string }{{"yyyy", "2006"}, {"MM", "01"}, {"dd", "02"}, {"HH", "15"}} {
		before, rest, found := strings.Cut(prefix, "!{timestamp:"+unit.pattern+"}")
		if !found || strings.Contains(before, "!{") {
			break
		}
		fmt.Fprint(&key, before, at.Format(unit.layout))
		prefix = rest
	}
	return key.String() + literal(&prefix)
}
