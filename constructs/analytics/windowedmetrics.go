package analytics

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/poll"
	"github.com/millrace-cdk/millrace/constructs/internal/watch"
)

// What the aggregator writes itself, in CloudWatch's embedded metric format. The
// names are those of package lambdas/aggregator, which a test holds them to.
const (
	windowNamespace       = "Millrace/Windows"
	windowDimension       = "FunctionName"
	windowEvents          = "Events"
	windowLate            = "Late"
	windowUnusable        = "Unusable"
	windowRepeated        = "Repeated"
	windowRows            = "Rows"
	windowSpilled         = "Spilled"
	windowTerminatedEarly = "TerminatedEarly"
)

// MetricEvents is how many events were taken into a window, by default their sum in 5 minutes.
func (w *WindowedAggregate) MetricEvents(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return w.own(windowEvents, options)
}

// MetricLate is how many of them occurred before their window, by default their sum in 5 minutes.
func (w *WindowedAggregate) MetricLate(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return w.own(windowLate, options)
}

// MetricUnusable is how many records are no event, or events without a usable key, by default their sum in 5 minutes.
func (w *WindowedAggregate) MetricUnusable(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return w.own(windowUnusable, options)
}

// MetricRepeated is how many events came again and changed nothing, by default their sum in 5 minutes.
func (w *WindowedAggregate) MetricRepeated(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return w.own(windowRepeated, options)
}

// MetricRows is how many results were written, by default their sum in 5 minutes.
func (w *WindowedAggregate) MetricRows(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return w.own(windowRows, options)
}

// MetricSpilled is how many parts of windows were written before the window was over, because its keys filled the
// state, by default their sum in 5 minutes.
func (w *WindowedAggregate) MetricSpilled(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return w.own(windowSpilled, options)
}

// MetricTerminatedEarly is how many windows Lambda ended because of the state's size, by default their sum in 5 minutes.
func (w *WindowedAggregate) MetricTerminatedEarly(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return w.own(windowTerminatedEarly, options)
}

// MetricErrors is how many invocations ended by a crash, a timeout or an error, by default their sum in 5 minutes.
func (w *WindowedAggregate) MetricErrors(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return w.Function.MetricErrors(options)
}

// MetricThrottles is how many invocations Lambda refused because the concurrency was used up, by default their sum in 5 minutes.
func (w *WindowedAggregate) MetricThrottles(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return w.Function.MetricThrottles(options)
}

// MetricDuration is how long an invocation took, in milliseconds, by default the most in 5 minutes.
func (w *WindowedAggregate) MetricDuration(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return w.Function.MetricDuration(watch.Options(awscloudwatch.Stats_MAXIMUM(), options))
}

// MetricIteratorAge is how old the last record of a batch was when Lambda sent it to the function, in milliseconds, by
// default the most in 5 minutes. It grows while a batch, or the end of a window, is sent again and again.
func (w *WindowedAggregate) MetricIteratorAge(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return w.Function.Metric(jsii.String("IteratorAge"), watch.Options(awscloudwatch.Stats_MAXIMUM(), options))
}

// MetricKeptOnFailure is how many records Lambda gave up and put into OnFailure, by default their sum in 5 minutes.
func (w *WindowedAggregate) MetricKeptOnFailure(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return poll.Metric(w.Mapping, "OnFailureDestinationDeliveredEventCount", options)
}

// MetricDropped is how many records Lambda gave up and did not put into OnFailure either, by default their sum in 5 minutes.
func (w *WindowedAggregate) MetricDropped(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return poll.Metric(w.Mapping, "DroppedEventCount", options)
}

// MetricOnFailureRefused is how often Lambda could not write to OnFailure, by default the sum in 5 minutes.
func (w *WindowedAggregate) MetricOnFailureRefused(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return w.Function.Metric(jsii.String("DestinationDeliveryFailures"), watch.Options(awscloudwatch.Stats_SUM(), options))
}

// own is a metric that the aggregator writes itself.
func (w *WindowedAggregate) own(name string, options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return watch.Metric(windowNamespace, name, map[string]*string{windowDimension: w.Function.FunctionName()}, awscloudwatch.Stats_SUM(), options)
}
