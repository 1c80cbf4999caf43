package load_test

import (
	"testing"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"

	"github.com/millrace-cdk/millrace/constructs/load"
	"github.com/millrace-cdk/millrace/constructs/stream"
	"github.com/millrace-cdk/millrace/spec"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestValidateNamesEveryProblemAtOnce(t *testing.T) {
	stack := cdktest.NewStack()
	err := (&load.PostgresLoaderProps{
		Tables:                  []spec.Table{{Name: "events"}},
		Migrations:              "no/such/folder",
		BatchSize:               10_001,
		BatchWindow:             awscdk.Duration_Minutes(jsii.Number(6)),
		ParallelizationFactor:   11,
		ReservedConcurrency:     -1,
		SkipReservedConcurrency: true,
		StartAt:                 time.Unix(1, 0),
		RetryAttempts:           -1,
		MaxRecordAge:            awscdk.Duration_Seconds(jsii.Number(59)),
		OnFailure:               awss3.Bucket_FromBucketName(stack, jsii.String("Theirs"), jsii.String("failed-batches")),
		FailureRetention:        awscdk.Duration_Hours(jsii.Number(36)),
		MaxLag:                  awscdk.Duration_Seconds(jsii.Number(30)),
		SkipAlarms:              true,
		AlarmActions:            []awscloudwatch.IAlarmAction{pager(stack)},
	}).Validate()
	assert.EqualError(t, err, `source is required: pass the stream to load from
database is required: pass the database to load into
table events: the name is millrace's own: take another one
table events: columns are required
reading migrations: open no/such/folder: no such file or directory
batch size must be 1 to 10000, got 10001
batch window must be 0 to 300 whole seconds, got 360
parallelization factor must be 1 to 10, got 11
reserved concurrency must be at least 1, got -1
reserved concurrency is given and skipped: do one of the two
start at is only for the starting position AT_TIMESTAMP, got TRIM_HORIZON
retry attempts must be 1 to 10000, got -1
max record age must be 60 to 604800 whole seconds, got 59
failure retention is of a new bucket, and a bucket is given: its lifecycle is its owner's
failure retention must be 1 to 2147483647 whole days, got 1.5
max lag must be 60 to 604800 whole seconds, got 30
alarm actions are given and the alarms skipped: do one of the two`)
}

func TestValidateAcceptsTheEdges(t *testing.T) {
	g, stack := newStacks()
	week := stream.NewStreamingCore(stack, "Week", &stream.StreamingCoreProps{Retention: awscdk.Duration_Days(jsii.Number(8))})
	assert.NoError(t, (&load.PostgresLoaderProps{
		Source:                week.Stream,
		Database:              g.db,
		BatchSize:             10_000,
		BatchWindow:           awscdk.Duration_Seconds(jsii.Number(0)),
		ParallelizationFactor: 10,
		ReservedConcurrency:   1,
		StartingPosition:      awslambda.StartingPosition_LATEST,
		RetryAttempts:         10_000,
		MaxRecordAge:          awscdk.Duration_Days(jsii.Number(7)),
		FailureRetention:      awscdk.Duration_Days(jsii.Number(1)),
		MaxLag:                awscdk.Duration_Minutes(jsii.Number(1)),
	}).Validate())
}

func TestAPlaceToStartIsOneOfThree(t *testing.T) {
	g, _ := newStacks()
	for name, c := range map[string]struct {
		position awslambda.StartingPosition
		at       time.Time
		want     string
	}{
		"no time":      {awslambda.StartingPosition_AT_TIMESTAMP, time.Time{}, "start at is required with the starting position AT_TIMESTAMP: pass the time to begin at"},
		"another word": {"EARLIEST", time.Time{}, `starting position must be TRIM_HORIZON, LATEST or AT_TIMESTAMP, got "EARLIEST"`},
		"a needless time": {
			awslambda.StartingPosition_LATEST, time.Unix(1, 0),
			"start at is only for the starting position AT_TIMESTAMP, got LATEST",
		},
		"before Unix": {
			awslambda.StartingPosition_AT_TIMESTAMP, time.Date(1969, 1, 2, 3, 4, 5, 0, time.UTC),
			"start at must be later than 1970, got 1969-01-02T03:04:05Z",
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := (&load.PostgresLoaderProps{Source: g.core.Stream, Database: g.db, StartingPosition: c.position, StartAt: c.at}).Validate()
			assert.EqualError(t, err, c.want)
		})
	}
}

func TestRecordsMustNotExpireBeforeTheyAreKeptOnFailure(t *testing.T) {
	g, stack := newStacks()
	day := stream.NewStreamingCore(stack, "Day", &stream.StreamingCoreProps{Retention: awscdk.Duration_Days(jsii.Number(1))})
	silent := awskinesis.NewCfnStream(stack, jsii.String("Silent"), &awskinesis.CfnStreamProps{})
	age := awscdk.Duration_Days(jsii.Number(1))

	err := (&load.PostgresLoaderProps{Source: day.Stream, Database: g.db, MaxRecordAge: age}).Validate()
	assert.EqualError(t, err, "max record age must be less than the retention of source, 24 hours, or records expire before they are kept on failure, got 24 hours")

	imported := awskinesis.Stream_FromStreamArn(stack, jsii.String("Imported"), silent.AttrArn())
	assert.NoError(t, (&load.PostgresLoaderProps{Source: imported, Database: g.db, MaxRecordAge: age}).Validate(), "its retention is not known here")
}

func TestTheConstructorPanicsWithWhatValidateSays(t *testing.T) {
	message := cdktest.Panics(t, func() { load.NewPostgresLoader(cdktest.NewStack(), "Loader", nil) })
	assert.Equal(t, `load: Loader: source is required: pass the stream to load from
database is required: pass the database to load into`, message)
}

func TestPropsAreNotChanged(t *testing.T) {
	g, stack := newStacks()
	props := load.PostgresLoaderProps{Source: g.core.Stream, Database: g.db}
	given := props
	load.NewPostgresLoader(stack, "Loader", &given)
	assert.Equal(t, props, given)
}
