package observe

import (
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"

	"github.com/millrace-cdk/millrace/constructs/internal/watch"
)

// Severity is how soon somebody has to look: [Critical] or [Warning].
type Severity = watch.Severity

// The severities.
const (
	Critical = watch.Critical // wakes somebody: users notice, or data is on its way to be lost
	Warning  = watch.Warning  // waits for working hours
)

// Symptom is what users or the person on call notice, of which several alarms may be
// the cause. Yours may have any name of letters.
type Symptom = watch.Symptom

// The symptoms of millrace's own alarms, in the data's order.
const (
	Refused  = watch.Refused  // clients cannot hand over events
	Late     = watch.Late     // events come to rest too late
	Aside    = watch.Aside    // events are lost, or kept aside where nobody reads them
	Database = watch.Database // the database is in trouble
	Release  = watch.Release  // a release does not get through
	Other    = watch.Other    // of alarms that nobody marked
)

// The tags of a marked alarm, and of the composite alarm of a symptom. RunbookTag has
// the anchor of its section in the runbook.
const (
	SeverityTag = watch.SeverityTag
	SymptomTag  = watch.SymptomTag
	RunbookTag  = watch.RunbookTag
)

// Mark says of an alarm of yours what it is a symptom of, how soon somebody has to look,
// and the heading of its section in the runbook ("payments Refunds"), by tags and by a link at the
// end of its description. An alarm without a mark is [Critical] and of [Other].
func Mark(alarm awscloudwatch.Alarm, section string, symptom Symptom, severity Severity) {
	watch.Mark{Section: section, Symptom: symptom, Severity: severity}.Put(alarm)
}
