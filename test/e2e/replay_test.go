package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	firehosetypes "github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/cmd/millrace/atrest"
	"github.com/millrace-cdk/millrace/cmd/millrace/replay"
	"github.com/millrace-cdk/millrace/local/rollout"
	"github.com/millrace-cdk/millrace/spec"
)

// tells runs build/millrace, decodes the JSON that it prints and returns its exit status.
func tells(t *testing.T, into any, args ...string) (status int) {
	t.Helper()
	command := exec.Command("build/millrace", args...)
	command.Dir = root
	var problems bytes.Buffer
	command.Stderr = &problems
	output, err := command.Output()
	if exit := new(exec.ExitError); err != nil {
		require.ErrorAs(t, err, &exit)
		status = exit.ExitCode()
	}
	require.NoError(t, json.Unmarshal(output, into), "%s", problems.String())
	return status
}

// replays runs `millrace replay` and returns its report and its exit status.
func replays(t *testing.T, args ...string) (report replay.Report, status int) {
	t.Helper()
	status = tells(t, &report, append([]string{"replay", "--json", "--rate=100000"}, args...)...)
	return report, status
}

// since is a flag for what arrives from now on. The environment has other tests' records too.
func since() string { return "--since=" + time.Now().UTC().Format("2006-01-02T15:04:05.000Z") }

// settled waits until the loader has stored all that is in the stream now.
func settled(t *testing.T, db *pgx.Conn) {
	t.Helper()
	client := kinesis.NewFromConfig(awsConfig(t))
	for _, hash := range []string{"0", "340282366920938463463374607431768211455"} { // the first shard and the last, of two
		id, body := newEvent(`"last":true`)
		_, err := client.PutRecord(t.Context(), &kinesis.PutRecordInput{
			StreamName: aws.String(os.Getenv("STREAM_NAME")), Data: body, PartitionKey: aws.String("last"), ExplicitHashKey: &hash,
		})
		require.NoError(t, err)
		payload(t, db, id)
	}
}

func rowsOf(t *testing.T, db *pgx.Conn, marker string) (n int) {
	t.Helper()
	require.NoError(t, db.QueryRow(t.Context(), "SELECT count(*) FROM events WHERE payload->>'marker' = $1", marker).Scan(&n))
	return n
}

// arrive waits until a lake has so many different events of the marker, and returns their identities.
func arrive(t *testing.T, lake *atrest.Lake, marker string, count int) map[string]bool {
	t.Helper()
	ids := map[string]bool{}
	require.Eventually(t, func() bool {
		require.NoError(t, lake.Refresh(t.Context()))
		for _, line := range lake.Lines {
			if bytes.Contains(line.Text, []byte(marker)) {
				ids[line.ID] = true
			}
		}
		return len(ids) >= count
	}, time.Minute, 200*time.Millisecond, "the lake has %d of %d events", &count, count)
	assert.Len(t, ids, count)
	return ids
}

// deployedDelivery is the delivery stream from the stream to the lake.
func deployedDelivery(t *testing.T) *firehosetypes.DeliveryStreamDescription {
	t.Helper()
	client := firehose.NewFromConfig(awsConfig(t))
	streams, err := client.ListDeliveryStreams(t.Context(), &firehose.ListDeliveryStreamsInput{})
	require.NoError(t, err)
	for _, name := range streams.DeliveryStreamNames {
		output, err := client.DescribeDeliveryStream(t.Context(), &firehose.DescribeDeliveryStreamInput{DeliveryStreamName: &name})
		require.NoError(t, err)
		d := output.DeliveryStreamDescription
		if strings.HasSuffix(aws.ToString(d.Destinations[0].ExtendedS3DestinationDescription.BucketARN), ":"+os.Getenv("LAKE_BUCKET")) {
			return d
		}
	}
	require.FailNow(t, "no delivery to the lake is deployed")
	return nil
}

