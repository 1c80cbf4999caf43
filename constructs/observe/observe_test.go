package observe_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/observe"
	"github.com/millrace-cdk/millrace/constructs/stream"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestMain(m *testing.M) { cdktest.Main(m) }

// shop is a construct that is not ours.
type shop []awscloudwatch.Alarm

func (s shop) Alarms() []awscloudwatch.Alarm { return s }

// alarmOf defines an alarm as a user does.
func alarmOf(scope constructs.Construct, id string) awscloudwatch.Alarm {
	return awscloudwatch.NewAlarm(scope, &id, &awscloudwatch.AlarmProps{
		Metric:           awscloudwatch.NewMetric(&awscloudwatch.MetricProps{Namespace: jsii.String("Shop"), MetricName: &id}),
		Threshold:        jsii.Number(1),
		AlarmDescription: jsii.String("The shop has " + id + "."), EvaluationPeriods: jsii.Number(1),
	})
}

// resources are those of the type, by logical id.
func resources(stack awscdk.Stack, kind string) map[string]map[string]any {
	all := map[string]map[string]any{}
	for id, resource := range *cdktest.Template(stack).FindResources(jsii.String(kind), nil) {
		all[id] = (*resource)["Properties"].(map[string]any)
	}
	return all
}

func tags(properties map[string]any) map[string]string {
	all := map[string]string{}
	list, _ := properties["Tags"].([]any)
	for _, tag := range list {
		tag := tag.(map[string]any)
		all[tag["Key"].(string)] = tag["Value"].(string)
	}
	return all
}

// the is the one alarm whose description begins so, or whose name ends so.
func the(t *testing.T, stack awscdk.Stack, kind, what string) map[string]any {
	t.Helper()
	for _, properties := range resources(stack, kind) {
		name, _ := properties["AlarmName"].(string)
		if strings.HasPrefix(fmt.Sprint(properties["AlarmDescription"]), what) || strings.HasSuffix(name, what) {
			return properties
		}
	}
	require.Fail(t, "there is no such alarm", what)
	return nil
}

func TestBothTopicsAreEncryptedAndTakeFromCloudWatchAndOverTLSAlone(t *testing.T) {
	stack := cdktest.NewStack()
	alerts := observe.NewAlerts(stack, "Alerts", nil)
	template := cdktest.Template(stack)
	key := stack.Resolve(alerts.Key.KeyArn())
	template.ResourceCountIs(jsii.String("AWS::SNS::Topic"), jsii.Number(2))
	template.AllResourcesProperties(jsii.String("AWS::SNS::Topic"), map[string]any{"KmsMasterKeyId": key})
	ours := map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": map[string]any{"Ref": "AWS::AccountId"}}}
	service := map[string]any{"Service": "cloudwatch.amazonaws.com"}
	template.AllResourcesProperties(jsii.String("AWS::SNS::TopicPolicy"), map[string]any{"PolicyDocument": map[string]any{"Statement": []any{
		assertions.Match_ObjectLike(&map[string]any{"Effect": "Deny", "Action": "sns:Publish", "Condition": map[string]any{"Bool": map[string]any{"aws:SecureTransport": "false"}}}),
		assertions.Match_ObjectLike(&map[string]any{"Effect": "Allow", "Action": "sns:Publish", "Condition": ours, "Principal": service}),
	}}})
	template.HasResourceProperties(jsii.String("AWS::KMS::Key"), map[string]any{
		"EnableKeyRotation": true,
		"KeyPolicy": map[string]any{"Statement": assertions.Match_ArrayWith(&[]any{
			assertions.Match_ObjectLike(&map[string]any{"Action": []any{"kms:Decrypt", "kms:GenerateDataKey"}, "Condition": ours, "Principal": service}),
		})},
	})
	template.HasResource(jsii.String("AWS::KMS::Key"), map[string]any{"DeletionPolicy": "Retain"})
}

func TestWhoIsToldIsSubscribedByMailOrByHTTPS(t *testing.T) {
	stack := cdktest.NewStack()
	alerts := observe.NewAlerts(stack, "Alerts", &observe.AlertsProps{PageTo: []string{"https://page.example/x"}, TicketTo: []string{"team@example.com"}})
	template := cdktest.Template(stack)
	template.ResourceCountIs(jsii.String("AWS::SNS::Subscription"), jsii.Number(2))
	template.HasResourceProperties(jsii.String("AWS::SNS::Subscription"), map[string]any{
		"Protocol": "https", "Endpoint": "https://page.example/x", "TopicArn": stack.Resolve(alerts.Pages.TopicArn()),
	})
	template.HasResourceProperties(jsii.String("AWS::SNS::Subscription"), map[string]any{
		"Protocol": "email", "Endpoint": "team@example.com", "TopicArn": stack.Resolve(alerts.Tickets.TopicArn()),
	})
}

