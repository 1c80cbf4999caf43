package release

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscodepipeline"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscodestarnotifications"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssnssubscriptions"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/suppress"
)

// notifier sends the pipeline's notifications.
const notifier = "codestar-notifications.amazonaws.com"

// notify tells of what somebody wants to know: an end, good or bad, and a person's turn.
func (r *Pipeline) notify(p *PipelineProps) awssns.ITopic {
	topic, target := p.Topic, p.Topic
	if topic == nil {
		topic = r.topic()
		// As if it were another's: CDK would let the notifier use any action of a family on the key, by any way.
		target = awssns.Topic_FromTopicArn(r, jsii.String("NotificationTarget"), topic.TopicArn())
	}
	r.Pipeline.NotifyOn(jsii.String("Notifications"), target, &awscodepipeline.PipelineNotifyOnOptions{
		DetailType: awscodestarnotifications.DetailType_FULL,
		Events: &[]awscodepipeline.PipelineNotificationEvents{
			awscodepipeline.PipelineNotificationEvents_PIPELINE_EXECUTION_FAILED,
			awscodepipeline.PipelineNotificationEvents_PIPELINE_EXECUTION_SUCCEEDED,
			awscodepipeline.PipelineNotificationEvents_MANUAL_APPROVAL_NEEDED,
		},
	})
	for _, address := range p.Emails {
		topic.AddSubscription(awssnssubscriptions.NewEmailSubscription(&address, nil))
	}
	return topic
}

// topic lets the notifier publish, and encrypt what it publishes.
// https://docs.aws.amazon.com/dtconsole/latest/userguide/set-up-sns.html
func (r *Pipeline) topic() awssns.Topic {
	topic := awssns.NewTopic(r, jsii.String("Topic"), &awssns.TopicProps{
		DisplayName: jsii.String("Releases of " + *awscdk.Stack_Of(r).StackName()),
		MasterKey:   r.Key,
		EnforceSSL:  jsii.Bool(true),
	})
	service := &[]awsiam.IPrincipal{awsiam.NewServicePrincipal(jsii.String(notifier), nil)}
	topic.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: service,
		Actions:    jsii.Strings("sns:Publish"),
		Resources:  &[]*string{topic.TopicArn()},
	}))
	r.Key.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: service,
		Actions:    jsii.Strings("kms:Decrypt", "kms:GenerateDataKey"),
		Resources:  jsii.Strings("*"), // this key
		Conditions: &map[string]any{"StringEquals": map[string]any{
			"kms:ViaService": "sns." + *awscdk.Stack_Of(r).Region() + "." + *awscdk.Aws_URL_SUFFIX(),
		}},
	}), nil)
	return topic
}

// undocumented is why the notifier is not asked whose rule it acts for.
const undocumented = "No document says that its calls name the rule or the account that they are for"

func (r *Pipeline) acceptNotifier() {
	topic := r.Node().TryFindChild(jsii.String("Topic"))
	if topic == nil {
		return // theirs
	}
	for _, of := range []constructs.IConstruct{r.Key, topic.Node().FindChild(jsii.String("Policy"))} {
		suppress.Rules(of, undocumented, "Privilege-Deputy["+notifier+"]")
	}
}
