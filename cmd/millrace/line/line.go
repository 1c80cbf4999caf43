// Package line finds the parts of a deployed line by its stacks, and gives them the names by
// which docs/runbook.md calls them.
package line

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
)

// Names are the parts' physical names by the runbook's: STREAM_NAME, LOADER and so on. What
// an environment does not have is not among them.
type Names map[string]string

// API is what finding the parts takes of CloudFormation.
type API interface {
	cloudformation.DescribeStacksAPIClient
	cloudformation.ListStackResourcesAPIClient
}

// part is a resource: its stack, its type, and how its logical id begins, which is a public contract of the constructs.
type part struct{ stack, kind, id, name string }

func parts() []part {
	const function, group, bucket, delivery = "AWS::Lambda::Function", "AWS::Logs::LogGroup", "AWS::S3::Bucket", "AWS::KinesisFirehose::DeliveryStream"
	return []part{
		{"Foundation", "AWS::Kinesis::Stream", "Core", "STREAM_NAME"},
		{"Foundation", "AWS::RDS::DBInstance", "DatabaseInstance", "DATABASE"},
		{"Foundation", group, "DatabaseLogpostgresql", "DATABASE_LOG"},
		{"Pipeline", group, "IngestAccessLog", "ACCESS_LOG"},
		{"Pipeline", "AWS::ApiGateway::UsagePlan", "IngestRestApiUsagePlan", "USAGE_PLAN"},
		{"Pipeline", delivery, "Lake", "DELIVERY"},
		{"Pipeline", group, "LakeLogGroup", "DELIVERY_LOG"},
		{"Pipeline", function, "LakeTransformerFunction", "TRANSFORMER"},
		{"Pipeline", group, "LakeTransformerLogGroup", "TRANSFORMER_LOG"},
		{"Pipeline", delivery, "ParquetLake", "PARQUET_DELIVERY"},
		{"Pipeline", group, "ParquetLakeLogGroup", "PARQUET_DELIVERY_LOG"},
		{"Pipeline", function, "ParquetLakeTransformerFunction", "PARQUET_TRANSFORMER"},
		{"Pipeline", group, "ParquetLakeTransformerLogGroup", "PARQUET_TRANSFORMER_LOG"},
		{"Pipeline", function, "LoaderFunction", "LOADER"},
		{"Pipeline", group, "LoaderLogGroup", "LOADER_LOG"},
		{"Pipeline", "AWS::Lambda::EventSourceMapping", "LoaderMapping", "LOADER_MAPPING"},
		{"Pipeline", bucket, "LoaderOnFailure", "FAILURES_BUCKET"},
	}
}

// outputs of the stacks, and their names here.
func outputs() map[string]string {
	return map[string]string{
		"LakeBucket": "LAKE_BUCKET", "ParquetBucket": "PARQUET_BUCKET",
		"ApiUrl": "API_URL", "ApiId": "API_ID", "ApiStage": "API_STAGE", "ApiKeyId": "API_KEY_ID", "ParquetWorkGroup": "WORKGROUP",
	}
}

// All are the names that there can be, ENV among them.
func All() []string {
	all := []string{"ENV", "STREAM_ARN"}
	for _, name := range outputs() {
		all = append(all, name)
	}
	for _, p := range parts() {
		all = append(all, p.name)
	}
	return all
}

// Find reads the stacks of env.
func Find(ctx context.Context, client API, env string) (Names, error) {
	names := Names{"ENV": env}
	var own arn.ARN // of the stream, which stands in the stack's region and account
	for _, name := range []string{"Foundation", "Pipeline"} {
		stack := "Millrace-" + env + "-" + name
		id, found, err := describe(ctx, client, stack)
		if err != nil {
			return nil, err
		}
		if name == "Foundation" {
			if own, err = arn.Parse(id); err != nil {
				return nil, fmt.Errorf("reading the ARN of stack %s: %w", stack, err)
			}
			own.Service = "kinesis"
		}
		for key, value := range found {
			if as, ok := outputs()[key]; ok {
				names[as] = value
			}
		}
		pages := cloudformation.NewListStackResourcesPaginator(client, &cloudformation.ListStackResourcesInput{StackName: &stack})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return nil, fmt.Errorf("listing the resources of stack %s: %w", stack, err)
			}
			for _, r := range page.StackResourceSummaries {
				if as := named(name, aws.ToString(r.ResourceType), aws.ToString(r.LogicalResourceId)); as != "" {
					names[as] = aws.ToString(r.PhysicalResourceId)
				}
			}
		}
	}
	own.Resource = "stream/" + names["STREAM_NAME"]
	names["STREAM_ARN"] = own.String()
	return names, nil
}

// Outputs are a stack's by their keys, of which it must have those that are named.
func Outputs(ctx context.Context, client cloudformation.DescribeStacksAPIClient, stack string, names ...string) (map[string]string, error) {
	_, found, err := describe(ctx, client, stack)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if found[name] == "" {
			return nil, fmt.Errorf("stack %s has no output %s", stack, name)
		}
	}
	return found, nil
}

// describe returns a stack's ARN and its outputs.
func describe(ctx context.Context, client cloudformation.DescribeStacksAPIClient, stack string) (id string, outputs map[string]string, err error) {
	described, err := client.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &stack})
	if err != nil {
		return "", nil, fmt.Errorf("describing stack %s: %w", stack, err)
	}
	outputs = map[string]string{}
	for _, found := range described.Stacks {
		id = aws.ToString(found.StackId)
		for _, o := range found.Outputs {
			outputs[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
		}
	}
	return id, outputs, nil
}

// named is what a resource is called here, or nothing.
func named(stack, kind, id string) string {
	for _, p := range parts() {
		if p.stack == stack && p.kind == kind && strings.HasPrefix(id, p.id) {
			return p.name
		}
	}
	return ""
}