// breakFunction makes a deployed function fail at every start, until mend is called.
// Where it is invoked by an alias, that leads to the broken version meanwhile.
func breakFunction(t *testing.T, arn string) (mend func()) {
	t.Helper()
	client := lambda.NewFromConfig(awsConfig(t))
	name, _ := rollout.Split(arn)
	was, err := client.GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: &name})
	require.NoError(t, err)
	variables := map[string]string{}
	if was.Environment != nil {
		variables = was.Environment.Variables
	}
	set := func(ctx context.Context, variables map[string]string) {
		_, err := client.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{
			FunctionName: &name, Environment: &lambdatypes.Environment{Variables: variables},
		})
		require.NoError(t, err)
	}
	set(t.Context(), map[string]string{spec.Variable: "broken"})
	back, err := rollout.Force(t.Context(), client, arn)
	require.NoError(t, err)
	mended := false
	mend = func() {
		if !mended {
			mended = true
			require.NoError(t, back(context.WithoutCancel(t.Context())))
			set(context.WithoutCancel(t.Context()), variables)
		}
	}
	t.Cleanup(mend)
	return mend
}

func transformerName(t *testing.T) string {
	t.Helper()
	for _, processor := range deployedDelivery(t).Destinations[0].ExtendedS3DestinationDescription.ProcessingConfiguration.Processors {
		for _, parameter := range processor.Parameters {
			if parameter.ParameterName == firehosetypes.ProcessorParameterNameLambdaArn {
				return strings.TrimSuffix(*parameter.ParameterValue, ":$LATEST")
			}
		}
	}
	require.FailNow(t, "the delivery has no transformer")
	return ""
}

// breakLoader makes Lambda give up the loader's batches at their first failure, until mend is called.
func breakLoader(t *testing.T) (mend func()) {
	t.Helper()
	client := lambda.NewFromConfig(awsConfig(t))
	mappings, err := client.ListEventSourceMappings(t.Context(), &lambda.ListEventSourceMappingsInput{})
	require.NoError(t, err)
	require.Len(t, mappings.EventSourceMappings, 1)
	was := mappings.EventSourceMappings[0]
	set := func(ctx context.Context, retries *int32, bisect *bool) {
		_, err := client.UpdateEventSourceMapping(ctx, &lambda.UpdateEventSourceMappingInput{
			UUID: was.UUID, MaximumRetryAttempts: retries, BisectBatchOnFunctionError: bisect,
		})
		require.NoError(t, err)
	}
	set(t.Context(), aws.Int32(0), aws.Bool(false))
	mendFunction := breakFunction(t, *was.FunctionArn)
	mend = func() {
		mendFunction()
		set(context.WithoutCancel(t.Context()), was.MaximumRetryAttempts, was.BisectBatchOnFunctionError)
	}
	t.Cleanup(mend)
	return mend
}

// failed are the records of the marker below the lake's error prefix, by their reason.
func failed(t *testing.T, marker string) map[string][]string {
	t.Helper()
	client := s3.NewFromConfig(awsConfig(t), func(o *s3.Options) {
		o.UsePathStyle, o.DisableLogOutputChecksumValidationSkipped = true, true
	})
	found := map[string][]string{}
	pages := s3.NewListObjectsV2Paginator(client, &s3.ListObjectsV2Input{Bucket: aws.String(os.Getenv("LAKE_BUCKET")), Prefix: aws.String("errors/")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		require.NoError(t, err)
		for _, object := range page.Contents {
			output, err := client.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(os.Getenv("LAKE_BUCKET")), Key: object.Key})
			require.NoError(t, err)
			text, err := io.ReadAll(output.Body)
			require.NoError(t, err)
			require.NoError(t, output.Body.Close())
			for line := range strings.Lines(string(text)) {
				var failure struct {
					ErrorCode string `json:"errorCode"`
					RawData   []byte `json:"rawData"`
				}
				require.NoError(t, json.Unmarshal([]byte(line), &failure))
				if bytes.Contains(failure.RawData, []byte(marker)) {
					found[failure.ErrorCode] = append(found[failure.ErrorCode], string(failure.RawData))
				}
			}
		}
	}
	return found
}

