package delivery_test

import (
	"fmt"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"

	"github.com/millrace-cdk/millrace/constructs/delivery"
	"github.com/millrace-cdk/millrace/spec"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

// byType sets the partition key type.
func byType() *spec.Transformer {
	return &spec.Transformer{Steps: []spec.Step{{Partition: &spec.Partition{Keys: []spec.PartitionKey{{Name: "type", Path: "/event_type", Default: "none"}}}}}}
}

func TestRecordsGoToThePrefixThatTheirKeysSay(t *testing.T) {
	stack := cdktest.NewStack()
	delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{
		Prefix:       "events/type=!{partitionKeyFromLambda:type}/customer=!{partitionKeyFromQuery:customer}/",
		Transform:    byType(),
		Partitioning: &delivery.Partitioning{JQ: map[string]string{"customer": ".customer.id"}},
	})

	destination(cdktest.Template(stack), map[string]any{
		"DynamicPartitioningConfiguration": map[string]any{"Enabled": true, "RetryOptions": map[string]any{"DurationInSeconds": 300}},
		"ProcessingConfiguration": map[string]any{"Processors": []any{
			map[string]any{"Type": "Lambda"},
			map[string]any{"Type": "MetadataExtraction", "Parameters": []any{
				map[string]any{"ParameterName": "MetadataExtractionQuery", "ParameterValue": `{"customer":.customer.id}`},
				map[string]any{"ParameterName": "JsonParsingEngine", "ParameterValue": "JQ-1.6"},
			}},
		}},
	})
}

func TestARecordsKeysMayComeFromJQAlone(t *testing.T) {
	stack := cdktest.NewStack()
	delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{
		Prefix:          "events/day=!{partitionKeyFromQuery:day}/a=!{partitionKeyFromQuery:a}/",
		SkipTransformer: true,
		Partitioning: &delivery.Partitioning{
			JQ:            map[string]string{"day": `.at | strftime("%Y-%m-%d")`, "a": ".a"},
			RetryDuration: awscdk.Duration_Seconds(jsii.Number(0)),
		},
	})

	destination(cdktest.Template(stack), map[string]any{
		"DynamicPartitioningConfiguration": map[string]any{"RetryOptions": map[string]any{"DurationInSeconds": 0}},
		"ProcessingConfiguration": map[string]any{"Processors": []any{map[string]any{
			"Type": "MetadataExtraction",
			"Parameters": assertions.Match_ArrayWith(&[]any{
				map[string]any{"ParameterName": "MetadataExtractionQuery", "ParameterValue": `{"a":.a,"day":.at | strftime("%Y-%m-%d")}`},
			}),
		}}},
	})
}

func TestPartitioningIsADeliveryStreamOfItsOwnSinceItCannotBeTurnedOn(t *testing.T) {
	names := map[string]bool{}
	for _, props := range []*delivery.FirehoseToS3Props{
		{},
		{Prefix: "events/type=!{partitionKeyFromLambda:type}/", Transform: byType(), Partitioning: &delivery.Partitioning{}},
	} {
		stack := cdktest.NewStack()
		delivery.NewFirehoseToS3(stack, "Delivery", props)
		for name := range *cdktest.Template(stack).FindResources(jsii.String("AWS::KinesisFirehose::DeliveryStream"), nil) {
			names[name] = true
		}
	}
	assert.Len(t, names, 2)
}

