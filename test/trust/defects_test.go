package trust

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/internal/cfn"
)

// defect is one that published systems of this kind ship, made in prod's templates.
type defect struct {
	name string
	rule string // which finds it
	make func(p prod)
}

// prod is prod's templates to spoil.
type prod struct {
	*App
	t *testing.T
}

// properties are those of the first resource of the type and name, "" is any.
func (p prod) properties(kind, name string) map[string]any {
	for _, r := range p.Resources(kind) {
		if name == "" || r.Name() == name {
			return object(r.Body["Properties"])
		}
	}
	require.Fail(p.t, "there is no such resource", kind+" "+name)
	return nil
}

// add adds a resource to the pipeline.
func (p prod) add(kind string, properties map[string]any) {
	object(p.Stacks["Millrace-prod-Pipeline"]["Resources"])["Added"] = map[string]any{"Type": kind, "Properties": properties}
	p.forget()
}

// alarm adds an alarm.
func (p prod) alarm(properties map[string]any) { p.add(alarmType, properties) }

const deaf = "every alarm watches one thing, by the dimensions that its metric has"

func dimension(name string, value any) []any {
	return []any{map[string]any{"Name": name, "Value": value}}
}

// onStream is a stream as an alarm in another stack names it.
func (p prod) onStream() []any {
	return p.properties(alarmType, "CoreIteratorAge")["Dimensions"].([]any)
}

