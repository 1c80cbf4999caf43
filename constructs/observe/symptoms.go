package observe

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/watch"
)

// What CloudWatch accepts.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutCompositeAlarm.html
const (
	maxAlarms = 100 // of a composite alarm
	// suppressorWait is how long a page waits for the alarm that explains it, in minutes:
	// a period of ours and what CloudWatch takes to see it.
	suppressorWait = 6
	// suppressorExtension is how long it stays silent after that, in minutes: what was late catches up.
	suppressorExtension = 15
)

var symptomName = regexp.MustCompile(`^[A-Za-z]{1,64}$`)

// Symptoms are composite alarms, one a symptom: each pages when the first of its critical
// alarms fires, and once for however many of them.
type Symptoms struct {
	constructs.Construct

	composites map[Symptom]awscloudwatch.CompositeAlarm
	known      *references
}

// Composite is the alarm of symptom, nil if no critical alarm is of it.
func (s *Symptoms) Composite(symptom Symptom) awscloudwatch.CompositeAlarm {
	return s.composites[symptom]
}

// Names are the symptoms that have an alarm, in the order of the alphabet.
func (s *Symptoms) Names() []Symptom { return slices.Sorted(maps.Keys(s.composites)) }

// SymptomsProps configures [Symptoms].
type SymptomsProps struct {
	// Alerts are told, and know the alarms. Required.
	Alerts *Alerts
	// Explains says which symptom explains another: while the value's is in alarm, the key's does not page.
	//
	// Default: [Database] explains [Late], since what the database does not take comes late.
	Explains map[Symptom]Symptom
	// Means are descriptions of symptoms of yours.
	//
	// Default: the symptom's name.
	Means map[Symptom]string
}

// Validate reports every problem of the props in one error.
func (p *SymptomsProps) Validate() error {
	if p == nil || p.Alerts == nil {
		return errors.New("alerts must be given")
	}
	var errs []error
	count := map[Symptom]int{}
	for _, alarm := range p.Alerts.alarms {
		count[watch.Marked(alarm).Symptom]++
	}
	for _, symptom := range slices.Sorted(maps.Keys(count)) {
		if !symptomName.MatchString(string(symptom)) {
			errs = append(errs, fmt.Errorf("symptom must be 1 to 64 letters, got %q", symptom))
		}
		if count[symptom] > maxAlarms {
			errs = append(errs, fmt.Errorf("symptom %s must have %d alarms at most, got %d", symptom, maxAlarms, count[symptom]))
		}
	}
	for late, why := range p.Explains {
		if p.Explains[why] != "" {
			errs = append(errs, fmt.Errorf("explains must be of one step, got %s, which %s explains, which %s explains", late, why, p.Explains[why]))
		}
	}
	return errors.Join(errs...)
}

func (p *SymptomsProps) withDefaults() *SymptomsProps {
	q := *p
	if q.Explains == nil {
		q.Explains = map[Symptom]Symptom{Late: Database}
	}
	q.Means = map[Symptom]string{
		Refused:  "Clients cannot hand over events, or soon will not",
		Late:     "Events come to rest too late",
		Aside:    "Events are lost, or kept aside where nobody reads them",
		Database: "The database is in trouble",
		Release:  "A release does not get through",
		Other:    "An alarm of no known symptom",
	}
	maps.Copy(q.Means, p.Means)
	return &q
}