func TestPoisonStaysBelowTheErrorPrefixAndReplayBringsBackWhatOurCrashStopped(t *testing.T) {
	onlyLocal(t)
	db := database(t)
	marker, from := uuid.NewString(), since()
	var good, poison []string
	for i := range 1000 {
		switch {
		case i%33 == 10 && len(poison) < 30: // 3 %
			poison = append(poison, fmt.Sprintf([]string{"poison %s %d", `["%s",%d]`, `{"marker":"%s","i":%d`}[len(poison)%3], marker, i))
		case i%2 == 0:
			good = append(good, fmt.Sprintf(`{"event_id":"%s-%d","marker":%[1]q}`, marker, i))
		default:
			good = append(good, fmt.Sprintf(`{"marker":%q,"i":%d}`, marker, i))
		}
	}
	require.Len(t, poison, 30)
	produce(t, append(good[:len(good):len(good)], poison...)...)
	ids := arrive(t, lakeReader(t), marker, len(good))
	const refused, crashed = "Lambda.ProcessingFailedStatus", "Lambda.FunctionError"
	require.Eventually(t, func() bool { return len(failed(t, marker)[refused]) >= len(poison) }, time.Minute, 500*time.Millisecond)
	assert.ElementsMatch(t, poison, failed(t, marker)[refused])

	mend := breakFunction(t, transformerName(t))
	crash := uuid.NewString()
	var lost []string
	for i := range 200 {
		lost = append(lost, fmt.Sprintf(`{"marker":%q,"i":%d}`, crash, i))
	}
	produce(t, append(lost[:len(lost):len(lost)], "poison "+crash)...)
	require.Eventually(t, func() bool { return len(failed(t, crash)[crashed]) >= len(lost)+1 }, 2*time.Minute, 500*time.Millisecond)
	mend()

	dry, status := replays(t, "errors", from, "--dry-run")
	assert.Zero(t, status)
	report, status := replays(t, "errors", from)
	assert.Zero(t, status)
	assert.Equal(t, dry.Sent, report.Sent)
	assert.GreaterOrEqual(t, report.Sent, len(lost))
	assert.Empty(t, report.Failed)
	skipped := 0
	for reason, n := range report.Skipped {
		assert.True(t, strings.HasPrefix(reason, "the record is not "), reason)
		skipped += n
	}
	assert.Equal(t, report.Read, report.Sent+skipped)
	assert.GreaterOrEqual(t, skipped, len(poison)+1, "poison stays, and is counted")

	arrive(t, lakeReader(t), crash, len(lost))
	settled(t, db)
	assert.Equal(t, len(lost), rowsOf(t, db, crash), "the loader had them already, with the same identity")
	assert.Equal(t, len(good), rowsOf(t, db, marker))
	assert.Equal(t, ids, arrive(t, lakeReader(t), marker, len(good)))

	again, status := replays(t, "errors", from)
	assert.Zero(t, status)
	assert.Zero(t, again.Sent, "it goes on where it ended")
}

// secondDelivery makes a delivery of its own from the stream, with backup, by the deployed transformer.
func secondDelivery(t *testing.T) (bucket string, lake *atrest.Lake) {
	t.Helper()
	config := awsConfig(t)
	deployed := deployedDelivery(t)
	to := deployed.Destinations[0].ExtendedS3DestinationDescription
	bucket = "second-" + uuid.NewString()
	objects := s3.NewFromConfig(config, func(o *s3.Options) { o.UsePathStyle = true })
	_, err := objects.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket, CreateBucketConfiguration: &s3types.CreateBucketConfiguration{
		LocationConstraint: s3types.BucketLocationConstraint(config.Region),
	}})
	require.NoError(t, err)
	hints := &firehosetypes.BufferingHints{IntervalInSeconds: aws.Int32(60), SizeInMBs: aws.Int32(5)}
	client := firehose.NewFromConfig(config)
	_, err = client.CreateDeliveryStream(t.Context(), &firehose.CreateDeliveryStreamInput{
		DeliveryStreamName: &bucket, DeliveryStreamType: firehosetypes.DeliveryStreamTypeKinesisStreamAsSource,
		KinesisStreamSourceConfiguration: &firehosetypes.KinesisStreamSourceConfiguration{
			KinesisStreamARN: deployed.Source.KinesisStreamSourceDescription.KinesisStreamARN, RoleARN: to.RoleARN,
		},
		ExtendedS3DestinationConfiguration: &firehosetypes.ExtendedS3DestinationConfiguration{
			BucketARN: aws.String("arn:aws:s3:::" + bucket), RoleARN: to.RoleARN,
			Prefix: aws.String("events/"), ErrorOutputPrefix: aws.String("errors/!{firehose:error-output-type}/"),
			BufferingHints: hints, CompressionFormat: firehosetypes.CompressionFormatGzip, ProcessingConfiguration: to.ProcessingConfiguration,
			S3BackupMode: firehosetypes.S3BackupModeEnabled,
			// Below errors/ too, where the lake's reader does not look for lines.
			S3BackupConfiguration: &firehosetypes.S3DestinationConfiguration{
				BucketARN: aws.String("arn:aws:s3:::" + bucket), RoleARN: to.RoleARN, Prefix: aws.String("errors/raw/"), BufferingHints: hints,
			},
		},
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := client.DeleteDeliveryStream(context.WithoutCancel(t.Context()), &firehose.DeleteDeliveryStreamInput{DeliveryStreamName: &bucket})
		assert.NoError(t, err)
	})
	return bucket, atrest.NewLake(objects, bucket)
}

