package stream_test

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/stream"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestGolden(t *testing.T) {
	t.Run("minimal", func(t *testing.T) {
		stack := cdktest.NewStack()
		stream.NewStreamingCore(stack, "Core", nil)
		cdktest.Golden(t, stack, "minimal")
	})
	t.Run("everything on", func(t *testing.T) {
		stack := cdktest.NewStack()
		core := stream.NewStreamingCore(stack, "Core", &stream.StreamingCoreProps{
			Load:              &stream.Load{RecordsPerSecond: 1_500, RecordSize: awscdk.Size_Bytes(jsii.Number(700))},
			Retention:         awscdk.Duration_Days(jsii.Number(14)),
			MaxRecordSize:     awscdk.Size_Mebibytes(jsii.Number(10)),
			ShardLevelMetrics: []awskinesis.ShardLevelMetrics{awskinesis.ShardLevelMetrics_ALL},
			SharedReaders:     []string{"flink", "archive", "audit"},
			StreamName:        "events",
			AlarmActions:      []awscloudwatch.IAlarmAction{pager(stack)},
			RemovalPolicy:     awscdk.RemovalPolicy_DESTROY,
		})
		core.GrantWrite(role(stack, "Producer"))
		core.GrantRead(role(stack, "Consumer"))
		core.GrantSubscribe(core.AddConsumer("fraud"), role(stack, "Subscriber"))
		core.GrantWrite(awsiam.NewArnPrincipal(jsii.String("arn:aws:iam::444455556666:role/producer")))
		core.GrantRead(awsiam.NewAccountPrincipal(jsii.String("444455556666")))
		cdktest.Golden(t, stack, "everything-on")
	})
	t.Run("bring your own", func(t *testing.T) {
		stack := cdktest.NewStack()
		key := awskms.Key_FromKeyArn(stack, jsii.String("Mine"), jsii.String("arn:aws:kms:eu-west-1:111122223333:key/1234"))
		stream.NewStreamingCore(stack, "Core", &stream.StreamingCoreProps{Key: key})
		cdktest.Golden(t, stack, "bring-your-own")
	})
}
