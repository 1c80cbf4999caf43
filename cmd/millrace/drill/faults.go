package drill

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	firehosetypes "github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/jackc/pgx/v5"

	"github.com/millrace-cdk/millrace/cmd/millrace/fault"
	"github.com/millrace-cdk/millrace/internal/wait"
)

// poisonEvery is how many good events there are to one that the table can never take.
const poisonEvery = 7

// poison puts into one shard, between what clients send, records that are no JSON, and has the
// client send events that are JSON and that Postgres takes in no way: it has no character zero.
func (l *line) poison() scenario {
	const zero = "\x00"
	var mu sync.Mutex
	var poisoning bool
	notes := map[int]string{} // an event that is posted again stays what it was
	stopped := make(chan struct{})
	stop := sync.OnceFunc(func() { close(stopped) })
	var sending sync.WaitGroup
	var sent []string
	var trouble error
	return scenario{
		what: "a shard is poisoned: records that are no JSON, and events with a character that Postgres does not have",
		hold: 30 * time.Second,
		note: func(n int) string {
			mu.Lock()
			defer mu.Unlock()
			if _, said := notes[n]; !said {
				notes[n] = ""
				if poisoning && n%poisonEvery == 0 {
					notes[n] = zero
				}
			}
			return notes[n]
		},
		breaks: func(ctx context.Context) error {
			mu.Lock()
			defer mu.Unlock()
			poisoning = true
			name := fmt.Sprintf("poison-%d", time.Now().UnixMilli())
			sending.Go(func() {
				for ctx.Err() == nil && trouble == nil {
					text := fmt.Sprintf("%s-%d is no JSON", name, len(sent))
					_, trouble = l.stream.PutRecord(ctx, &kinesis.PutRecordInput{
						StreamName: &l.StreamName, Data: []byte(text), PartitionKey: aws.String("poison"), ExplicitHashKey: aws.String("0"),
					})
					sent = append(sent, text)
					select {
					case <-stopped:
						return
					case <-time.After(2 * every):
					}
				}
			})
			return nil
		},
		mends: func(context.Context) error { // its producer stops; the client's bad events go on to come until it ends
			stop()
			sending.Wait()
			return trouble
		},
		restore: func(context.Context) error {
			stop()
			sending.Wait()
			return nil
		},
		kept: func(ctx context.Context) (missing, aside int, err error) {
			kept, err := l.keptAside(ctx)
			if err != nil {
				return 0, 0, err
			}
			for _, text := range sent {
				if kept[text] < 2 { // in quarantine, and below the lake's error prefix
					missing++
				} else {
					aside++
				}
			}
			return missing, aside, nil
		},
	}
}

// keptAside counts in how many places what the line could not take is kept: the table quarantine
// and the objects below the lake's error prefix.
func (l *line) keptAside(ctx context.Context) (places map[string]int, err error) {
	places = map[string]int{}
	db, err := l.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close(context.WithoutCancel(ctx))) }()
	rows, err := db.Query(ctx, "SELECT data FROM quarantine")
	if err != nil {
		return nil, fmt.Errorf("reading the quarantine: %w", err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[[]byte])
	if err != nil {
		return nil, fmt.Errorf("reading the quarantine: %w", err)
	}
	for _, data := range all {
		places[string(data)] = 1
	}
	below := map[string]bool{}
	for _, key := range l.lake.Failed {
		if err := l.readErrors(ctx, key, below); err != nil {
			return nil, err
		}
	}
	for text := range below {
		places[text]++
	}
	return places, nil
}

// readErrors puts the records of an object of Firehose's errors into found.
func (l *line) readErrors(ctx context.Context, key string, found map[string]bool) error {
	object, err := l.bucket.GetObject(ctx, &s3.GetObjectInput{Bucket: &l.LakeBucket, Key: &key})
	if err != nil {
		return fmt.Errorf("reading %s: %w", key, err)
	}
	defer object.Body.Close()
	text, err := io.ReadAll(object.Body)
	if err != nil {
		return fmt.Errorf("reading %s: %w", key, err)
	}
	for line := range bytes.Lines(text) {
		var record struct {
			RawData string `json:"rawData"`
		}
		if err := json.Unmarshal(line, &record); err != nil {
			return fmt.Errorf("reading %s: %w", key, err)
		}
		data, err := base64.StdEncoding.DecodeString(record.RawData)
		if err != nil {
			return fmt.Errorf("reading %s: %w", key, err)
		}
		found[string(data)] = true
	}
	return nil
}