func defects() []defect {
	return []defect{
		{"an alarm has no dimensions, so that it never has data", deaf, func(p prod) {
			delete(p.properties(alarmType, "CoreIteratorAge"), "Dimensions")
		}},
		{"an alarm has no action, so that nobody hears of it", "every alarm tells a topic of itself and of its end", func(p prod) {
			delete(p.properties(alarmType, "CoreIteratorAge"), "AlarmActions")
		}},
		{"an alarm's action is what it watches", "every alarm tells a topic of itself and of its end", func(p prod) {
			p.properties(alarmType, "CoreIteratorAge")["AlarmActions"] = []any{map[string]any{"Fn::GetAtt": []any{p.Resources(streamType)[0].ID, "Arn"}}}
		}},
		{"an alarm is renamed, and the page that waits for it is not", "every alarm that is named is there", func(p prod) {
			p.properties(alarmType, "CoreIteratorAge")["AlarmName"] = "Lag"
		}},
		{"retry attempts and parallelization factor of an event source mapping are swapped", "event source mappings keep what fails, retry to an end, and fit the function", func(p prod) {
			m := p.properties(mappingType, "")
			m["MaximumRetryAttempts"], m["ParallelizationFactor"] = m["ParallelizationFactor"], m["MaximumRetryAttempts"]
		}},
		{"and so where both are small", "event source mappings keep what fails, retry to an end, and fit the function", func(p prod) {
			m := p.properties(mappingType, "")
			m["MaximumRetryAttempts"], m["ParallelizationFactor"] = 1.0, 3.0
		}},
		{"a delivery stream's ARN is given as its name in a dimension", deaf, func(p prod) {
			for _, delivery := range p.Resources(deliveryType) {
				p.properties(alarmType, "LakeAlarmsFreshness")["Dimensions"] = dimension("DeliveryStreamName", map[string]any{"Fn::GetAtt": []any{delivery.ID, "Arn"}})
			}
		}},
		{"a sum of minutes is divided by a limit per second", "no alarm compares a sum of minutes with a limit per second", func(p prod) {
			named := p.properties(alarmType, "LakeAlarmsFreshness")["Dimensions"]
			stat := func(id, name, stat string) map[string]any {
				return map[string]any{"Id": id, "MetricStat": map[string]any{
					"Metric": map[string]any{"Namespace": "AWS/Firehose", "MetricName": name, "Dimensions": named}, "Period": 300.0, "Stat": stat,
				}}
			}
			p.alarm(map[string]any{"Threshold": 75.0, "Metrics": []any{
				map[string]any{"Id": "e1", "Expression": "100*(m1/m2)"}, stat("m1", "IncomingBytes", "Sum"), stat("m2", "BytesPerSecondLimit", "Minimum"),
			}})
		}},
		{"a sum is compared with a limit per second as a number", "no alarm compares a sum of minutes with a limit per second", func(p prod) {
			p.alarm(map[string]any{
				"Namespace": "AWS/Kinesis", "MetricName": "IncomingBytes", "Statistic": "Sum", "Period": 300.0,
				"Threshold": 1048576.0, "Dimensions": p.onStream(),
			})
		}},
		{"the alarm that was meant for bytes watches the records a second time", "no two alarms watch the same", func(p prod) {
			p.properties(alarmType, "CoreWriteThrottled")["MetricName"] = "ReadProvisionedThroughputExceeded"
		}},
		{"PutRecords.Success stands for the success of records", "no alarm waits for a metric that hides partial failure", func(p prod) {
			p.alarm(map[string]any{"Namespace": "AWS/Kinesis", "MetricName": "PutRecords.Success", "Statistic": "Average", "Threshold": 0.95, "Dimensions": p.onStream()})
		}},
		{"an API key's value is a constant of the template", "no text in a template is a secret", func(p prod) {
			p.add("AWS::ApiGateway::ApiKey", map[string]any{"Enabled": true, "Value": "a4b1c2d3e4f5a4b1c2d3e4f5a4b1c2d3"})
		}},
		{"a method asks nobody", "every method asks who is there and what comes", func(p prod) {
			p.properties(methodType, "IngestRestApieventsPOST")["AuthorizationType"] = "NONE"
		}},
		{"the client names the stream", "every method asks who is there and what comes", func(p prod) {
			integration := object(p.properties(methodType, "IngestRestApieventsPOST")["Integration"])
			integration["RequestTemplates"] = map[string]any{"application/json": `{"StreamName": "$input.params('stream-name')", "Data": "x"}`}
		}},
		{"a method reads from the stream", "every method asks who is there and what comes", func(p prod) {
			object(p.properties(methodType, "IngestRestApieventsPOST")["Integration"])["Uri"] = "arn:aws:apigateway:eu-west-1:kinesis:action/GetRecords"
		}},
		{"a body without a template is passed through", "every method asks who is there and what comes", func(p prod) {
			object(p.properties(methodType, "IngestRestApieventsPOST")["Integration"])["PassthroughBehavior"] = "WHEN_NO_TEMPLATES"
		}},
		{"a role is for arn*", "no role may do everything, or anything to everything", func(p prod) {
			for _, s := range list(cfn.At(p.properties(identityType, "IngestWriterRoleDefaultPolicy"), "PolicyDocument", "Statement")) {
				object(s)["Resource"] = "arn*"
			}
		}},
		{"a function has the database's password in a variable", "no text in a template is a secret", func(p prod) {
			p.properties(functionType, "LoaderFunction")["Environment"] = map[string]any{"Variables": map[string]any{
				"DB": "{{resolve:secretsmanager:database:SecretString:password}}",
			}}
		}},
		{"a function has AmazonDynamoDBFullAccess", "no managed policy widens a role", func(p prod) {
			p.properties(roleType, "LoaderRole")["ManagedPolicyArns"] = []any{"arn:aws:iam::aws:policy/AmazonDynamoDBFullAccess"}
		}},
		{"a mapping keeps, halves and bounds nothing", "event source mappings keep what fails, retry to an end, and fit the function", func(p prod) {
			m := p.properties(mappingType, "")
			for _, key := range []string{"DestinationConfig", "BisectBatchOnFunctionError", "MaximumRetryAttempts", "MaximumRecordAgeInSeconds"} {
				delete(m, key)
			}
		}},
		{"a function of 128 MB connects to the database as often as it likes", "functions of the database stand in its VPC, bounded", func(p prod) {
			f := p.properties(functionType, "LoaderFunction")
			f["MemorySize"] = 128.0
			delete(f, "ReservedConcurrentExecutions")
		}},
		{"a custom resource's function may run as long as CloudFormation waits", "custom resources end before they are given up", func(p prod) {
			p.properties("Custom::MillraceMigration", "")["ServiceTimeout"] = "900"
		}},
		{"a custom resource sets a VPC after the fact", "no custom resource changes what a template can say", func(p prod) {
			p.add("Custom::VpcConfiguration", map[string]any{"ServiceToken": "x"})
		}},
		{"the database's storage is not encrypted", "every store is encrypted, with a key of ours where it can be", func(p prod) {
			delete(p.properties(instanceType, ""), "StorageEncrypted")
		}},
		{"the database stands in one zone", "the database is its own, observed and updated", func(p prod) {
			delete(p.properties(instanceType, ""), "MultiAZ")
		}},
		{"the database can be deleted", "what is kept outlives its stack", func(p prod) {
			delete(p.properties(instanceType, ""), "DeletionProtection")
		}},
		{"the database listens where everyone looks first", "the database is its own, observed and updated", func(p prod) {
			delete(p.properties(instanceType, ""), "Port")
		}},
		// Not of the published ones: what no mutation can make of our templates, since they have no such resource.
		{"a domain takes TLS 1.0", "domains take TLS 1.2 or later", func(p prod) {
			p.add("AWS::ApiGateway::DomainName", map[string]any{"SecurityPolicy": "TLS_1_0"})
		}},
		{"a function is invoked by anybody's bucket", "functions are invoked by who is named", func(p prod) {
			p.add(permissionType, map[string]any{"Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com", "FunctionName": "x"})
		}},
		{"a role is another account's deputy's", "roles are assumed by the one service that they are for", func(p prod) {
			for _, s := range list(cfn.At(p.properties(roleType, "LakeRole"), "AssumeRolePolicyDocument", "Statement")) {
				delete(object(s), "Condition")
			}
		}},
		{"a proxy takes passwords", "proxies of the database take TLS and tokens alone", func(p prod) {
			p.add("AWS::RDS::DBProxy", map[string]any{"RequireTLS": true, "Auth": []any{map[string]any{"IAMAuth": "DISABLED"}}})
		}},
		{"a subnet gives public addresses", "no subnet gives public addresses", func(p prod) {
			p.properties("AWS::EC2::Subnet", "")["MapPublicIpOnLaunch"] = true
		}},
		{"the database has a way out to the world", "nothing leads to the database from outside", func(p prod) {
			p.properties(instanceType, "")["PubliclyAccessible"] = true
		}},
		{"two functions share a role", "every function has its own role and log group", func(p prod) {
			p.properties(functionType, "LoaderFunction")["Role"] = p.properties(functionType, "LoaderMigratorFunction")["Role"]
		}},
	}
}

