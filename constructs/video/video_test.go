package video_test

import (
	"maps"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/video"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestMain(m *testing.M) { cdktest.Main(m) }

var two = []string{"porch", "garden"}

func with(props *video.VideoIngestProps) (*video.VideoIngest, awscdk.Stack) {
	stack := cdktest.NewStack()
	return video.NewVideoIngest(stack, "Video", props), stack
}

func pager(stack awscdk.Stack) awscloudwatch.IAlarmAction {
	return awscloudwatchactions.NewSnsAction(awssns.Topic_FromTopicArn(stack, jsii.String("Pager"), jsii.String("arn:aws:sns:eu-west-1:111122223333:pager")))
}

func roleIn(stack awscdk.Stack, id string) awsiam.Role {
	return awsiam.NewRole(stack, &id, &awsiam.RoleProps{AssumedBy: awsiam.NewServicePrincipal(jsii.String("credentials.iot.amazonaws.com"), nil)})
}

func TestGolden(t *testing.T) {
	t.Run("minimal", func(t *testing.T) {
		_, stack := with(nil)
		cdktest.Golden(t, stack, "minimal")
	})
	t.Run("everything on", func(t *testing.T) {
		stack := cdktest.NewStack()
		v := video.NewVideoIngest(stack, "Video", &video.VideoIngestProps{
			Devices: two, Retention: awscdk.Duration_Days(jsii.Number(30)), MediaType: "video/h265", MaxSilence: awscdk.Duration_Hours(jsii.Number(1)),
			AlarmActions: []awscloudwatch.IAlarmAction{pager(stack)}, RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
		})
		v.GrantProducer("porch", roleIn(stack, "Porch"))
		v.GrantViewer("garden", roleIn(stack, "Guard"))
		cdktest.Golden(t, stack, "everything-on")
	})
	t.Run("bring your own", func(t *testing.T) {
		stack := cdktest.NewStack()
		v := video.NewVideoIngest(stack, "Video", &video.VideoIngestProps{
			Key:          awskms.Key_FromKeyArn(stack, jsii.String("TheirKey"), jsii.String("arn:aws:kms:eu-west-1:111122223333:key/11111111-2222-3333-4444-555555555555")),
			Intermittent: true,
		})
		v.GrantProducer(video.DefaultDevice, roleIn(stack, "Camera"))
		cdktest.Golden(t, stack, "bring-your-own")
	})
}

func TestVideoIsEncryptedWithAKeyThatIsRotatedAndKeptForADay(t *testing.T) {
	_, stack := with(nil)
	template := cdktest.Template(stack)
	template.HasResourceProperties(jsii.String("AWS::KMS::Key"), map[string]any{"EnableKeyRotation": true})
	key := idOf(t, stack, "AWS::KMS::Key")
	template.HasResource(jsii.String("AWS::KinesisVideo::Stream"), map[string]any{
		"DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain",
		"Properties": map[string]any{
			"DataRetentionInHours": 24, "DeviceName": "camera", "MediaType": "video/h264",
			"KmsKeyId": map[string]any{"Fn::GetAtt": []any{key, "Arn"}},
		},
	})
}

func TestEachDeviceHasAStreamOfItsOwn(t *testing.T) {
	v, stack := with(&video.VideoIngestProps{Devices: two})
	cdktest.Template(stack).ResourceCountIs(jsii.String("AWS::KinesisVideo::Stream"), jsii.Number(2))
	assert.NotEqual(t, stack.Resolve(v.StreamName("porch")), stack.Resolve(v.StreamName("garden")))
}

// idOf is the logical ID of the one resource of a type.
func idOf(t *testing.T, stack awscdk.Stack, resourceType string) string {
	t.Helper()
	all := *cdktest.Template(stack).FindResources(&resourceType, nil)
	require.Len(t, all, 1)
	for id := range all {
		return id
	}
	return ""
}

// statementsOf are those of the one policy in stack.
func statementsOf(t *testing.T, stack awscdk.Stack) []any {
	t.Helper()
	policy := (*cdktest.Template(stack).FindResources(jsii.String("AWS::IAM::Policy"), nil))[idOf(t, stack, "AWS::IAM::Policy")]
	return (*policy)["Properties"].(map[string]any)["PolicyDocument"].(map[string]any)["Statement"].([]any)
}

func TestADevicesPolicyNamesItsStreamAndNoOther(t *testing.T) {
	v, stack := with(&video.VideoIngestProps{Devices: two})
	v.GrantProducer("porch", roleIn(stack, "Porch"))
	assert.Equal(t, []any{
		map[string]any{
			"Effect": "Allow", "Action": []any{"kinesisvideo:DescribeStream", "kinesisvideo:GetDataEndpoint", "kinesisvideo:PutMedia"},
			"Resource": map[string]any{"Fn::GetAtt": []any{stack.Resolve(v.StreamName("porch")).(map[string]any)["Ref"], "Arn"}},
		},
		map[string]any{
			"Effect": "Allow", "Action": "kms:GenerateDataKey", "Resource": map[string]any{"Fn::GetAtt": []any{idOf(t, stack, "AWS::KMS::Key"), "Arn"}},
			"Condition": map[string]any{"StringEquals": map[string]any{
				"kms:ViaService": map[string]any{"Fn::Join": []any{"", []any{"kinesisvideo.", map[string]any{"Ref": "AWS::Region"}, ".amazonaws.com"}}},
			}},
		},
	}, statementsOf(t, stack))
}

func TestAViewerSeesOneStreamAndPutsNothing(t *testing.T) {
	v, stack := with(&video.VideoIngestProps{Devices: two})
	v.GrantViewer("garden", roleIn(stack, "Guard"))
	statements := statementsOf(t, stack)
	require.Len(t, statements, 2)
	media, key := statements[0].(map[string]any), statements[1].(map[string]any)
	assert.Equal(t, map[string]any{"Fn::GetAtt": []any{stack.Resolve(v.StreamName("garden")).(map[string]any)["Ref"], "Arn"}}, media["Resource"])
	assert.NotContains(t, media["Action"], "kinesisvideo:PutMedia")
	assert.Contains(t, media["Action"], "kinesisvideo:GetMedia")
	assert.Equal(t, "kms:Decrypt", key["Action"])
}

func TestADeviceThatIsNotDeclaredIsRefused(t *testing.T) {
	v, stack := with(nil)
	for _, use := range []func(){
		func() { v.GrantProducer("porch", roleIn(stack, "A")) },
		func() { v.GrantViewer("porch", roleIn(stack, "B")) },
		func() { v.MetricErrorAcks("porch", nil) },
	} {
		assert.Equal(t, `video: Test/Video: device must be one of Devices, got "porch"`, cdktest.Panics(t, use))
	}
}

func TestEachDeviceIsWatchedByItsStream(t *testing.T) {
	v, stack := with(&video.VideoIngestProps{Devices: []string{"porch"}})
	want := map[string]map[string]any{
		"ErrorAcks":        {"MetricName": "PutMedia.ErrorAckCount", "Threshold": 0, "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching"},
		"ConnectionErrors": {"MetricName": "PutMedia.ConnectionErrors", "Threshold": 0, "ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching"},
		"Silent":           {"MetricName": "PutMedia.IncomingFragments", "Threshold": 1, "ComparisonOperator": "LessThanThreshold", "TreatMissingData": "breaching"},
	}
	require.Len(t, v.Alarms(), len(want))
	template := cdktest.Template(stack)
	template.ResourceCountIs(jsii.String("AWS::CloudWatch::Alarm"), jsii.Number(len(want)))
	for id, properties := range want {
		all := map[string]any{
			"AlarmName": "Test-Video-porch-" + id, "Namespace": "AWS/KinesisVideo", "Statistic": "Sum", "Period": 300, "EvaluationPeriods": 3,
			"Dimensions": []any{map[string]any{"Name": "StreamName", "Value": map[string]any{"Ref": idOf(t, stack, "AWS::KinesisVideo::Stream")}}},
		}
		maps.Copy(all, properties)
		template.HasResourceProperties(jsii.String("AWS::CloudWatch::Alarm"), all)
	}
}

func TestSilenceOfADeviceThatSendsNowAndThenIsNoAlarm(t *testing.T) {
	v, _ := with(&video.VideoIngestProps{Intermittent: true})
	require.Len(t, v.Alarms(), 2)
	for _, alarm := range v.Alarms() {
		assert.NotEqual(t, "Silent", *alarm.Node().Id())
	}
	v, _ = with(&video.VideoIngestProps{SkipAlarms: true})
	assert.Empty(t, v.Alarms())
}

func TestAlarmsTellWhomTheyAreGiven(t *testing.T) {
	stack := cdktest.NewStack()
	video.NewVideoIngest(stack, "Video", &video.VideoIngestProps{AlarmActions: []awscloudwatch.IAlarmAction{pager(stack)}})
	told := []any{"arn:aws:sns:eu-west-1:111122223333:pager"}
	cdktest.Template(stack).AllResourcesProperties(jsii.String("AWS::CloudWatch::Alarm"), map[string]any{"AlarmActions": told, "OKActions": told})
}

func TestAVideoIngestIsAScopeAndLeavesItsPropsAlone(t *testing.T) {
	props := &video.VideoIngestProps{}
	v, _ := with(props)
	assert.Equal(t, "Test/Video/Child", *constructs.NewConstruct(v, jsii.String("Child")).Node().Path())
	assert.Equal(t, &video.VideoIngestProps{}, props)
}

func TestEveryProblemIsToldAtOnce(t *testing.T) {
	err := (&video.VideoIngestProps{
		Devices: []string{"a b", "x", "x", "Key"}, Retention: awscdk.Duration_Hours(jsii.Number(87_601)), MediaType: "film",
		MaxSilence: awscdk.Duration_Minutes(jsii.Number(7)), Intermittent: true, SkipAlarms: true, AlarmActions: []awscloudwatch.IAlarmAction{nil},
	}).Validate()
	for _, problem := range []string{
		`device must be 1 to 128 letters, digits, '_' and '-', got "a b"`, "devices must differ from each other, got x twice", "device must not be Key",
		"retention must be 1 to 87600 whole hours, got 87601", `media type must be like video/h264, up to 128 characters, got "film"`,
		"max silence must be 5 to 1440 minutes in steps of 5, got 7", "max silence is given and the devices are intermittent", "alarm actions are given and the alarms skipped",
	} {
		assert.ErrorContains(t, err, problem)
	}
	assert.Contains(t, cdktest.Panics(t, func() { with(&video.VideoIngestProps{Devices: []string{""}}) }), `video: Video: device must be 1 to 128`)
}