func TestPrefixAndPartitionKeysAgree(t *testing.T) {
	const lambda, query = "!{partitionKeyFromLambda:type}", "!{partitionKeyFromQuery:customer}"
	jq := map[string]string{"customer": ".customer"}
	many := map[string]string{}
	prefix := ""
	for i := range 51 {
		many[fmt.Sprint("k", i)] = ".k"
		prefix += fmt.Sprintf("!{partitionKeyFromQuery:k%d}/", i)
	}
	for name, c := range map[string]struct {
		props delivery.FirehoseToS3Props
		want  string
	}{
		"both used":                  {delivery.FirehoseToS3Props{Prefix: lambda + "/" + query + "/", Transform: byType(), Partitioning: &delivery.Partitioning{JQ: jq}}, ""},
		"keys of their package":      {delivery.FirehoseToS3Props{Prefix: lambda + "/", TransformerPackage: "./cmd", Partitioning: &delivery.Partitioning{Keys: []string{"type"}}}, ""},
		"a step without it":          {delivery.FirehoseToS3Props{Transform: byType()}, "transform sets the partition keys type, which only partitioning delivers by"},
		"no keys":                    {delivery.FirehoseToS3Props{Partitioning: &delivery.Partitioning{}}, "partitioning needs keys"},
		"keys that no step sets":     {delivery.FirehoseToS3Props{Prefix: lambda + "/", Partitioning: &delivery.Partitioning{Keys: []string{"type"}}}, "partitioning keys are those of a transformer of yours, got type"},
		"one in vain":                {delivery.FirehoseToS3Props{Transform: byType(), Partitioning: &delivery.Partitioning{}}, "prefix must have !{partitionKeyFromLambda:type}, since there is such a key"},
		"a query in vain":            {delivery.FirehoseToS3Props{Prefix: lambda, Transform: byType(), Partitioning: &delivery.Partitioning{JQ: jq}}, "prefix must have !{partitionKeyFromQuery:customer}"},
		"one that no step sets":      {delivery.FirehoseToS3Props{Prefix: lambda + "/!{partitionKeyFromLambda:kind}", Transform: byType(), Partitioning: &delivery.Partitioning{}}, "prefix has !{partitionKeyFromLambda:kind}: the transformer sets type"},
		"one that JQ does not find":  {delivery.FirehoseToS3Props{Prefix: lambda + "/" + query, Transform: byType(), Partitioning: &delivery.Partitioning{}}, "prefix has !{partitionKeyFromQuery:customer}: JQ finds no keys"},
		"in the error prefix":        {delivery.FirehoseToS3Props{Prefix: lambda, ErrorPrefix: "e/!{firehose:error-output-type}/" + lambda, Transform: byType(), Partitioning: &delivery.Partitioning{}}, "error prefix has !{partitionKeyFromLambda:type}: partition keys are for the prefix"},
		"JQ without an expression":   {delivery.FirehoseToS3Props{Prefix: query, Partitioning: &delivery.Partitioning{JQ: map[string]string{"customer": " "}}}, "partitioning key customer must have a JQ expression"},
		"too many":                   {delivery.FirehoseToS3Props{Prefix: prefix, Partitioning: &delivery.Partitioning{JQ: many}}, "partitioning must have at most 50 JQ keys, got 51"},
		"retried for too long":       {delivery.FirehoseToS3Props{Prefix: query, Partitioning: &delivery.Partitioning{JQ: jq, RetryDuration: awscdk.Duration_Seconds(jsii.Number(7_201))}}, "partitioning retry duration must be 0 to 7200 whole seconds, got 7201"},
		"a buffer that is too small": {delivery.FirehoseToS3Props{Prefix: query, BufferSize: awscdk.Size_Mebibytes(jsii.Number(63)), Partitioning: &delivery.Partitioning{JQ: jq}}, "buffer size must be 64 to 128 whole MiB with partitioning, got 63"},
		"a wait that is too short":   {delivery.FirehoseToS3Props{Prefix: query, BufferInterval: awscdk.Duration_Seconds(jsii.Number(59)), Partitioning: &delivery.Partitioning{JQ: jq}}, "buffer interval must be 60 to 900 whole seconds with partitioning, got 59"},
	} {
		t.Run(name, func(t *testing.T) { assertProblem(t, c.props.Validate(), c.want) })
	}
}

// assertProblem asserts that err says want, or that there is none.
func assertProblem(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" {
		assert.NoError(t, err)
		return
	}
	assert.ErrorContains(t, err, want)
}