// NewSymptoms defines Symptoms in scope, of the alarms that props.Alerts watch by now. It
// panics on invalid props (see [SymptomsProps.Validate]).
func NewSymptoms(scope constructs.Construct, id string, props *SymptomsProps) *Symptoms {
	if err := props.Validate(); err != nil {
		panic(fmt.Errorf("observe: %s: %w", id, err))
	}
	p := props.withDefaults()

	s := new(Symptoms)
	constructs.NewConstruct_Override(s, scope, &id)
	s.known = newReferences(s)
	critical := map[Symptom][]awscloudwatch.Alarm{}
	for _, alarm := range p.Alerts.alarms {
		if mark := watch.Marked(alarm); mark.Severity == Critical {
			critical[mark.Symptom] = append(critical[mark.Symptom], alarm)
		}
	}
	s.composites = map[Symptom]awscloudwatch.CompositeAlarm{}
	// Those that nothing explains come first, since the others refer to them.
	symptoms := slices.SortedFunc(maps.Keys(critical), func(a, b Symptom) int {
		return cmp.Or(p.order(a)-p.order(b), strings.Compare(string(a), string(b)))
	})
	for _, symptom := range symptoms {
		s.composites[symptom] = s.composite(p, symptom, critical[symptom])
	}
	return s
}

// order has what is explained behind all that may explain it, and the alphabet beside.
func (p *SymptomsProps) order(symptom Symptom) int {
	if p.Explains[symptom] != "" {
		return 1
	}
	return 0
}

func (s *Symptoms) composite(p *SymptomsProps, symptom Symptom, of []awscloudwatch.Alarm) awscloudwatch.CompositeAlarm {
	var rules []awscloudwatch.IAlarmRule
	for _, alarm := range of {
		rules = append(rules, awscloudwatch.AlarmRule_FromAlarm(s.known.to(alarm), awscloudwatch.AlarmState_ALARM))
	}
	mark := watch.Mark{Section: "symptom " + string(symptom), Symptom: symptom, Severity: Critical}
	props := &awscloudwatch.CompositeAlarmProps{
		CompositeAlarmName: jsii.String(watch.Name(s, string(symptom))),
		AlarmDescription:   jsii.Sprintf("%s. The alarms in it say where. Runbook: %s#%s", cmp.Or(p.Means[symptom], string(symptom)), p.Alerts.props.Runbook, mark.Anchor()),
		AlarmRule:          awscloudwatch.AlarmRule_AnyOf(rules...),
	}
	if why, ok := s.composites[p.Explains[symptom]]; ok {
		props.ActionsSuppressor = why
		props.ActionsSuppressorWaitPeriod = awscdk.Duration_Minutes(jsii.Number(suppressorWait))
		props.ActionsSuppressorExtensionPeriod = awscdk.Duration_Minutes(jsii.Number(suppressorExtension))
	}
	composite := awscloudwatch.NewCompositeAlarm(s, jsii.String(string(symptom)), props)
	mark.Tag(composite.Node().DefaultChild().(awscloudwatch.CfnCompositeAlarm).CdkTagManager())
	page := awscloudwatchactions.NewSnsAction(p.Alerts.Pages)
	composite.AddAlarmAction(page)
	composite.AddOkAction(page)
	return composite
}

// references name alarms of other stacks by their names, so that no export ties the two:
// an alarm could not be changed while another stack imports it.
type references struct {
	scope constructs.Construct
	known map[string]awscloudwatch.IAlarm
}

func newReferences(scope constructs.Construct) *references {
	return &references{scope, map[string]awscloudwatch.IAlarm{}}
}

func (r *references) to(alarm awscloudwatch.Alarm) awscloudwatch.IAlarm {
	theirs, ours := awscdk.Stack_Of(alarm), awscdk.Stack_Of(r.scope)
	name := alarm.Node().DefaultChild().(awscloudwatch.CfnAlarm).AlarmName()
	if *theirs.Node().Addr() == *ours.Node().Addr() || name == nil || *awscdk.Token_IsUnresolved(name) {
		return alarm
	}
	id := "Of" + *alarm.Node().Addr()
	if r.known[id] == nil {
		ours.AddStackDependency(theirs, jsii.String("it names the alarms of "+*theirs.Node().Id()))
		r.known[id] = awscloudwatch.Alarm_FromAlarmName(r.scope, &id, name)
	}
	return r.known[id]
}
