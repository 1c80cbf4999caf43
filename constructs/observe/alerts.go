// Package observe defines who hears of alarms, and the dashboard that they look at next.
package observe

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatchactions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssnssubscriptions"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/watch"
)

// DefaultRunbook is where the runbook is read.
const DefaultRunbook = watch.DefaultRunbook

// Watched is what has alarms: every construct of millrace, and every one of yours. It is an
// interface since there are many, of which most are not ours.
type Watched interface {
	// Alarms lists the alarms that it has defined.
	Alarms() []awscloudwatch.Alarm
}

// Alerts are two topics: Pages wakes somebody, Tickets waits for working hours. Each
// alarm that is watched tells Tickets, which is so the record of all that fired;
// what wakes somebody are [Symptoms], one a symptom, so that one fault gives one page.
type Alerts struct {
	constructs.Construct

	Key     awskms.IKey   // encrypts both
	Pages   awssns.ITopic // of what is critical
	Tickets awssns.ITopic // of everything

	props  *AlertsProps
	alarms []awscloudwatch.Alarm
}

// AlertsProps configures [Alerts].
type AlertsProps struct {
	// PageTo are told what is critical: e-mail addresses and https:// URLs. Each has to confirm once.
	//
	// Default: nobody.
	PageTo []string
	// TicketTo are told of every alarm, addresses as in PageTo.
	//
	// Default: nobody.
	TicketTo []string
	// Severities are those that differ from the alarm's own, by the anchor of its runbook
	// section: "ingest-clienterrors".
	//
	// Default: none.
	Severities map[string]Severity
	// Runbook is the address of the runbook, to which each description adds its section.
	//
	// Default: [DefaultRunbook].
	Runbook string
	// Key encrypts what is on its way to the subscribers. One that is not made here must let
	// CloudWatch use it.
	//
	// Default: a key of its own.
	Key awskms.IKey
	// RemovalPolicy of the key.
	//
	// Default: RETAIN.
	RemovalPolicy awscdk.RemovalPolicy
}

// Validate reports every problem of the props in one error.
func (p *AlertsProps) Validate() error {
	if p == nil {
		return nil
	}
	var errs []error
	say := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	for what, list := range map[string][]string{"page to": p.PageTo, "ticket to": p.TicketTo} {
		for i, address := range list {
			say(!isURL(address) && !strings.Contains(address, "@"), "%s must be e-mail addresses or https:// URLs, got %q", what, address)
			say(slices.Index(list, address) != i, "%s must differ from each other, got %q twice", what, address)
		}
	}
	for anchor, severity := range p.Severities {
		say(severity != Critical && severity != Warning, "severity of %s must be %q or %q, got %q", anchor, Critical, Warning, severity)
	}
	say(p.Runbook != "" && !isURL(p.Runbook), "runbook must be an https:// URL, got %q", p.Runbook)
	return errors.Join(errs...)
}

func (p *AlertsProps) withDefaults() *AlertsProps {
	q := AlertsProps{}
	if p != nil {
		q = *p
	}
	q.Runbook = cmp.Or(q.Runbook, DefaultRunbook)
	q.RemovalPolicy = cmp.Or(q.RemovalPolicy, awscdk.RemovalPolicy_RETAIN)
	return &q
}

func isURL(address string) bool { return strings.HasPrefix(address, "https://") }

// NewAlerts defines Alerts in scope. It panics on invalid props (see [AlertsProps.Validate]).
func NewAlerts(scope constructs.Construct, id string, props *AlertsProps) *Alerts {
	if err := props.Validate(); err != nil {
		panic(fmt.Errorf("observe: %s: %w", id, err))
	}
	p := props.withDefaults()

	a := new(Alerts)
	constructs.NewConstruct_Override(a, scope, &id)
	a.props = p
	a.Key = a.key()
	a.Pages = a.topic("Pages", p.PageTo)
	a.Tickets = a.topic("Tickets", p.TicketTo)
	return a
}

// Watch has every alarm of all tell Tickets, of itself and of its end, and remembers
// it for [NewSymptoms]. Call it after the last alarm was added to them.
func (a *Alerts) Watch(all ...Watched) {
	tickets := []awscloudwatch.IAlarmAction{awscloudwatchactions.NewSnsAction(a.Tickets)}
	for _, watched := range all {
		for _, alarm := range watched.Alarms() {
			if watch.LeftOut(alarm) {
				continue
			}
			watch.Relink(alarm, a.props.Runbook)
			if severity, ok := a.props.Severities[watch.Marked(alarm).Section]; ok {
				watch.SetSeverity(alarm, severity)
			}
			watch.Tell(alarm, tickets)
			a.alarms = append(a.alarms, alarm)
		}
	}
}

// Alarms are those that it watches.
func (a *Alerts) Alarms() []awscloudwatch.Alarm { return slices.Clone(a.alarms) }

// key is one that CloudWatch may use for what it publishes, which it may not with AWS's own key for SNS.
// https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services
func (a *Alerts) key() awskms.IKey {
	if a.props.Key != nil {
		return a.props.Key
	}
	key := awskms.NewKey(a, jsii.String("Key"), &awskms.KeyProps{
		Description:       jsii.String("Encrypts the alerts of " + *a.Node().Path()),
		EnableKeyRotation: jsii.Bool(true),
		RemovalPolicy:     a.props.RemovalPolicy,
	})
	key.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: &[]awsiam.IPrincipal{a.cloudWatch()},
		Actions:    jsii.Strings("kms:Decrypt", "kms:GenerateDataKey"),
		Resources:  jsii.Strings("*"), // in a key's policy, the key
	}), nil)
	return key
}

// cloudWatch is the service on behalf of this account's alarms.
func (a *Alerts) cloudWatch() awsiam.IPrincipal {
	return awsiam.NewServicePrincipal(jsii.String("cloudwatch.amazonaws.com"), nil).WithConditions(&map[string]any{
		"StringEquals": map[string]any{"aws:SourceAccount": awscdk.Stack_Of(a).Account()},
	})
}

func (a *Alerts) topic(id string, to []string) awssns.ITopic {
	topic := awssns.NewTopic(a, &id, &awssns.TopicProps{MasterKey: a.Key, EnforceSSL: jsii.Bool(true)})
	topic.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: &[]awsiam.IPrincipal{a.cloudWatch()},
		Actions:    jsii.Strings("sns:Publish"),
		Resources:  &[]*string{topic.TopicArn()},
	}))
	for _, address := range to {
		if isURL(address) {
			topic.AddSubscription(awssnssubscriptions.NewUrlSubscription(&address, nil))
		} else {
			topic.AddSubscription(awssnssubscriptions.NewEmailSubscription(&address, nil))
		}
	}
	return topic
}
