package delivery_test

import (
	"encoding/json"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/delivery"
	"github.com/millrace-cdk/millrace/spec"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func removing() *spec.Transformer {
	return &spec.Transformer{Steps: []spec.Step{{Remove: &spec.Remove{Paths: []string{"/user/email"}}}}}
}

func TestTheTransformerIsToldTheDeclaredSteps(t *testing.T) {
	stack := cdktest.NewStack()
	delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{Transform: removing()})

	want, err := spec.Encode(removing())
	require.NoError(t, err)
	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::Lambda::Function"), map[string]any{
		"Environment": map[string]any{"Variables": map[string]any{"MILLRACE_SPEC": want}},
	})
}

func TestTheTransformerReadsTheKeyOfItsHashes(t *testing.T) {
	stack := cdktest.NewStack()
	secret := awssecretsmanager.NewSecret(stack, jsii.String("HashKey"), nil)
	declared := &spec.Transformer{Steps: []spec.Step{{Hash: &spec.Hash{Paths: []string{"/user/email"}}}}}
	delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{Transform: declared, HashKey: secret})

	assert.Empty(t, declared.HashKeyARN, "the props are not changed")
	template := cdktest.Template(stack)
	template.HasResourceProperties(jsii.String("AWS::Lambda::Function"), map[string]any{
		"Environment": map[string]any{"Variables": map[string]any{"MILLRACE_SPEC": map[string]any{"Fn::Join": []any{"", []any{
			`{"hash_key_arn":"`, map[string]any{"Ref": named("^HashKey")}, `","steps":[{"hash":{"paths":["/user/email"]}}]}`,
		}}}}},
	})
	template.HasResourceProperties(jsii.String("AWS::IAM::Policy"), map[string]any{
		"PolicyDocument": map[string]any{"Statement": assertions.Match_ArrayWith(&[]any{map[string]any{
			"Effect": "Allow", "Action": []any{"secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"}, "Resource": map[string]any{"Ref": named("^HashKey")},
		}})},
		"Roles": []any{map[string]any{"Ref": named("^DeliveryTransformerRole")}},
	})
}

func TestAPackageOfYoursIsBuiltInPlaceOfOurs(t *testing.T) {
	stack := cdktest.NewStack()
	f := delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{TransformerPackage: "example.com/mine/cmd"})

	assert.NotNil(t, f.Transformer)
	template := cdktest.Template(stack)
	template.HasResourceProperties(jsii.String("AWS::Lambda::Function"), map[string]any{"Description": "Transforms what Firehose delivers"})
	// What it writes is not known to be JSON.
	destination(template, map[string]any{"FileExtension": assertions.Match_Absent()})
}

func TestZeroRetriesMeansNone(t *testing.T) {
	stack := cdktest.NewStack()
	delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{
		Retries: new(0), ProcessorBufferSize: awscdk.Size_Kibibytes(jsii.Number(512)),
	})
	destination(cdktest.Template(stack), map[string]any{"ProcessingConfiguration": map[string]any{"Processors": []any{map[string]any{
		"Parameters": assertions.Match_ArrayWith(&[]any{
			map[string]any{"ParameterName": "BufferSizeInMBs", "ParameterValue": "0.5"},
			map[string]any{"ParameterName": "NumberOfRetries", "ParameterValue": "0"},
		}),
	}}}})
}

func TestProcessingIsWithinItsLimits(t *testing.T) {
	stack := cdktest.NewStack()
	mine := awslambda.Function_FromFunctionName(stack, jsii.String("Mine"), jsii.String("mine"))
	secret := awssecretsmanager.Secret_FromSecretNameV2(stack, jsii.String("HashKey"), jsii.String("key"))
	mebibytes := func(n float64) awscdk.Size { return awscdk.Size_Kibibytes(jsii.Number(n * 1024)) }
	invalid := &spec.Transformer{Steps: []spec.Step{{Validate: &spec.Validate{Schema: json.RawMessage(`{"type":"elephant"}`)}}}}
	growing := &spec.Transformer{Steps: []spec.Step{{Add: &spec.Add{Name: "stream", From: "stream"}}, {Add: &spec.Add{Name: "shard", From: "shard"}}}}
	for name, c := range map[string]struct {
		props delivery.FirehoseToS3Props
		want  string
	}{
		"steps":                         {delivery.FirehoseToS3Props{Transform: removing()}, ""},
		"a step without a path":         {delivery.FirehoseToS3Props{Transform: &spec.Transformer{Steps: []spec.Step{{Remove: &spec.Remove{}}}}}, "transform: step 1: remove: paths are required"},
		"a schema that is none":         {delivery.FirehoseToS3Props{Transform: invalid}, "transform: schema 1: compiling the schema"},
		"hashes without a key":          {delivery.FirehoseToS3Props{Transform: &spec.Transformer{Steps: []spec.Step{{Hash: &spec.Hash{Paths: []string{"/a"}}}}}}, "hash key is required by the hash step"},
		"a key as an ARN":               {delivery.FirehoseToS3Props{Transform: &spec.Transformer{HashKeyARN: "arn:x"}}, "hash key must be passed as the secret"},
		"a key for nothing":             {delivery.FirehoseToS3Props{HashKey: secret}, "hash key is for the hash steps of a transform"},
		"steps for a function of yours": {delivery.FirehoseToS3Props{Transform: removing(), Transformer: mine}, "transformer is given, which transform and transformer package are not for"},
		"steps for nothing":             {delivery.FirehoseToS3Props{Transform: removing(), SkipTransformer: true}, "which is skipped"},
		"retries below zero":            {delivery.FirehoseToS3Props{Retries: new(-1)}, "retries must be 0 to 300, got -1"},
		"too many retries":              {delivery.FirehoseToS3Props{Retries: new(301)}, "retries must be 0 to 300, got 301"},
		"too much at once":              {delivery.FirehoseToS3Props{ProcessorBufferSize: mebibytes(3.5)}, "processor buffer size must be 0.2 to 3 MiB, got 3.5"},
		"too little at once":            {delivery.FirehoseToS3Props{ProcessorBufferSize: mebibytes(0.125)}, "processor buffer size must be 0.2 to 3 MiB, got 0.125"},
		"events of no size":             {delivery.FirehoseToS3Props{EventBytes: -1}, "event bytes must be positive, got -1"},
		"3 MiB of small events":         {delivery.FirehoseToS3Props{ProcessorBufferSize: mebibytes(3)}, "processor buffer size of 3 MiB fits into an answer of 6 MB with events of 540 bytes on average, since these steps add up to 192 bytes to each, got event bytes 100"},
		"3 MiB of large events":         {delivery.FirehoseToS3Props{ProcessorBufferSize: mebibytes(3), EventBytes: 540}, ""},
		"small events that grow":        {delivery.FirehoseToS3Props{Transform: growing}, "make the buffer smaller, or say how large events are"},
		"in a smaller buffer":           {delivery.FirehoseToS3Props{Transform: growing, ProcessorBufferSize: mebibytes(0.5)}, ""},
		"of a function of yours":        {delivery.FirehoseToS3Props{Transformer: mine, ProcessorBufferSize: mebibytes(3)}, ""},
	} {
		t.Run(name, func(t *testing.T) { assertProblem(t, c.props.Validate(), c.want) })
	}
}