func TestEachPublishedDefectIsFoundInOurTemplates(t *testing.T) {
	for _, defect := range defects() {
		t.Run(defect.name, func(t *testing.T) {
			spoiled := prod{apps(t)["prod"], t}
			defect.make(spoiled)
			by := map[string]bool{}
			for _, finding := range Findings(spoiled.App, Rules(), Exceptions()) {
				by[finding.Rule] = true
			}
			assert.Contains(t, by, defect.rule)
		})
	}
}

func TestEveryRuleHasFoundSomethingOnce(t *testing.T) {
	byDefect := map[string]bool{}
	for _, defect := range defects() {
		byDefect[defect.rule] = true
	}
	apps := every(t)
	mutations := slices.Concat(Mutations(apps["prod"]), Mutations(apps["dev"]), Mutations(apps["everything"]))
	for _, rule := range Rules() {
		found := byDefect[rule.Name] || slices.ContainsFunc(mutations, func(m Mutation) bool {
			return noticed(m, []Rule{rule}, Exceptions()) != ""
		})
		assert.True(t, found, "no mutation and no defect is found by: %s", rule.Name)
	}
}

func TestEveryExceptionIsNeeded(t *testing.T) {
	for _, exception := range Exceptions() {
		used := false
		for _, app := range every(t) {
			for _, rule := range Rules() {
				for _, finding := range rule.findings(app) {
					used = used || exception.covers(finding)
				}
			}
		}
		assert.True(t, used, "%s of %s: nothing is found that it lets stand", exception.Rule, exception.Resource)
		assert.NotEmpty(t, exception.Reason)
	}
}
