package drill

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	firehosetypes "github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/aws-sdk-go-v2/service/rds"

	"github.com/millrace-cdk/millrace/internal/wait"
)

// scenario is what a drill breaks, and how it is mended.
type scenario struct {
	// what is said of it.
	what string
	// hold is how long it stays broken at least. Default: until an alarm fires.
	hold time.Duration
	// silent is set where no alarm is known to fire, which docs/disaster-recovery.md says.
	silent bool
	// breaks breaks it, mends mends it; both while a client posts.
	breaks, mends func(context.Context) error
	// restore, if any, puts back what mends leaves different for the next drill.
	restore func(context.Context) error
	// note is what the n-th event carries: other than "", something that the table can never take.
	note func(n int) string
	// kept, if any, counts what was sent beside the client's events and is missing, or kept aside.
	kept func(context.Context) (missing, aside int, err error)
}

// scenarios are the drills by their names.
var scenarios = map[string]func(*line) scenario{
	"postgres":    (*line).postgres,
	"table":       (*line).table,
	"delivery":    (*line).deletion,
	"poison":      (*line).poison,
	"key":         (*line).expire,
	"disk":        (*line).fill,
	"transformer": (*line).transformer,
}

// Names are the names of all drills, in the order in which they are done.
func Names() []string {
	return []string{"postgres", "table", "delivery", "poison", "key", "disk", "transformer"}
}

// outage is how long Postgres is away.
const outage = 2 * time.Minute

func (l *line) postgres() scenario {
	id := l.names["DATABASE"]
	start := func(ctx context.Context) error {
		if _, err := l.database.StartDBInstance(ctx, &rds.StartDBInstanceInput{DBInstanceIdentifier: &id}); err != nil {
			return fmt.Errorf("starting the database: %w", err)
		}
		return l.answers(ctx)
	}
	return scenario{
		what: "Postgres is killed for two minutes", hold: outage,
		breaks: func(ctx context.Context) error {
			_, err := l.database.StopDBInstance(ctx, &rds.StopDBInstanceInput{DBInstanceIdentifier: &id})
			return err
		},
		mends:   start,
		restore: start, // if it was not mended
	}
}

// answers waits until Postgres does.
func (l *line) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		err := l.execute(ctx, "SELECT 1")
		if err == nil {
			return nil
		}
		if wait.For(ctx, 200*time.Millisecond) != nil {
			return err
		}
	}
}

func (l *line) table() scenario {
	return scenario{
		what:   "the table is dropped",
		breaks: func(ctx context.Context) error { return l.execute(ctx, "DROP TABLE events") },
		mends: func(ctx context.Context) error {
			// The migrator makes what it knows nothing of: a half of the schema is for no release.
			tables, err := l.tables(ctx)
			if err != nil {
				return err
			}
			for _, name := range tables {
				if err := l.execute(ctx, "DROP TABLE "+name); err != nil {
					return err
				}
			}
			if err := l.migrate(ctx); err != nil {
				return err
			}
			return l.Millrace(ctx, "replay", "lake")
		},
	}
}

func (l *line) deletion() scenario {
	var deleted time.Time
	var lake *firehosetypes.DeliveryStreamDescription
	return scenario{
		what: "the delivery stream to the lake is deleted", silent: true,
		breaks: func(ctx context.Context) (err error) {
			if lake, err = l.toLake(ctx); err != nil {
				return err
			}
			deleted = time.Now()
			_, err = l.delivery.DeleteDeliveryStream(ctx, &firehose.DeleteDeliveryStreamInput{DeliveryStreamName: lake.DeliveryStreamName})
			return err
		},
		mends: func(ctx context.Context) error {
			destination, err := configuration(lake)
			if err != nil {
				return err
			}
			source := lake.Source.KinesisStreamSourceDescription
			_, err = l.delivery.CreateDeliveryStream(ctx, &firehose.CreateDeliveryStreamInput{
				DeliveryStreamName: lake.DeliveryStreamName, DeliveryStreamType: lake.DeliveryStreamType,
				KinesisStreamSourceConfiguration:   &firehosetypes.KinesisStreamSourceConfiguration{KinesisStreamARN: source.KinesisStreamARN, RoleARN: source.RoleARN},
				ExtendedS3DestinationConfiguration: destination,
			})
			if err != nil {
				return fmt.Errorf("making %s again: %w", aws.ToString(lake.DeliveryStreamName), err)
			}
			// It has begun to read with what comes from now on; what the old one had in its buffers
			// when it was deleted went with it.
			buffered := l.buffered(destination.BufferingHints)
			if err := wait.For(ctx, 2*time.Second); err != nil {
				return err
			}
			return l.Millrace(ctx, "replay", "stream", "--since="+stamp(deleted.Add(-buffered)), "--until="+stamp(time.Now()))
		},
	}
}

// buffered is how long a record may be under way in a delivery: before the transformer, behind it, and as much for
// the work itself.
func (l *line) buffered(hints *firehosetypes.BufferingHints) time.Duration {
	return l.fast(3*time.Duration(aws.ToInt32(hints.IntervalInSeconds))*time.Second) + 5*time.Second
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// configuration is what makes a delivery stream like a described one: AWS gives the members of both the same names.
func configuration(d *firehosetypes.DeliveryStreamDescription) (*firehosetypes.ExtendedS3DestinationConfiguration, error) {
	text, err := json.Marshal(d.Destinations[0].ExtendedS3DestinationDescription)
	if err != nil {
		return nil, fmt.Errorf("copying the delivery stream's configuration: %w", err)
	}
	made := new(firehosetypes.ExtendedS3DestinationConfiguration)
	if err := json.Unmarshal(text, made); err != nil {
		return nil, fmt.Errorf("copying the delivery stream's configuration: %w", err)
	}
	return made, nil
}
