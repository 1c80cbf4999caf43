package observe_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscodepipeline"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/observe"
	"github.com/millrace-cdk/millrace/constructs/stream"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

// widget is one of a dashboard's body.
type widget struct {
	Type                string
	X, Y, Width, Height int
	Properties          struct {
		Title       string
		Alarms      []string
		Metrics     [][]any
		Annotations struct{ Alarms []string }
	}
}

// body is the dashboard's, its references as words.
func body(t *testing.T, stack awscdk.Stack) []widget {
	t.Helper()
	for _, properties := range resources(stack, "AWS::CloudWatch::Dashboard") {
		var text strings.Builder
		for _, part := range properties["DashboardBody"].(map[string]any)["Fn::Join"].([]any)[1].([]any) {
			if literal, ok := part.(string); ok {
				text.WriteString(literal)
			} else {
				text.WriteString("REFERENCE")
			}
		}
		var b struct{ Widgets []widget }
		require.NoError(t, json.Unmarshal([]byte(text.String()), &b))
		return b.Widgets
	}
	require.Fail(t, "there is no dashboard")
	return nil
}

// two is a dashboard of two stages with all that it may show, in a stack above theirs.
func two(props observe.DashboardProps) awscdk.Stack {
	app := cdktest.NewApp()
	below := awscdk.NewStack(app, jsii.String("Below"), nil)
	above := awscdk.NewStack(app, jsii.String("Above"), nil)
	alerts := observe.NewAlerts(below, "Alerts", nil)
	core := stream.NewStreamingCore(below, "Core", nil)
	theft := alarmOf(above, "Theft")
	alerts.Watch(core, shop{theft})
	props.Columns = []observe.Column{{Title: "Stream", Of: core}, {Title: "Shop", Of: shop{theft}}}
	props.Symptoms = observe.NewSymptoms(above, "Symptoms", &observe.SymptomsProps{Alerts: alerts})
	props.Lag = []awscloudwatch.IMetric{core.MetricIteratorAge(nil)}
	props.Cost = &observe.Cost{
		Records: core.MetricIncomingRecords(nil), Bytes: core.MetricIncomingBytes(nil), Requests: core.MetricIncomingRecords(nil),
		Prices: observe.Prices{MillionRequests: 3.5, MillionRecords: 0.25, GB: 0.2, Hour: 1.5},
	}
	observe.NewDashboard(above, "Line", &props)
	return above
}

func TestADashboardBeginsWithWhatIsRedAndGoesOnByStage(t *testing.T) {
	widgets := body(t, two(observe.DashboardProps{}))
	var got []string
	for _, w := range widgets {
		got = append(got, w.Type+" "+w.Properties.Title)
	}
	assert.Equal(t, []string{
		"alarm Symptoms: each red one has paged", "alarm Stream", "alarm Shop",
		"metric Lag: how far the slowest reader is behind", "metric Cost per million events, at the prices of the props",
		"metric Stream: WriteThrottled", "metric Stream: IteratorAge", "metric Stream: FailedRecords", "metric Shop: Theft",
	}, got)
	assert.Len(t, widgets[0].Properties.Alarms, 3)
	assert.Len(t, widgets[1].Properties.Alarms, 4, "warnings too")
	assert.Contains(t, widgets[1].Properties.Alarms[0], ":alarm:Below-Core-WriteThrottled")
	assert.Contains(t, widgets[5].Properties.Annotations.Alarms[0], ":alarm:Below-Core-WriteThrottled")
}

// A laptop shows some 600 pixels of a dashboard, and a row of the grid is about 45 high.
func TestWhatIsRedNeedsNoScrollingAndNothingOverlaps(t *testing.T) {
	taken := map[[2]int]string{}
	for _, w := range body(t, two(observe.DashboardProps{})) {
		if w.Type == "alarm" {
			assert.LessOrEqual(t, w.Y+w.Height, 12, w.Properties.Title)
		}
		assert.LessOrEqual(t, w.X+w.Width, 24, w.Properties.Title)
		for x := w.X; x < w.X+w.Width; x++ {
			for y := w.Y; y < w.Y+w.Height; y++ {
				assert.Empty(t, taken[[2]int{x, y}], w.Properties.Title)
				taken[[2]int{x, y}] = w.Properties.Title
			}
		}
	}
}

func TestADashboardIsNamedOnlyWhereAsked(t *testing.T) {
	cdktest.Template(two(observe.DashboardProps{Name: "Shop"})).HasResourceProperties(jsii.String("AWS::CloudWatch::Dashboard"), map[string]any{"DashboardName": "Shop"})
	for _, properties := range resources(two(observe.DashboardProps{}), "AWS::CloudWatch::Dashboard") {
		assert.NotContains(t, properties, "DashboardName")
	}
}

