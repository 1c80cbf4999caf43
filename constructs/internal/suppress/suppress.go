// Package suppress keeps, beside a resource, which rules of the scanners it breaks
// on purpose and why. It is metadata in the template: cdk-nag and checkov read
// it there in an importer's app as they do in ours, and neither is imported for it.
package suppress

import (
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// Rules accepts that resource breaks rules, for reason. A rule is named as its scanner names it:
// AwsSolutions-L1, or AwsSolutions-IAM5[FINDING] for one of its findings, where /…/ is a
// regular expression (cdk-nag); CKV_AWS_115 (checkov); Privilege-… (test/scan). A resource
// that is imported has no place for it, and is its owner's to explain.
func Rules(resource constructs.IConstruct, reason string, rules ...string) {
	cfn, ok := resource.(awscdk.CfnResource)
	if !ok {
		if cfn, ok = resource.Node().DefaultChild().(awscdk.CfnResource); !ok {
			return
		}
	}
	for _, rule := range rules {
		switch {
		case strings.HasPrefix(rule, "AwsSolutions-"):
			add(cfn, "cdk_nag", "rules_to_suppress", nag(rule, reason))
		case strings.HasPrefix(rule, "CKV_"):
			add(cfn, "checkov", "skip", map[string]any{"id": rule, "comment": reason})
		case strings.HasPrefix(rule, "Privilege-"):
			add(cfn, "millrace", "accepted", map[string]any{"id": rule, "reason": reason})
		default:
			panic(fmt.Errorf("suppress: %s: a rule of no scanner: %q", *cfn.Node().Path(), rule))
		}
	}
}

// Policy is the policy that CDK keeps what role was granted in; role itself if there is none yet.
func Policy(role awsiam.IRole) constructs.IConstruct {
	if policy := role.Node().TryFindChild(jsii.String("DefaultPolicy")); policy != nil {
		return policy
	}
	return role
}

// nag is a rule as cdk-nag's metadata has it:
// https://github.com/cdklabs/cdk-nag#suppressing-a-rule
func nag(rule, reason string) map[string]any {
	id, finding, granular := strings.Cut(strings.TrimSuffix(rule, "]"), "[")
	entry := map[string]any{"id": id, "reason": reason}
	if granular {
		var applies any = finding
		if strings.HasPrefix(finding, "/") {
			applies = map[string]any{"regex": finding}
		}
		entry["applies_to"] = []any{applies}
	}
	return entry
}

// add appends entry to the list of that name in the metadata of key, once.
func add(resource awscdk.CfnResource, key, list string, entry map[string]any) {
	had, _ := resource.GetMetadata(&key).(map[string]any)
	entries, _ := had[list].([]any)
	for _, one := range entries {
		if fmt.Sprint(one) == fmt.Sprint(entry) {
			return
		}
	}
	resource.AddMetadata(&key, map[string]any{list: append(entries, entry)})
}
