package status

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func newAlarm(state types.StateValue, operator types.ComparisonOperator, value *float64) alarm {
	return alarm{types.MetricAlarm{
		AlarmName: aws.String("Millrace-prod-Pipeline-Loader-Lag"), AlarmDescription: aws.String("Late. Runbook: https://example.com/runbook.md#load-lag"),
		MetricName: aws.String("Lag"), StateValue: state, ComparisonOperator: operator, Threshold: aws.Float64(5),
	}, value}
}

func TestWhatHasNoDataIsNeverOK(t *testing.T) {
	const above, below = types.ComparisonOperatorGreaterThanThreshold, types.ComparisonOperatorLessThanThreshold
	for _, c := range []struct {
		alarm alarm
		want  State
	}{
		{newAlarm(types.StateValueInsufficientData, above, nil), Unknown},
		{newAlarm("", above, nil), Unknown},
		{newAlarm(types.StateValueOk, above, nil), OK},
		{newAlarm(types.StateValueAlarm, above, nil), Red},
		{newAlarm(types.StateValueAlarm, above, aws.Float64(0)), Red},
		{newAlarm(types.StateValueInsufficientData, above, aws.Float64(5)), OK},
		{newAlarm(types.StateValueInsufficientData, above, aws.Float64(6)), Red},
		{newAlarm(types.StateValueOk, below, aws.Float64(4)), Red},
		{newAlarm(types.StateValueInsufficientData, types.ComparisonOperatorGreaterThanOrEqualToThreshold, aws.Float64(5)), Red},
		{newAlarm(types.StateValueInsufficientData, types.ComparisonOperatorLessThanOrEqualToThreshold, aws.Float64(5)), Red},
	} {
		assert.Equal(t, c.want, c.alarm.state(), "%s %s %v", c.alarm.StateValue, c.alarm.ComparisonOperator, c.alarm.value)
	}
}

func TestEachRedAlarmIsALineAndTheRestIsCounted(t *testing.T) {
	const above = types.ComparisonOperatorGreaterThanThreshold
	checks := alarmChecks(loader, []alarm{
		newAlarm(types.StateValueOk, above, aws.Float64(1)),
		newAlarm(types.StateValueAlarm, above, aws.Float64(7)),
		newAlarm(types.StateValueInsufficientData, above, nil),
	})
	assert.Equal(t, []Check{
		{loader, "Loader-Lag", Red, "Lag 7, limit 5", "load-lag"},
		{loader, "alarms", OK, "1 of 3", ""},
		{loader, "alarms", Unknown, "1 of 3 have no data", ""},
	}, checks)
}

func TestTheNewestValueCountsInWhateverOrder(t *testing.T) {
	now := time.Now()
	got := newest(types.MetricDataResult{Timestamps: []time.Time{now.Add(-time.Minute), now, now.Add(-time.Hour)}, Values: []float64{1, 2, 3}})
	assert.InDelta(t, 2, *got, 0)
}

func TestAReportSaysWhatIsRedAndWhereToGo(t *testing.T) {
	report := Report{Environment: "prod", At: time.Unix(0, 0), Checks: []Check{
		{stream, "stream", OK, "ACTIVE", "stream-x"}, {loader, "mapping", Red, "Disabled", "load-iteratorage"}, {loader, "alarms", Unknown, "1 of 1 have no data", ""},
	}}
	var plain, colored strings.Builder
	require.NoError(t, report.Print(&plain, false))
	require.NoError(t, report.Print(&colored, true))
	assert.Contains(t, plain.String(), "loader  red      mapping  Disabled  -> millrace diagnose load-iteratorage\n")
	assert.NotContains(t, plain.String(), "stream-x")
	assert.Contains(t, plain.String(), "status: env=prod at=1970-01-01T00:00:00Z ok=1 red=1 unknown=1\n")
	assert.NotContains(t, plain.String(), "\x1b")
	assert.Contains(t, colored.String(), "\x1b[31mred\x1b[0m")
}

func TestAThingThatIsGoneIsToldFromALookThatFailed(t *testing.T) {
	assert.True(t, missing(&smithy.GenericAPIError{Code: "ResourceNotFoundException"}))
	assert.False(t, missing(&smithy.GenericAPIError{Code: "AccessDeniedException"}))
	assert.False(t, missing(nil))
}
