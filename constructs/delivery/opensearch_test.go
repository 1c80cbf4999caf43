package delivery_test

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsopensearchservice"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"

	"github.com/millrace-cdk/millrace/constructs/delivery"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func domain(stack awscdk.Stack) awsopensearchservice.IDomain {
	return awsopensearchservice.Domain_FromDomainAttributes(stack, jsii.String("Domain"), &awsopensearchservice.DomainAttributes{
		DomainArn:      jsii.String("arn:aws:es:eu-west-1:111122223333:domain/search"),
		DomainEndpoint: jsii.String("search.eu-west-1.es.amazonaws.com"),
	})
}

func collection() *delivery.Collection {
	return &delivery.Collection{Name: "search", Arn: "arn:aws:aoss:eu-west-1:111122223333:collection/abc", Endpoint: "https://abc.eu-west-1.aoss.amazonaws.com"}
}

func TestEventsBecomeDocumentsOfADomain(t *testing.T) {
	stack := cdktest.NewStack()
	f := delivery.NewFirehoseToOpenSearch(stack, "Search", &delivery.FirehoseToOpenSearchProps{
		DeliveryProps: delivery.DeliveryProps{Source: source(stack)}, Domain: domain(stack), Index: "events",
	})

	assert.Equal(t, []string{"Freshness", "Success", "Throttled", "Processing", "FunctionErrors", "FunctionThrottles", "FunctionDuration", "FailedShare", "FailedRecords"}, names(f.Alarms()))
	template := cdktest.Template(stack)
	deliveryStream(template, map[string]any{
		"DeliveryStreamType": "KinesisStreamAsSource",
		"AmazonopensearchserviceDestinationConfiguration": map[string]any{
			"DomainARN": "arn:aws:es:eu-west-1:111122223333:domain/search", "IndexName": "events", "IndexRotationPeriod": "OneDay",
			"DocumentIdOptions":        map[string]any{"DefaultDocumentIdFormat": "FIREHOSE_DEFAULT"},
			"BufferingHints":           map[string]any{"IntervalInSeconds": 300, "SizeInMBs": 5},
			"RetryOptions":             map[string]any{"DurationInSeconds": 300},
			"ProcessingConfiguration":  map[string]any{"Enabled": true},
			"S3BackupMode":             "FailedDocumentsOnly",
			"S3Configuration":          backedUp("Search"),
			"CloudWatchLoggingOptions": map[string]any{"LogStreamName": map[string]any{"Ref": named("^SearchLogGroupOpenSearchDestination")}},
			"VpcConfiguration":         assertions.Match_Absent(),
		},
	})
	alarm(template, map[string]any{"MetricName": "DeliveryToAmazonOpenSearchService.DataFreshness"})
	alarm(template, map[string]any{"MetricName": "DeliveryToAmazonOpenSearchService.Success"})
	const here = "arn:aws:es:eu-west-1:111122223333:domain/search"
	allowed(template, "SearchRole",
		map[string]any{"Effect": "Allow", "Action": []any{"es:DescribeDomain", "es:DescribeDomains", "es:DescribeDomainConfig", "es:ESHttpPost", "es:ESHttpPut"}, "Resource": []any{here, here + "/*"}},
		assertions.Match_ObjectLike(&map[string]any{"Action": "es:ESHttpGet", "Resource": assertions.Match_ArrayWith(&[]any{here + "/events*/_stats"})}),
	)
}

func TestEventsBecomeDocumentsOfACollection(t *testing.T) {
	stack := cdktest.NewStack()
	delivery.NewFirehoseToOpenSearch(stack, "Search", &delivery.FirehoseToOpenSearchProps{Collection: collection(), Index: "events", BackupAll: true})

	template := cdktest.Template(stack)
	deliveryStream(template, map[string]any{"AmazonOpenSearchServerlessDestinationConfiguration": map[string]any{
		"CollectionEndpoint": "https://abc.eu-west-1.aoss.amazonaws.com", "IndexName": "events", "S3BackupMode": "AllDocuments", "S3Configuration": backedUp("Search"),
	}})
	alarm(template, map[string]any{"MetricName": "DeliveryToAmazonOpenSearchServerless.Success"})
	allowed(template, "SearchRole", map[string]any{"Effect": "Allow", "Action": "aoss:APIAccessAll", "Resource": "arn:aws:aoss:eu-west-1:111122223333:collection/abc"})
	template.HasResourceProperties(jsii.String("AWS::OpenSearchServerless::AccessPolicy"), map[string]any{
		"Name": named("^m-[a-z0-9-]{1,30}$"), "Type": "data",
		"Policy": map[string]any{"Fn::Join": []any{"", []any{
			`[{"Principal":["`, arn("^SearchRole"), `"],"Rules":[{"Permission":["aoss:WriteDocument","aoss:CreateIndex"],"Resource":["index/search/events"],"ResourceType":"index"}]}]`,
		}}},
	})
	template.HasResource(jsii.String("AWS::KinesisFirehose::DeliveryStream"), map[string]any{
		"DependsOn": assertions.Match_ArrayWith(&[]any{named("^SearchAccessPolicy")}),
	})
}

func TestFirehoseReachesADomainInAVpc(t *testing.T) {
	stack := cdktest.NewStack()
	vpc := awsec2.NewVpc(stack, jsii.String("Vpc"), &awsec2.VpcProps{RestrictDefaultSecurityGroup: jsii.Bool(false)})
	delivery.NewFirehoseToOpenSearch(stack, "Search", &delivery.FirehoseToOpenSearchProps{
		Domain: domain(stack), Index: "events", Rotation: delivery.NoRotation, SkipDocumentID: true, RetryDuration: awscdk.Duration_Seconds(jsii.Number(0)),
		Vpc: vpc, VpcSubnets: &awsec2.SubnetSelection{SubnetType: awsec2.SubnetType_PRIVATE_WITH_EGRESS},
		SecurityGroups: []awsec2.ISecurityGroup{awsec2.NewSecurityGroup(stack, jsii.String("Group"), &awsec2.SecurityGroupProps{Vpc: vpc})},
	})

	template := cdktest.Template(stack)
	deliveryStream(template, map[string]any{"AmazonopensearchserviceDestinationConfiguration": map[string]any{
		"IndexRotationPeriod": "NoRotation",
		"DocumentIdOptions":   map[string]any{"DefaultDocumentIdFormat": "NO_DOCUMENT_ID"},
		"RetryOptions":        map[string]any{"DurationInSeconds": 0},
		"VpcConfiguration": map[string]any{
			"SubnetIds":        []any{map[string]any{"Ref": named("^VpcPrivate")}, map[string]any{"Ref": named("^VpcPrivate")}},
			"SecurityGroupIds": []any{map[string]any{"Fn::GetAtt": []any{named("^Group"), "GroupId"}}},
		},
	}})
	allowed(template, "SearchRole", assertions.Match_ObjectLike(&map[string]any{"Action": assertions.Match_ArrayWith(&[]any{"ec2:CreateNetworkInterface"}), "Resource": "*"}))
}