func TestAKeyOfTheirsIsTaken(t *testing.T) {
	stack := cdktest.NewStack()
	key := awskms.Key_FromKeyArn(stack, jsii.String("Mine"), jsii.String("arn:aws:kms:eu-west-1:111122223333:key/1234"))
	observe.NewAlerts(stack, "Alerts", &observe.AlertsProps{Key: key})
	template := cdktest.Template(stack)
	template.ResourceCountIs(jsii.String("AWS::KMS::Key"), jsii.Number(0))
	template.AllResourcesProperties(jsii.String("AWS::SNS::Topic"), map[string]any{"KmsMasterKeyId": "arn:aws:kms:eu-west-1:111122223333:key/1234"})
}

func TestAlertsSayAllThatIsWrongAtOnce(t *testing.T) {
	message := cdktest.Panics(t, func() {
		observe.NewAlerts(cdktest.NewStack(), "Alerts", &observe.AlertsProps{
			PageTo: []string{"nobody", "a@b.c", "a@b.c"}, TicketTo: []string{"http://plain.example"},
			Severities: map[string]observe.Severity{"ingest-latency": "fatal"}, Runbook: "runbook.md",
		})
	})
	for _, problem := range []string{
		`observe: Alerts: `, `page to must be e-mail addresses or https:// URLs, got "nobody"`, `page to must differ from each other, got "a@b.c" twice`,
		`ticket to must be e-mail addresses or https:// URLs, got "http://plain.example"`,
		`severity of ingest-latency must be "critical" or "warning", got "fatal"`, `runbook must be an https:// URL, got "runbook.md"`,
	} {
		assert.Contains(t, message, problem)
	}
}

func TestEveryWatchedAlarmTellsTicketsOfItselfAndOfItsEnd(t *testing.T) {
	stack := cdktest.NewStack()
	alerts := observe.NewAlerts(stack, "Alerts", nil)
	core := stream.NewStreamingCore(stack, "Core", nil)
	alerts.Watch(core, shop{alarmOf(stack, "Theft")})
	assert.Len(t, alerts.Alarms(), len(core.Alarms())+1)
	tickets := []any{stack.Resolve(alerts.Tickets.TopicArn())}
	all := resources(stack, "AWS::CloudWatch::Alarm")
	assert.Len(t, all, len(alerts.Alarms()))
	for id, alarm := range all {
		assert.Equal(t, tickets, alarm["AlarmActions"], id)
		assert.Equal(t, tickets, alarm["OKActions"], id)
	}
}

func TestAnAlarmSaysWhatItIsAndWhereItsSectionStands(t *testing.T) {
	stack := cdktest.NewStack()
	alerts := observe.NewAlerts(stack, "Alerts", &observe.AlertsProps{
		Runbook: "https://wiki.example/runbook", Severities: map[string]observe.Severity{"stream-readthrottled": observe.Critical},
	})
	theft := alarmOf(stack, "Theft")
	observe.Mark(theft, "shop Theft", "Stolen", observe.Warning)
	alerts.Watch(stream.NewStreamingCore(stack, "Core", nil), shop{theft})

	alarm := the(t, stack, "AWS::CloudWatch::Alarm", "Test-Core-IteratorAge")
	assert.Equal(t, map[string]string{observe.SeverityTag: "critical", observe.SymptomTag: "Late", observe.RunbookTag: "stream-iteratorage"}, tags(alarm))
	assert.Contains(t, alarm["AlarmDescription"], "Runbook: https://wiki.example/runbook#stream-iteratorage")
	assert.NotContains(t, alarm["AlarmDescription"], observe.DefaultRunbook)
	assert.Equal(t, "critical", tags(the(t, stack, "AWS::CloudWatch::Alarm", "-ReadThrottled"))[observe.SeverityTag], "the map has the last word")
	assert.Equal(t, "critical", tags(the(t, stack, "AWS::CloudWatch::Alarm", "-WriteThrottled"))[observe.SeverityTag])

	mine := the(t, stack, "AWS::CloudWatch::Alarm", "The shop has Theft.")
	assert.Equal(t, "The shop has Theft. Runbook: https://wiki.example/runbook#shop-theft", mine["AlarmDescription"])
	assert.Equal(t, map[string]string{observe.SeverityTag: "warning", observe.SymptomTag: "Stolen", observe.RunbookTag: "shop-theft"}, tags(mine))
}

