package trust

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// noticed returns the first rule that finds the mutation, "" if none does.
func noticed(m Mutation, rules []Rule, exceptions []Exception) string {
	defer m.Apply()()
	for _, rule := range rules {
		if len(rule.find(m.App, exceptions)) > 0 {
			return rule.Name
		}
	}
	return ""
}

func TestEveryMutationIsNoticed(t *testing.T) {
	apps, rules, exceptions := every(t), Rules(), Exceptions()
	by := map[string]int{}
	kinds := map[string][2]int{} // type and property: noticed, of all
	total, seen := 0, 0
	for _, name := range slices.Sorted(maps.Keys(apps)) {
		for _, m := range Mutations(apps[name]) {
			path := m.Path
			if i := strings.LastIndexAny(path, "."); i >= 0 && !strings.Contains(path, "rds.") && !strings.Contains(path, "pgaudit.") {
				path = path[i+1:]
			}
			kind := m.Resource.Type + " " + path + ": " + m.What
			count := kinds[kind]
			count[1]++
			total++
			if rule := noticed(m, rules, exceptions); rule != "" {
				by[rule]++
				seen++
				count[0]++
			} else {
				assert.Fail(t, "nothing notices it", m.String())
			}
			kinds[kind] = count
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		t.Logf("%3d of %3d  %s", kinds[kind][0], kinds[kind][1], kind)
	}
	for _, rule := range rules {
		t.Logf("%4d noticed first by: %s", by[rule.Name], rule.Name)
	}
	t.Logf("mutations: %d of %d noticed, %.1f %%", seen, total, 100*float64(seen)/float64(total))
	assert.Greater(t, total, 500)
	for _, kind := range []string{
		"AWS::Kinesis::Stream StreamEncryption: removed", "AWS::RDS::DBInstance StorageEncrypted: false",
		"AWS::KinesisFirehose::DeliveryStream DeliveryStreamEncryptionConfigurationInput: removed",
		"AWS::S3::Bucket PublicAccessBlockConfiguration: removed", "AWS::RDS::DBInstance PubliclyAccessible: true",
		"AWS::EC2::SecurityGroupIngress CidrIp: 0.0.0.0/0", "AWS::ApiGateway::Method AuthorizationType: NONE",
		"AWS::Logs::LogGroup RetentionInDays: 0", "AWS::Kinesis::Stream RetentionPeriodHours: 0",
		"AWS::S3::BucketPolicy s3:TlsVersion: 1", "AWS::ApiGateway::DomainName SecurityPolicy: TLS_1_0", "AWS::RDS::DBProxy RequireTLS: false",
		"AWS::IAM::Policy Action: *", "AWS::IAM::Policy Resource: *", "AWS::KMS::Key Principal: *",
		"AWS::IAM::Role Principal: *", "AWS::IAM::Role Condition: removed", "AWS::IAM::Role sts:ExternalId: removed",
		"AWS::Kinesis::ResourcePolicy Principal: *",
	} {
		assert.NotZero(t, kinds[kind][1], "nothing makes this worse: %s", kind)
	}
}

// inert are the types that have no property by which a template gets less secure: they
// only connect others, or the others' rules and the construct's tests speak for them.
func inert() []string {
	return []string{
		"AWS::ApiGateway::Account", "AWS::ApiGateway::Deployment", "AWS::ApiGateway::GatewayResponse", "AWS::ApiGateway::Resource",
		"AWS::ApiGateway::Authorizer", "AWS::ApiGateway::BasePathMapping", "AWS::ApiGateway::UsagePlanKey", "AWS::EC2::RouteTable", "AWS::EC2::SubnetRouteTableAssociation",
		"AWS::EC2::VPC", "AWS::Glue::Database", "AWS::Glue::Table", "AWS::Athena::NamedQuery", "AWS::CloudWatch::Dashboard", "AWS::Logs::LogStream",
		"AWS::Logs::MetricFilter", "AWS::RDS::DBSubnetGroup", attachmentType, "AWS::Serverless::Application",
		"AWS::Backup::BackupPlan", "AWS::Backup::BackupSelection", "AWS::KMS::Alias",
		"AWS::CodeDeploy::Application", "AWS::CodeDeploy::DeploymentConfig", "AWS::CodeDeploy::DeploymentGroup", "AWS::Lambda::Alias", "AWS::Lambda::Version",
		"AWS::Kinesis::StreamConsumer", "AWS::OpenSearchServerless::AccessPolicy", "AWS::RDS::DBProxyTargetGroup",
	}
}

func TestEveryTypeIsMutatedOrInert(t *testing.T) {
	apps, mutated := every(t), map[string]bool{}
	for _, app := range apps {
		for _, m := range Mutations(app) {
			mutated[m.Resource.Type] = true
		}
	}
	for name, app := range apps {
		for _, r := range app.Resources() {
			assert.NotEqual(t, slices.Contains(inert(), r.Type), mutated[r.Type], "%s: %s (%s)", name, r.Name(), r.Type)
		}
	}
}
