package observe

import (
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/watch"
)

// DefaultRetention is how long SQS keeps a message unless told otherwise, in days.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
const DefaultRetention = 4

// agePercent is how much of the retention the oldest message may be old.
const agePercent = 50

// DeadLetters watches a dead-letter queue: that nothing is in it, and that nothing in it is
// about to be deleted. Millrace's own loader keeps what fails in a bucket, and has alarms on that.
type DeadLetters struct {
	constructs.Construct

	alarms []awscloudwatch.Alarm
}

// DeadLettersProps configures [DeadLetters].
type DeadLettersProps struct {
	// Queue is the dead-letter queue. Required.
	Queue awssqs.IQueue
	// Retention is how long the queue keeps a message.
	//
	// Default: [DefaultRetention] days.
	Retention awscdk.Duration
}

// Validate reports every problem of the props in one error.
func (p *DeadLettersProps) Validate() error {
	if p == nil || p.Queue == nil {
		return errors.New("queue must be given")
	}
	return nil
}

// NewDeadLetters defines DeadLetters in scope. It panics on invalid props (see [DeadLettersProps.Validate]).
func NewDeadLetters(scope constructs.Construct, id string, props *DeadLettersProps) *DeadLetters {
	if err := props.Validate(); err != nil {
		panic(fmt.Errorf("observe: %s: %w", id, err))
	}
	retention := props.Retention
	if retention == nil {
		retention = awscdk.Duration_Days(jsii.Number(DefaultRetention))
	}

	d := new(DeadLetters)
	constructs.NewConstruct_Override(d, scope, &id)
	most := awscloudwatch.Stats_MAXIMUM()
	d.alarm("Depth", Warning, "has messages: what they stand for was given up. Look first at one of them.",
		props.Queue.MetricApproximateNumberOfMessagesVisible(watch.Options(most, nil)), 0)
	if !*retention.IsUnresolved() {
		d.alarm("Age", Critical, fmt.Sprintf("has a message that is over %d %% as old as the queue keeps it: then it is gone. Send it again, or keep it elsewhere.", agePercent),
			props.Queue.MetricApproximateAgeOfOldestMessage(watch.Options(most, nil)), *retention.ToSeconds(nil)*agePercent/100)
	}
	return d
}

// Alarms are those of the queue's depth and of its oldest message.
func (d *DeadLetters) Alarms() []awscloudwatch.Alarm { return slices.Clone(d.alarms) }

func (d *DeadLetters) alarm(id string, severity Severity, what string, metric awscloudwatch.IMetric, threshold float64) {
	mark := watch.Mark{Section: "deadletters " + id, Symptom: Aside, Severity: severity}
	d.alarms = append(d.alarms, single(d, id, mark, what, metric, threshold))
}

// single fires on the first period above threshold. No data is nothing in it.
func single(scope constructs.Construct, id string, mark watch.Mark, what string, metric awscloudwatch.IMetric, threshold float64) awscloudwatch.Alarm {
	return watch.Above(scope, id, mark, *scope.Node().Path()+" "+what, metric, threshold, 1, nil)
}
