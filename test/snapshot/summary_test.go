package snapshot

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/stacks"
)

// summaryOf is the summary of an environment of two stacks, of which the pipeline's resources are given.
func summaryOf(t *testing.T, resources string) string {
	t.Helper()
	folder := t.TempDir()
	for name, text := range map[string]string{
		"x-foundation": `{
			"Resources": {
				"Key01234567": {"Type": "AWS::KMS::Key", "Properties": {"EnableKeyRotation": true}},
				"Group89ABCDEF": {"Type": "AWS::EC2::SecurityGroup", "Properties": {"SecurityGroupEgress": [{"CidrIp": "127.0.0.1/32", "IpProtocol": "-1"}]}}},
			"Outputs": {"O": {"Value": {"Fn::GetAtt": ["Key01234567", "Arn"]}, "Export": {"Name": "F:Key"}}}}`,
		"x-pipeline": `{"Resources": {` + resources + `}}`,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name+".template.json"), []byte(text), 0o644))
	}
	text, err := Summary(folder, "x")
	require.NoError(t, err)
	return text
}

// The goldens of TestTemplates come first in `make snapshots`: tests run in the order of their files.
func TestSummaries(t *testing.T) {
	for _, name := range stacks.EnvironmentNames() {
		t.Run(name, func(t *testing.T) {
			got, err := Summary("testdata", name)
			require.NoError(t, err)
			path := filepath.Join("testdata", name+".summary.md")
			if flag.Lookup("update").Value.String() == "true" { // the flag of cdktest
				require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
				return
			}
			want, err := os.ReadFile(path)
			require.NoError(t, err, "no summary yet: run `make snapshots`")
			assert.Equal(t, string(want), got, "the summary is stale: run `make snapshots`, then read the difference")
		})
	}
}

func TestEveryTypeIsBilledOrFree(t *testing.T) {
	for _, name := range stacks.EnvironmentNames() {
		page, err := read("testdata", name)
		require.NoError(t, err)
		for _, stack := range page.stacks {
			for _, resource := range stack.Resources {
				assert.True(t, classified(resource.Type), "%s has %s: say in test/snapshot/summary_costs.go whether AWS bills it, and by what", name, resource.Type)
			}
		}
	}
	for _, kind := range free {
		assert.NotContains(t, billed, kind)
	}
}

func TestASummaryFollowsAReferenceIntoAnotherStack(t *testing.T) {
	text := summaryOf(t, `"Policy00000000": {"Type": "AWS::IAM::Policy", "Properties": {"Roles": [{"Ref": "Reader11111111"}], "PolicyDocument": {"Statement": [
		{"Effect": "Allow", "Action": ["kms:Decrypt"], "Resource": {"Fn::ImportValue": "F:Key"}, "Condition": {"StringEquals": {"aws:x": ["a", "b"]}}}]}}}`)
	assert.Contains(t, text, "| Reader | `kms:Decrypt` on `Key` if aws:x StringEquals a, b |\n")
}

func TestASummarySaysWhoMayAssumeARoleAndWhatIsDenied(t *testing.T) {
	text := summaryOf(t, `
		"Role00000000": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}]}}},
		"Policy00000000": {"Type": "AWS::S3::BucketPolicy", "Properties": {"PolicyDocument": {"Statement": [{"Effect": "Deny", "Action": "s3:*", "Principal": {"AWS": "*"}, "Resource": "*"}]}}}`)
	assert.Contains(t, text, "| lambda.amazonaws.com | `sts:AssumeRole` on `Role` |\n")
	assert.Contains(t, text, "| anyone | **Deny** `s3:*` on `Policy` |\n")
}