// numbered are events without an event_id.
func numbered(marker string, count int) []string {
	events := make([]string, count)
	for i := range events {
		events[i] = fmt.Sprintf(`{"marker":%q,"i":%d}`, marker, i)
	}
	return events
}

func TestANewDeliveryStartsAtLatestAndReplayClosesTheGap(t *testing.T) {
	onlyLocal(t)
	db := database(t)
	from, before, after := since(), uuid.NewString(), uuid.NewString()
	produce(t, numbered(before, 300)...)
	ids := arrive(t, lakeReader(t), before, 300)
	_, second := secondDelivery(t)
	time.Sleep(time.Second) // it starts at LATEST when it has been seen
	produce(t, numbered(after, 50)...)
	arrive(t, second, after, 50)
	for _, line := range second.Lines {
		assert.NotContains(t, string(line.Text), before, "it started at LATEST")
	}

	report, status := replays(t, "stream", from)
	assert.Zero(t, status)
	assert.GreaterOrEqual(t, report.Sent, 350)
	assert.Equal(t, ids, arrive(t, second, before, 300), "the gap is closed, with the identities of the first lake")
	arrive(t, second, after, 50)
	settled(t, db)
	assert.Equal(t, 300, rowsOf(t, db, before))
	assert.Equal(t, 50, rowsOf(t, db, after))
}

func TestAThousandEventsWithoutAnIDReplayedFromEverywhereStayAThousandRows(t *testing.T) {
	onlyLocal(t)
	db := database(t)
	bucket, _ := secondDelivery(t)
	time.Sleep(time.Second) // it starts at LATEST when it has been seen
	from, marker := since(), uuid.NewString()
	mendTransformer, mendLoader := breakFunction(t, transformerName(t)), breakLoader(t)
	produce(t, numbered(marker, 1000)...)
	require.Eventually(t, func() bool { return len(failed(t, marker)["Lambda.FunctionError"]) >= 1000 }, 2*time.Minute, 500*time.Millisecond)
	given := func() int {
		report, _ := replays(t, "failures", from, "--dry-run")
		return report.Sent
	}
	require.Eventually(t, func() bool { return given() >= 1000 }, 2*time.Minute, time.Second)
	assert.Zero(t, rowsOf(t, db, marker), "nothing is stored yet")
	mendTransformer()
	mendLoader()

	var ids map[string]bool
	for _, source := range [][]string{
		{"failures"},
		{"errors"},
		{"backup", "--from=s3://" + bucket + "/errors/raw/"},
		{"stream"},
	} {
		report, status := replays(t, append(source, from)...)
		assert.Zero(t, status, "%v: %v", source, report.Failed)
		assert.GreaterOrEqual(t, report.Sent, 1000, "%v", source)
		settled(t, db)
		assert.Equal(t, 1000, rowsOf(t, db, marker), "%v", source)
		now := arrive(t, lakeReader(t), marker, 1000)
		if ids != nil {
			assert.Equal(t, ids, now, "%v", source)
		}
		ids = now
	}
}