func TestASymptomPagesOnceForAllItsCriticalAlarmsAndNoWarning(t *testing.T) {
	app := cdktest.NewApp()
	below := awscdk.NewStack(app, jsii.String("Below"), nil)
	above := awscdk.NewStack(app, jsii.String("Above"), nil)
	alerts := observe.NewAlerts(below, "Alerts", nil)
	theft := alarmOf(above, "Theft")
	alerts.Watch(stream.NewStreamingCore(below, "Core", nil), shop{theft})
	symptoms := observe.NewSymptoms(above, "Symptoms", &observe.SymptomsProps{Alerts: alerts})

	assert.Equal(t, []observe.Symptom{observe.Late, observe.Other, observe.Refused}, symptoms.Names())
	composites := resources(above, "AWS::CloudWatch::CompositeAlarm")
	assert.Len(t, composites, 3)
	pages := []any{map[string]any{"Fn::ImportValue": "Below:" + exported(t, below, "AlertsPages")}}
	for id, composite := range composites {
		assert.Equal(t, pages, composite["AlarmActions"], id)
		assert.Equal(t, pages, composite["OKActions"], id)
	}

	refused := the(t, above, "AWS::CloudWatch::CompositeAlarm", "Above-Symptoms-Refused")
	rule := fmt.Sprint(refused["AlarmRule"])
	assert.Contains(t, rule, ":alarm:Below-Core-WriteThrottled")
	assert.Contains(t, rule, ":alarm:Below-Core-FailedRecords")
	assert.NotContains(t, rule, "IteratorAge", "it is of another symptom")
	assert.NotContains(t, rule, "ImportValue", "an import would hold the alarm")
	assert.NotContains(t, fmt.Sprint(the(t, above, "AWS::CloudWatch::CompositeAlarm", "-Late")["AlarmRule"]), "ReadThrottled", "it is a warning")
	assert.Equal(t, "symptom-refused", tags(refused)[observe.RunbookTag])
	assert.Contains(t, refused["AlarmDescription"], observe.DefaultRunbook+"#symptom-refused")
	assert.Contains(t, fmt.Sprint(the(t, above, "AWS::CloudWatch::CompositeAlarm", "-Other")["AlarmRule"]), "Theft", "an alarm without a mark pages")
	assert.Nil(t, symptoms.Composite(observe.Database))
}

// exported is the name of stack's export of the resource.
func exported(t *testing.T, stack awscdk.Stack, of string) string {
	t.Helper()
	for id := range *cdktest.Template(stack).FindOutputs(jsii.String("*"), nil) {
		if strings.Contains(id, of) {
			return id
		}
	}
	require.Fail(t, "there is no such export", of)
	return ""
}

func TestWhatExplainsASymptomKeepsItFromPaging(t *testing.T) {
	stack := cdktest.NewStack()
	alerts := observe.NewAlerts(stack, "Alerts", nil)
	disk := alarmOf(stack, "Full")
	observe.Mark(disk, "shop Full", observe.Database, observe.Critical)
	alerts.Watch(stream.NewStreamingCore(stack, "Core", nil), shop{disk})
	symptoms := observe.NewSymptoms(stack, "Symptoms", &observe.SymptomsProps{Alerts: alerts})

	late := the(t, stack, "AWS::CloudWatch::CompositeAlarm", "-Late")
	assert.Equal(t, stack.Resolve(symptoms.Composite(observe.Database).AlarmArn()), late["ActionsSuppressor"])
	assert.EqualValues(t, 360, late["ActionsSuppressorWaitPeriod"])
	assert.EqualValues(t, 900, late["ActionsSuppressorExtensionPeriod"])
	assert.NotContains(t, the(t, stack, "AWS::CloudWatch::CompositeAlarm", "-Refused"), "ActionsSuppressor")
}

func TestSymptomsSayWhatIsWrong(t *testing.T) {
	assert.Contains(t, cdktest.Panics(t, func() { observe.NewSymptoms(cdktest.NewStack(), "Symptoms", nil) }), "observe: Symptoms: alerts must be given")

	stack := cdktest.NewStack()
	alerts := observe.NewAlerts(stack, "Alerts", nil)
	theft := alarmOf(stack, "Theft")
	observe.Mark(theft, "shop Theft", "Things are stolen", observe.Critical)
	alerts.Watch(shop{theft})
	err := (&observe.SymptomsProps{Alerts: alerts, Explains: map[observe.Symptom]observe.Symptom{"A": "B", "B": "C"}}).Validate()
	assert.ErrorContains(t, err, `symptom must be 1 to 64 letters, got "Things are stolen"`)
	assert.ErrorContains(t, err, "explains must be of one step, got A, which B explains, which C explains")
}