// expire takes the clients' key out of its usage plan, and mends it by a new one. To disable the
// key has the same effect; the emulator answers that with what AWS's clients cannot read.
func (l *line) expire() scenario {
	old := fault.Broken{Kind: fault.Key}
	broken, made := false, ""
	return scenario{
		what: "the clients' API key expires",
		breaks: func(ctx context.Context) error {
			err := old.Break(ctx, l.faulty())
			broken = err == nil
			return err
		},
		mends: func(ctx context.Context) error {
			key, err := l.api.CreateApiKey(ctx, &apigateway.CreateApiKeyInput{Name: aws.String("drill"), Enabled: true})
			if err != nil {
				return err
			}
			made = aws.ToString(key.Id)
			_, err = l.api.CreateUsagePlanKey(ctx, &apigateway.CreateUsagePlanKeyInput{UsagePlanId: aws.String(l.names["USAGE_PLAN"]), KeyId: &made, KeyType: aws.String("API_KEY")})
			l.key.Store(key.Value)
			return err
		},
		restore: func(ctx context.Context) (err error) {
			if broken {
				err = old.Mend(ctx, l.faulty())
			}
			if made != "" {
				_, deleted := l.api.DeleteApiKey(ctx, &apigateway.DeleteApiKeyInput{ApiKey: &made})
				err = errors.Join(err, deleted)
			}
			l.key.Store(&l.APIKey)
			return err
		},
	}
}

// fill has Postgres answer as on a full disk: SQLSTATE 53100, disk_full, to everything that would
// store something. The disk itself has room: to fill it would fill yours.
func (l *line) fill() scenario {
	empty := func(ctx context.Context) error {
		return l.execute(ctx, "DROP TRIGGER IF EXISTS disk_full ON events", "DROP TRIGGER IF EXISTS disk_full ON quarantine", "DROP FUNCTION IF EXISTS disk_full")
	}
	return scenario{
		what: "Postgres' disk is full",
		breaks: func(ctx context.Context) error {
			return l.execute(ctx, `CREATE FUNCTION disk_full() RETURNS trigger LANGUAGE plpgsql AS $$
				BEGIN RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$`,
				"CREATE TRIGGER disk_full BEFORE INSERT ON events FOR EACH STATEMENT EXECUTE FUNCTION disk_full()",
				"CREATE TRIGGER disk_full BEFORE INSERT ON quarantine FOR EACH STATEMENT EXECUTE FUNCTION disk_full()")
		},
		mends:   empty,
		restore: empty, // if it was not mended
	}
}

// transformer deploys one that fails at every start, and mends it by the way back and a replay of
// what Firehose kept below the error prefix.
func (l *line) transformer() scenario {
	var broken time.Time
	var lake *firehosetypes.DeliveryStreamDescription
	var was *fault.Broken
	mend := func(ctx context.Context) error {
		if was == nil {
			return nil
		}
		b := was
		was = nil
		return b.Mend(ctx, l.faulty())
	}
	return scenario{
		what: "a broken transformer is deployed",
		breaks: func(ctx context.Context) (err error) {
			if lake, err = l.toLake(ctx); err != nil {
				return err
			}
			b, err := fault.Look(ctx, l.faulty(), fault.Transformer)
			if err != nil {
				return err
			}
			broken, was = time.Now(), &b
			return b.Break(ctx, l.faulty())
		},
		mends: func(ctx context.Context) error {
			if err := mend(ctx); err != nil {
				return err
			}
			// What failed last is still in the buffer for the error prefix; what failed first had arrived before the fault.
			buffered := l.buffered(lake.Destinations[0].ExtendedS3DestinationDescription.BufferingHints)
			if err := wait.For(ctx, buffered); err != nil {
				return err
			}
			return l.Millrace(ctx, "replay", "errors", "--since="+stamp(broken.Add(-buffered)))
		},
		restore: mend,
	}
}
