package ingest

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awswafv2"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/suppress"
)

const (
	// DefaultWafRateLimit is how many requests one address may send in five minutes: 100 a
	// second, a tenth of [DefaultRateLimit], so that no address alone takes the API from
	// the others. Many clients behind one address (a company's, a carrier's) want more.
	DefaultWafRateLimit = 30_000
	// DefaultWafMaxBodySize is the largest body, in bytes: API Gateway's own limit of 10 MB, so
	// that a client is refused the same with the firewall and without. The rule then stops what
	// does not say its size; a smaller limit stops more.
	// https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
	DefaultWafMaxBodySize = 10 << 20
)

func (a *IngestApi) addWaf(p IngestApiProps) {
	if p.Waf == nil {
		return
	}
	a.WebAcl = awswafv2.NewCfnWebACL(a, jsii.String("WebAcl"), &awswafv2.CfnWebACLProps{
		Description:          jsii.String("Before " + *a.Node().Path()),
		Scope:                jsii.String("REGIONAL"),
		DefaultAction:        &awswafv2.CfnWebACL_DefaultActionProperty{Allow: &awswafv2.CfnWebACL_AllowActionProperty{}},
		Rules:                p.wafRules(),
		CustomResponseBodies: p.wafBodies(),
		VisibilityConfig:     visibility(*awscdk.Names_UniqueResourceName(a, &awscdk.UniqueResourceNameOptions{MaxLength: jsii.Number(128)})),
		DataProtectionConfig: dataProtection(),
	})
	association := awswafv2.NewCfnWebACLAssociation(a, jsii.String("WebAclAssociation"), &awswafv2.CfnWebACLAssociationProps{
		ResourceArn: a.RestApi.DeploymentStage().StageArn(),
		WebAclArn:   a.WebAcl.AttrArn(),
	})
	association.Node().AddDependency(a.RestApi.DeploymentStage())
	a.wafLog(p)
}

func visibility(metric string) *awswafv2.CfnWebACL_VisibilityConfigProperty {
	return &awswafv2.CfnWebACL_VisibilityConfigProperty{
		CloudWatchMetricsEnabled: jsii.Bool(true),
		MetricName:               &metric,
		SampledRequestsEnabled:   jsii.Bool(true),
	}
}

// dataProtection replaces what proves who a client is, and what a rule quotes of a body, by
// REDACTED in the log and in the sampled requests alike.
// https://docs.aws.amazon.com/waf/latest/developerguide/data-protection-masking.html
func dataProtection() *awswafv2.CfnWebACL_DataProtectionConfigProperty {
	protections := []any{&awswafv2.CfnWebACL_DataProtectProperty{
		Field:  &awswafv2.CfnWebACL_FieldToProtectProperty{FieldType: jsii.String("BODY")},
		Action: jsii.String("SUBSTITUTION"),
	}}
	for _, header := range secretHeaders {
		protections = append(protections, &awswafv2.CfnWebACL_DataProtectProperty{
			Field:  &awswafv2.CfnWebACL_FieldToProtectProperty{FieldType: jsii.String("SINGLE_HEADER"), FieldKeys: jsii.Strings(header)},
			Action: jsii.String("SUBSTITUTION"),
		})
	}
	return &awswafv2.CfnWebACL_DataProtectionConfigProperty{DataProtections: protections}
}

// wafLog keeps what a rule blocked or counted; the rest is in the access log. WAF writes to
// groups of the prefix aws-waf-logs- only.
// https://docs.aws.amazon.com/waf/latest/developerguide/logging-cw-logs.html
func (a *IngestApi) wafLog(p IngestApiProps) {
	name := "aws-waf-logs-" + *a.RestApi.RestApiId()
	group := awslogs.NewLogGroup(a, jsii.String("WafLog"), &awslogs.LogGroupProps{
		LogGroupName:  &name,
		Retention:     p.LogRetention,
		RemovalPolicy: p.RemovalPolicy,
	})
	suppress.Rules(group, logsWithoutKey, "CKV_AWS_158")
	// The group's own ARN ends in ":*", which WAF refuses.
	arn := awscdk.Stack_Of(a).FormatArn(&awscdk.ArnComponents{
		Service: jsii.String("logs"), Resource: jsii.String("log-group"), ResourceName: group.LogGroupName(),
		ArnFormat: awscdk.ArnFormat_COLON_RESOURCE_NAME,
	})
	var kept []any
	for _, action := range []string{"BLOCK", "COUNT", "EXCLUDED_AS_COUNT"} {
		kept = append(kept, map[string]any{"ActionCondition": map[string]any{"Action": action}})
	}
	awswafv2.NewCfnLoggingConfiguration(a, jsii.String("WafLogging"), &awswafv2.CfnLoggingConfigurationProps{
		ResourceArn:           a.WebAcl.AttrArn(),
		LogDestinationConfigs: &[]any{arn},
		LoggingFilter: map[string]any{
			"DefaultBehavior": "DROP",
			"Filters":         []any{map[string]any{"Behavior": "KEEP", "Requirement": "MEETS_ANY", "Conditions": kept}},
		},
	})
}