func TestCostIsOfWhatWasCountedAndOfPricesPerMillionEvents(t *testing.T) {
	text, err := json.Marshal(resources(two(observe.DashboardProps{}), "AWS::CloudWatch::Dashboard"))
	require.NoError(t, err)
	assert.Contains(t, string(text), "1000000 * (1.5 + records * 0.25 / 1000000 + bytes * 0.2 / 1000000000 + requests * 3.5 / 1000000) / records")
}

func TestADashboardSaysAllThatIsWrongAtOnce(t *testing.T) {
	assert.Contains(t, cdktest.Panics(t, func() { observe.NewDashboard(cdktest.NewStack(), "Line", nil) }), "observe: Line: columns must be given")
	columns := make([]observe.Column, 9)
	for i := range columns[1:] {
		columns[i+1] = observe.Column{Title: "Shop", Of: shop{}}
	}
	err := (&observe.DashboardProps{Columns: columns, Cost: &observe.Cost{Prices: observe.Prices{GB: -1}}}).Validate()
	for _, problem := range []string{
		"columns must be 1 to 8, got 9", `columns must have a title and alarms, got column 1 ("") without`,
		"cost must have records and bytes", "prices must be positive, or 0 but for one",
	} {
		assert.ErrorContains(t, err, problem)
	}
}

func TestADeadLetterQueueIsWatchedByItsDepthAndByItsAgeAgainstTheRetention(t *testing.T) {
	stack := cdktest.NewStack()
	queue := awssqs.NewQueue(stack, jsii.String("Dead"), nil)
	letters := observe.NewDeadLetters(stack, "Letters", &observe.DeadLettersProps{Queue: queue, Retention: awscdk.Duration_Days(jsii.Number(10))})
	assert.Len(t, letters.Alarms(), 2)
	of := []any{map[string]any{"Name": "QueueName", "Value": stack.Resolve(queue.QueueName())}}
	template := cdktest.Template(stack)
	for metric, threshold := range map[string]int{"ApproximateNumberOfMessagesVisible": 0, "ApproximateAgeOfOldestMessage": 5 * 86_400} {
		template.HasResourceProperties(jsii.String("AWS::CloudWatch::Alarm"), map[string]any{
			"Namespace": "AWS/SQS", "MetricName": metric, "Statistic": "Maximum", "Threshold": threshold, "Dimensions": of,
			"ComparisonOperator": "GreaterThanThreshold", "TreatMissingData": "notBreaching", "EvaluationPeriods": 1,
		})
	}
	assert.Contains(t, cdktest.Panics(t, func() { observe.NewDeadLetters(stack, "None", nil) }), "observe: None: queue must be given")
}

func TestAPipelineIsWatchedByItsFailedExecutions(t *testing.T) {
	stack := cdktest.NewStack()
	pipeline := awscodepipeline.Pipeline_FromPipelineArn(stack, jsii.String("Theirs"), jsii.String("arn:aws:codepipeline:eu-west-1:111122223333:release"))
	assert.Len(t, observe.NewReleases(stack, "Releases", &observe.ReleasesProps{Pipeline: pipeline}).Alarms(), 1)
	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::CloudWatch::Alarm"), map[string]any{
		"Namespace": "AWS/CodePipeline", "MetricName": "FailedPipelineExecutions", "Statistic": "Sum", "Threshold": 0,
		"Dimensions": []any{map[string]any{"Name": "PipelineName", "Value": "release"}}, "TreatMissingData": "notBreaching",
	})
	assert.Contains(t, cdktest.Panics(t, func() { observe.NewReleases(stack, "None", nil) }), "observe: None: pipeline must be given")
}

func TestGolden(t *testing.T) {
	t.Run("minimal", func(t *testing.T) {
		stack := cdktest.NewStack()
		alerts := observe.NewAlerts(stack, "Alerts", nil)
		core := stream.NewStreamingCore(stack, "Core", nil)
		alerts.Watch(core)
		observe.NewSymptoms(stack, "Symptoms", &observe.SymptomsProps{Alerts: alerts})
		observe.NewDashboard(stack, "Line", &observe.DashboardProps{Columns: []observe.Column{{Title: "Stream", Of: core}}})
		cdktest.Golden(t, stack, "minimal")
	})
	t.Run("everything on", func(t *testing.T) {
		cdktest.Golden(t, two(observe.DashboardProps{Name: "Line"}), "everything-on")
	})
}