func TestASummarySaysWhichEndsOfAPathAllowIt(t *testing.T) {
	text := summaryOf(t, `
		"Loader22222222": {"Type": "AWS::EC2::SecurityGroup", "Properties": {"SecurityGroupEgress": [{"CidrIp": "0.0.0.0/0", "IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}]}},
		"Open33333333": {"Type": "AWS::EC2::SecurityGroup", "Properties": {}},
		"In": {"Type": "AWS::EC2::SecurityGroupIngress", "Properties": {"GroupId": {"Fn::GetAtt": ["Group89ABCDEF", "GroupId"]}, "SourceSecurityGroupId": {"Fn::GetAtt": ["Loader22222222", "GroupId"]}, "IpProtocol": "tcp", "FromPort": 5433, "ToPort": 5433}},
		"Out": {"Type": "AWS::EC2::SecurityGroupEgress", "Properties": {"GroupId": {"Fn::GetAtt": ["Loader22222222", "GroupId"]}, "DestinationSecurityGroupId": {"Fn::GetAtt": ["Group89ABCDEF", "GroupId"]}, "IpProtocol": "tcp", "FromPort": 5433, "ToPort": 5433}},
		"OneEnd": {"Type": "AWS::EC2::SecurityGroupIngress", "Properties": {"GroupId": {"Ref": "Loader22222222"}, "CidrIp": "10.0.0.0/8", "IpProtocol": "udp", "FromPort": 1, "ToPort": 9}}`)
	_, text, _ = strings.Cut(text, "## Network paths")
	for _, row := range []string{
		"| Loader | Group tcp 5433 | both |\n",
		"| Loader | 0.0.0.0/0 tcp 443 | egress |\n",
		"| 10.0.0.0/8 | Loader udp 1-9 | ingress |\n",
		"| Open | 0.0.0.0/0 all | egress |\n", // said nothing: EC2 allows all
	} {
		assert.Contains(t, text, row)
	}
	assert.NotContains(t, text, "127.0.0.1")
}

func TestASummarySaysOnceWhatIsAlike(t *testing.T) {
	statement := `{"Statement": [{"Effect": "Deny", "Action": "s3:*", "Principal": {"AWS": "*"}, "Resource": "*"}]}`
	alarm := `{"Type": "AWS::CloudWatch::Alarm", "Properties": {"Namespace": "N", "MetricName": "M", "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 2,
		"ComparisonOperator": "GreaterThanThreshold", "Threshold": 0, "TreatMissingData": "notBreaching", "AlarmActions": [{"Ref": "Topic22222222"}]}}`
	text := summaryOf(t, `
		"Policy00000000": {"Type": "AWS::S3::BucketPolicy", "Properties": {"Bucket": {"Ref": "A00000000"}, "PolicyDocument": `+statement+`}},
		"Policy11111111": {"Type": "AWS::S3::BucketPolicy", "Properties": {"Bucket": {"Ref": "B00000000"}, "PolicyDocument": `+statement+`}},
		"Alarm00000000": `+alarm+`, "Alert00000000": `+alarm)
	assert.Contains(t, text, "| anyone | **Deny** `s3:*` on `A`, `B` |\n")
	assert.Contains(t, text, "| N | Alarm, Alert: M Sum > 0 for 2 of 2 × 60 s → Topic |\n")
	assert.Contains(t, text, "| AWS::S3 |  | 2 BucketPolicy |\n")
	assert.Contains(t, text, "| by use alone | AWS::CloudWatch::Alarm: Alarm, Alert (metrics, a month) |\n")
}

// A page that nobody reads to its end says nothing.
func TestASummaryIsAPage(t *testing.T) {
	for _, name := range stacks.EnvironmentNames() {
		text, err := Summary("testdata", name)
		require.NoError(t, err)
		assert.LessOrEqual(t, strings.Count(text, "\n"), 120, name)
	}
}

func TestASummaryOfAnEnvironmentWithoutTemplatesIsAnError(t *testing.T) {
	_, err := Summary(t.TempDir(), "nowhere")
	assert.ErrorContains(t, err, "finding the templates of nowhere")
}
