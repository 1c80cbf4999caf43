package load_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/load"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestTheMappingReportsBisectsRetriesToAnEndAndKeepsWhatFailed(t *testing.T) {
	cdktest.Template(with(load.PostgresLoaderProps{})).HasResourceProperties(jsii.String("AWS::Lambda::EventSourceMapping"), map[string]any{
		"StartingPosition":               "TRIM_HORIZON",
		"BatchSize":                      500,
		"MaximumBatchingWindowInSeconds": 1,
		"ParallelizationFactor":          1,
		"FunctionResponseTypes":          []any{"ReportBatchItemFailures"},
		"BisectBatchOnFunctionError":     true,
		"MaximumRetryAttempts":           500,
		"MaximumRecordAgeInSeconds":      43_200,
		"MetricsConfig":                  map[string]any{"Metrics": []any{"EventCount"}},
		"Enabled":                        assertions.Match_Absent(),
		"StartingPositionTimestamp":      assertions.Match_Absent(),
		"DestinationConfig": map[string]any{"OnFailure": map[string]any{"Destination": map[string]any{
			"Fn::GetAtt": []any{assertions.Match_StringLikeRegexp(jsii.String("^LoaderOnFailure")), "Arn"},
		}}},
	})
}

func TestRecordsReachTheBucketBeforeAnyStreamForgetsThem(t *testing.T) {
	const shortestRetentionHours = 24
	assert.Less(t, load.DefaultMaxRecordAgeHours, shortestRetentionHours)
}

func TestTheMappingTakesItsValuesFromTheProps(t *testing.T) {
	cdktest.Template(with(load.PostgresLoaderProps{
		BatchSize:             1_000,
		BatchWindow:           awscdk.Duration_Seconds(jsii.Number(0)),
		ParallelizationFactor: 10,
		RetryAttempts:         3,
		MaxRecordAge:          awscdk.Duration_Minutes(jsii.Number(1)),
		StartingPosition:      awslambda.StartingPosition_AT_TIMESTAMP,
		StartAt:               time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Disabled:              true,
	})).HasResourceProperties(jsii.String("AWS::Lambda::EventSourceMapping"), map[string]any{
		"StartingPosition":               "AT_TIMESTAMP",
		"StartingPositionTimestamp":      1_767_323_045,
		"Enabled":                        false,
		"BatchSize":                      1_000,
		"MaximumBatchingWindowInSeconds": 0,
		"ParallelizationFactor":          10,
		"MaximumRetryAttempts":           3,
		"MaximumRecordAgeInSeconds":      60,
	})
}

func TestTheTablesAreReadyBeforeTheLoaderAndItsMapping(t *testing.T) {
	stack := with(load.PostgresLoaderProps{})
	migration, _ := one(t, stack, "Custom::MillraceMigration", "")
	_, function := one(t, stack, "AWS::Lambda::Function", "LoaderFunction")
	_, mapping := one(t, stack, "AWS::Lambda::EventSourceMapping", "")

	assert.Contains(t, function["DependsOn"], migration, "a new loader would meet old tables")
	assert.Contains(t, mapping["DependsOn"], migration)
}

func TestTheWaysInAreOpenBeforeAnyoneGoesThere(t *testing.T) {
	stack := with(load.PostgresLoaderProps{})
	_, migration := one(t, stack, "Custom::MillraceMigration", "")
	_, mapping := one(t, stack, "AWS::Lambda::EventSourceMapping", "")
	rules := resourcesOf(stack, "AWS::EC2::SecurityGroupIngress")
	for id := range resourcesOf(stack, "AWS::EC2::SecurityGroupEgress") {
		rules[id] = nil
	}
	require.Len(t, rules, 6, "to Postgres from two functions, to Secrets Manager from one, both ends")
	for id := range rules {
		if strings.Contains(id, "MigratorSecurityGroup") {
			assert.Contains(t, migration["DependsOn"], id)
		} else {
			assert.Contains(t, mapping["DependsOn"], id)
		}
	}
}
