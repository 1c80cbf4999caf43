package stream_test

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"

	"github.com/millrace-cdk/millrace/constructs/stream"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func pager(stack awscdk.Stack) awscloudwatch.IAlarmAction {
	return awscloudwatchactions.NewSnsAction(awssns.Topic_FromTopicArn(stack, jsii.String("Pager"), jsii.String("arn:aws:sns:eu-west-1:111122223333:pager")))
}

func TestValidateNamesEveryProblemAtOnce(t *testing.T) {
	stack := cdktest.NewStack()
	props := &stream.StreamingCoreProps{
		Shards:            -1,
		Load:              &stream.Load{},
		Retention:         awscdk.Duration_Hours(jsii.Number(23)),
		MaxRecordSize:     awscdk.Size_Kibibytes(jsii.Number(10_241)),
		ShardLevelMetrics: []awskinesis.ShardLevelMetrics{awskinesis.ShardLevelMetrics_ALL, awskinesis.ShardLevelMetrics_ALL},
		SharedReaders:     []string{""},
		StreamName:        "no spaces please",
		SkipAlarms:        true,
		AlarmActions:      []awscloudwatch.IAlarmAction{pager(stack)},
	}
	message := cdktest.Panics(t, func() { stream.NewStreamingCore(stack, "Core", props) })
	assert.Equal(t, `stream: Core: shards must be at least 1, or 0 for an on-demand stream, got -1
load records per second must be at least 1, got 0
load record size is required: give the average size of a record
retention must be 24 to 8760 whole hours, got 23
max record size must be 1024 to 10240 whole KiB, got 10241
shard level metrics must be ALL alone, got 2
shard level metrics must differ from each other, got ALL twice
shared readers must have names, got an empty one
stream name must be 1 to 128 letters, digits, '.', '-' and '_', got "no spaces please"
alarm actions are given and the alarms skipped: do one of the two`, message)
}

func TestShardsAreGivenOrCountedFromTheLoad(t *testing.T) {
	load := &stream.Load{RecordsPerSecond: 1, RecordSize: awscdk.Size_Kibibytes(jsii.Number(1))}
	err := (&stream.StreamingCoreProps{Shards: 1, Load: load}).Validate()
	assert.EqualError(t, err, "shards and load are both given: shards are counted from the load, give one of the two")
}

func TestTheRecordSizeOfALoadIsKnownAndOneThatAStreamMayHave(t *testing.T) {
	for want, size := range map[string]awscdk.Size{
		"load record size must be 1 to 10485760 whole bytes, got 0":             awscdk.Size_Bytes(jsii.Number(0)),
		"load record size must be 1 to 10485760 whole bytes, got 1.1534336e+07": awscdk.Size_Mebibytes(jsii.Number(11)),
		"load record size must be known at synth, got a token":                  awscdk.Size_Bytes(awscdk.Lazy_Number(&producer{24})),
	} {
		err := (&stream.StreamingCoreProps{Load: &stream.Load{RecordsPerSecond: 1, RecordSize: size}}).Validate()
		assert.EqualError(t, err, want)
	}
}

func TestMaxRecordSizeIsWholeKibibytesOfOneToTenMebibytes(t *testing.T) {
	for name, c := range map[string]struct {
		size awscdk.Size
		ok   bool
	}{
		"1 MiB":           {awscdk.Size_Mebibytes(jsii.Number(1)), true},
		"10 MiB":          {awscdk.Size_Mebibytes(jsii.Number(10)), true},
		"less":            {awscdk.Size_Kibibytes(jsii.Number(1_023)), false},
		"not whole":       {awscdk.Size_Bytes(jsii.Number(1_048_577)), false},
		"known at deploy": {awscdk.Size_Kibibytes(awscdk.Lazy_Number(&producer{24})), true},
	} {
		t.Run(name, func(t *testing.T) {
			err := (&stream.StreamingCoreProps{MaxRecordSize: c.size}).Validate()
			if c.ok {
				assert.NoError(t, err)
				return
			}
			assert.ErrorContains(t, err, "max record size must be 1024 to 10240 whole KiB")
		})
	}
}

func TestRetentionIsWholeHoursOfADayToAYear(t *testing.T) {
	for name, c := range map[string]struct {
		retention awscdk.Duration
		ok        bool
	}{
		"a day":                 {awscdk.Duration_Days(jsii.Number(1)), true},
		"a year":                {awscdk.Duration_Days(jsii.Number(365)), true},
		"more than a year":      {awscdk.Duration_Hours(jsii.Number(8_761)), false},
		"a day and a half hour": {awscdk.Duration_Minutes(jsii.Number(24*60 + 30)), false},
		"known at deploy":       {awscdk.Duration_Hours(awscdk.Lazy_Number(&producer{24})), true},
	} {
		t.Run(name, func(t *testing.T) {
			err := (&stream.StreamingCoreProps{Retention: c.retention}).Validate()
			if c.ok {
				assert.NoError(t, err)
				return
			}
			assert.ErrorContains(t, err, "retention must be 24 to 8760 whole hours")
		})
	}
}

// producer is a number that CDK asks for only when it writes the template.
type producer struct{ value float64 }

func (p *producer) Produce() *float64 { return &p.value }
