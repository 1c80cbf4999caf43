package delivery

import (
	"encoding/json"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsopensearchserverless"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/iam"
	"github.com/millrace-cdk/millrace/constructs/internal/suppress"
)

// allowDomain gives the role what AWS's documentation lists.
// https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-es
func (f *FirehoseToOpenSearch) allowDomain(p *FirehoseToOpenSearchProps) {
	domain := *p.Domain.DomainArn()
	f.Role.AddToPolicy(iam.Statement([]string{domain, domain + "/*"},
		"es:DescribeDomain", "es:DescribeDomains", "es:DescribeDomainConfig", "es:ESHttpPost", "es:ESHttpPut"))
	var read []string
	for _, path := range []string{
		"_all/_settings", "_cluster/stats", p.Index + "*/_mapping/*", "_nodes", "_nodes/stats", "_nodes/*/stats", "_stats", p.Index + "*/_stats",
	} {
		read = append(read, domain+"/"+path)
	}
	f.Role.AddToPolicy(iam.Statement(read, "es:ESHttpGet"))
	suppress.Rules(suppress.Policy(f.Role), "Firehose reads the statistics of every node, and of the index under each of its rotations", `AwsSolutions-IAM5[/^Resource::.+\*\/_?stats$/]`)
}

// allowCollection lets the role in by IAM, and by a data access policy to the one index.
// https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-serverless
func (f *FirehoseToOpenSearch) allowCollection(p *FirehoseToOpenSearchProps) awsopensearchserverless.CfnAccessPolicy {
	iam.Allow(f.Role, p.Collection.Arn, "aoss:APIAccessAll")
	rules := []map[string]any{{
		"Rules": []map[string]any{{
			"ResourceType": "index",
			"Resource":     []string{"index/" + p.Collection.Name + "/" + p.Index},
			"Permission":   []string{"aoss:WriteDocument", "aoss:CreateIndex"},
		}},
		"Principal": []string{*f.Role.RoleArn()},
	}}
	policy, err := json.Marshal(rules)
	if err != nil {
		panic(err) // strings always marshal
	}
	// Such a name is the account's, and must begin with a letter.
	name := "m-" + strings.ToLower(*awscdk.Names_UniqueResourceName(f, &awscdk.UniqueResourceNameOptions{MaxLength: jsii.Number(30), Separator: jsii.String("-")}))
	return awsopensearchserverless.NewCfnAccessPolicy(f, jsii.String("AccessPolicy"), &awsopensearchserverless.CfnAccessPolicyProps{
		Name:        &name,
		Type:        jsii.String("data"),
		Description: jsii.String("Lets Firehose write the index " + p.Index),
		Policy:      jsii.String(string(policy)),
	})
}
