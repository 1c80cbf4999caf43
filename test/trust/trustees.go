package trust

import (
	"slices"
	"strings"
)

// Trustee is a service that assumes roles of ours, and how it is asked for whom it does so, against the confused
// deputy (https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html).
type Trustee struct {
	// Service is its principal.
	Service string
	// Asks is the condition key by which it says so; "" where none is documented: a condition that is never met stops the service.
	Asks string
	// Page is AWS's, which has the trust policy for it.
	Page string
	// Why is what there is to say of it.
	Why string
}

// Trustees are those of our templates. Any other service has to be asked for aws:SourceAccount or aws:SourceArn, until it stands here.
func Trustees() []Trustee {
	return []Trustee{
		{
			"vpc-flow-logs.amazonaws.com", "aws:SourceAccount", "https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-iam-role.html",
			"with aws:SourceArn",
		},
		{
			"monitoring.rds.amazonaws.com", "aws:SourceAccount", "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Monitoring.OS.Enabling.html",
			"with aws:SourceArn",
		},
		{
			"codedeploy.amazonaws.com", "aws:SourceAccount", "https://docs.aws.amazon.com/codedeploy/latest/userguide/security_confused_deputy_prevention.html",
			"with aws:SourceArn",
		},
		{
			"firehose.amazonaws.com", "sts:ExternalId", "https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html",
			"the account's id, which Firehose sends to deliver and to read its source",
		},
		{
			"apigateway.amazonaws.com", "", "https://docs.aws.amazon.com/apigateway/latest/developerguide/permissions.html",
			"it was seen to send no aws:SourceAccount for an integration's role, whose every request then failed " +
				"(https://github.com/aws-solutions-library-samples/accelerated-intelligent-document-processing-on-aws/pull/479)",
		},
		{
			"backup.amazonaws.com", "", "https://docs.aws.amazon.com/aws-backup/latest/devguide/iam-service-roles.html",
			"the page has no condition",
		},
		{
			"s3.amazonaws.com", "", "https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html",
			"of replication: the page has no condition",
		},
		{
			"lambda.amazonaws.com", "", "https://docs.aws.amazon.com/lambda/latest/dg/lambda-intro-execution-role.html",
			"the page has no condition; a role is passed to Lambda by who may pass it, within its account",
		},
		{
			"rds.amazonaws.com", "", "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-proxy-iam-setup.html",
			"of RDS Proxy: the page has no condition, and the guide's page on the confused deputy has one for an instance and none for a proxy",
		},
		{
			"redshift.amazonaws.com", "", "https://docs.aws.amazon.com/redshift/latest/mgmt/authorizing-redshift-service-database-users.html",
			"its sts:ExternalId is a database user's ARN, which the construct does not know",
		},
		{
			"redshift-serverless.amazonaws.com", "", "https://docs.aws.amazon.com/redshift/latest/mgmt/authorizing-redshift-service-database-users.html",
			"its sts:ExternalId is a database user's ARN, which the construct does not know",
		},
	}
}

// Asked are the condition keys of which a statement that lets the service in must have one; none of a service that cannot say.
func Asked(service string) []string {
	for _, trustee := range Trustees() {
		switch {
		case trustee.Service != service:
		case trustee.Asks == "":
			return nil
		default:
			return []string{trustee.Asks}
		}
	}
	return []string{"aws:SourceAccount", "aws:SourceArn"}
}

// asks says whether the condition is one on the key, with a value.
func asks(condition any, key string) bool {
	for _, test := range object(condition) {
		for name, value := range object(test) {
			if strings.EqualFold(name, key) && value != nil {
				return true
			}
		}
	}
	return false
}

// deputy says whether the service may come for anybody, though it could be asked.
func deputy(service string, condition any) bool {
	keys := Asked(service)
	return len(keys) > 0 && !slices.ContainsFunc(keys, func(key string) bool { return asks(condition, key) })
}
