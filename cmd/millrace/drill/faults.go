package drill

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	firehosetypes "github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/jackc/pgx/v5"

	"github.com/millrace-cdk/millrace/local/rollout"
	"github.com/millrace-cdk/millrace/spec"
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
	var old, made, plan string
	enter := func(ctx context.Context, id string) error {
		_, err := l.api.CreateUsagePlanKey(ctx, &apigateway.CreateUsagePlanKeyInput{UsagePlanId: &plan, KeyId: &id, KeyType: aws.String("API_KEY")})
		return err
	}
	return scenario{
		what: "the clients' API key expires",
		breaks: func(ctx context.Context) error {
			var err error
			var key string
			if key, plan, err = l.keyAndPlan(ctx); err != nil {
				return err
			}
			if _, err = l.api.DeleteUsagePlanKey(ctx, &apigateway.DeleteUsagePlanKeyInput{UsagePlanId: &plan, KeyId: &key}); err == nil {
				old = key
			}
			return err
		},
		mends: func(ctx context.Context) error {
			key, err := l.api.CreateApiKey(ctx, &apigateway.CreateApiKeyInput{Name: aws.String("drill"), Enabled: true})
			if err != nil {
				return err
			}
			made = aws.ToString(key.Id)
			err = enter(ctx, made)
			l.key.Store(key.Value)
			return err
		},
		restore: func(ctx context.Context) (err error) {
			if old != "" {
				err = enter(ctx, old)
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

// keyAndPlan are the ids of the clients' key and of the usage plan that lets it in.
func (l *line) keyAndPlan(ctx context.Context) (key, plan string, err error) {
	keys, err := l.api.GetApiKeys(ctx, &apigateway.GetApiKeysInput{IncludeValues: aws.Bool(true)})
	if err != nil {
		return "", "", fmt.Errorf("listing API keys: %w", err)
	}
	for _, k := range keys.Items {
		if aws.ToString(k.Value) == l.APIKey {
			key = aws.ToString(k.Id)
		}
	}
	plans, err := l.api.GetUsagePlans(ctx, &apigateway.GetUsagePlansInput{KeyId: &key})
	if err != nil {
		return "", "", fmt.Errorf("listing usage plans: %w", err)
	}
	for _, p := range plans.Items {
		for _, stage := range p.ApiStages {
			if strings.HasSuffix(l.APIURL, "/"+aws.ToString(stage.ApiId)+"/"+aws.ToString(stage.Stage)) {
				return key, aws.ToString(p.Id), nil
			}
		}
	}
	return "", "", fmt.Errorf("no usage plan lets the clients' key into %s", l.APIURL)
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
	var back func(context.Context) error
	mend := func(ctx context.Context) error {
		if back == nil {
			return nil
		}
		undo := back
		back = nil
		return undo(ctx)
	}
	return scenario{
		what: "a broken transformer is deployed",
		breaks: func(ctx context.Context) (err error) {
			if lake, err = l.toLake(ctx); err != nil {
				return err
			}
			broken = time.Now()
			back, err = l.breakFunction(ctx, processorOf(lake))
			return err
		},
		mends: func(ctx context.Context) error {
			if err := mend(ctx); err != nil {
				return err
			}
			// What failed last is still in the buffer for the error prefix; what failed first had arrived before the fault.
			buffered := l.buffered(lake.Destinations[0].ExtendedS3DestinationDescription.BufferingHints)
			if err := sleep(ctx, buffered); err != nil {
				return err
			}
			return l.Millrace(ctx, "replay", "errors", "--since="+stamp(broken.Add(-buffered)))
		},
		restore: mend,
	}
}

// processorOf is the ARN of a delivery stream's function.
func processorOf(d *firehosetypes.DeliveryStreamDescription) string {
	configuration := d.Destinations[0].ExtendedS3DestinationDescription.ProcessingConfiguration
	if configuration == nil {
		return ""
	}
	for _, processor := range configuration.Processors {
		for _, p := range processor.Parameters {
			if p.ParameterName == firehosetypes.ProcessorParameterNameLambdaArn {
				return aws.ToString(p.ParameterValue)
			}
		}
	}
	return ""
}

// breakFunction deploys a function with a spec that is none, past every check. back makes it as it was.
func (l *line) breakFunction(ctx context.Context, arn string) (back func(context.Context) error, err error) {
	name, _ := rollout.Split(arn)
	configuration, err := l.function.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &name})
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	set := func(ctx context.Context, variables map[string]string) error {
		_, err := l.function.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{
			FunctionName: &name, Environment: &lambdatypes.Environment{Variables: variables},
		})
		return err
	}
	if err := set(ctx, map[string]string{spec.Variable: "no spec"}); err != nil {
		return nil, fmt.Errorf("breaking %s: %w", name, err)
	}
	restore := func(ctx context.Context) error { return set(ctx, configuration.Environment.Variables) }
	point, err := rollout.Force(ctx, l.function, arn) // no hook would let it through
	if err != nil {
		return nil, errors.Join(err, restore(ctx))
	}
	return func(ctx context.Context) error { return errors.Join(point(ctx), restore(ctx)) }, nil
}
