package delivery_test

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"

	"github.com/millrace-cdk/millrace/constructs/delivery"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestMain(m *testing.M) { cdktest.Main(m) }

func named(pattern string) assertions.Matcher {
	return assertions.Match_StringLikeRegexp(&pattern)
}

func arn(pattern string) any {
	return map[string]any{"Fn::GetAtt": []any{named(pattern), "Arn"}}
}

func source(stack awscdk.Stack) awskinesis.IStream {
	return awskinesis.NewStream(stack, jsii.String("Source"), &awskinesis.StreamProps{Encryption: awskinesis.StreamEncryption_KMS})
}

// destination expects members of the one S3 destination.
func destination(template assertions.Template, want map[string]any) {
	template.HasResourceProperties(jsii.String("AWS::KinesisFirehose::DeliveryStream"), map[string]any{
		"ExtendedS3DestinationConfiguration": want,
	})
}

func TestObjectsAreGzipOfAnHourUnderTheEventsPrefixAndFailuresApart(t *testing.T) {
	stack := cdktest.NewStack()
	delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{Source: source(stack)})

	destination(cdktest.Template(stack), map[string]any{
		"CompressionFormat": "GZIP",
		"FileExtension":     ".json.gz",
		"Prefix":            "events/year=!{timestamp:yyyy}/month=!{timestamp:MM}/day=!{timestamp:dd}/hour=!{timestamp:HH}/",
		"ErrorOutputPrefix": "errors/!{firehose:error-output-type}/year=!{timestamp:yyyy}/month=!{timestamp:MM}/day=!{timestamp:dd}/hour=!{timestamp:HH}/",
		"BufferingHints":    map[string]any{"IntervalInSeconds": 300, "SizeInMBs": 64},
	})
}

func TestTheTransformerGetsAMebibyteAtOnceAndThreeRetries(t *testing.T) {
	stack := cdktest.NewStack()
	delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{Source: source(stack)})

	destination(cdktest.Template(stack), map[string]any{"ProcessingConfiguration": map[string]any{
		"Enabled": true,
		"Processors": []any{map[string]any{"Type": "Lambda", "Parameters": []any{
			map[string]any{"ParameterName": "RoleArn", "ParameterValue": arn("^DeliveryRole")},
			map[string]any{"ParameterName": "LambdaArn", "ParameterValue": arn("^DeliveryTransformerFunction")},
			map[string]any{"ParameterName": "BufferIntervalInSeconds", "ParameterValue": "60"},
			map[string]any{"ParameterName": "BufferSizeInMBs", "ParameterValue": "1"},
			map[string]any{"ParameterName": "NumberOfRetries", "ParameterValue": "3"},
		}}},
	}})
}

func TestTheTransformerWaitsNoLongerThanTheDelivery(t *testing.T) {
	for _, seconds := range []float64{0, 5, 900} {
		stack := cdktest.NewStack()
		delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{BufferInterval: awscdk.Duration_Seconds(&seconds)})

		want := map[float64]string{0: "0", 5: "5", 900: "60"}[seconds]
		destination(cdktest.Template(stack), map[string]any{
			"BufferingHints": map[string]any{"IntervalInSeconds": seconds},
			"ProcessingConfiguration": map[string]any{"Processors": []any{map[string]any{
				"Parameters": assertions.Match_ArrayWith(&[]any{map[string]any{"ParameterName": "BufferIntervalInSeconds", "ParameterValue": want}}),
			}}},
		})
	}
}

func TestErrorsAreLoggedToAGroupThatIsKeptForAMonth(t *testing.T) {
	stack := cdktest.NewStack()
	delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{SkipTransformer: true})

	template := cdktest.Template(stack)
	template.AllResourcesProperties(jsii.String("AWS::Logs::LogGroup"), map[string]any{"RetentionInDays": 30})
	destination(template, map[string]any{"CloudWatchLoggingOptions": map[string]any{
		"Enabled":       true,
		"LogGroupName":  map[string]any{"Ref": named("^DeliveryLogGroup")},
		"LogStreamName": map[string]any{"Ref": named("^DeliveryLogGroupS3Destination")},
	}})
}

func TestLogRetentionAndRemovalPolicyHoldForEveryLogGroup(t *testing.T) {
	stack := cdktest.NewStack()
	delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{
		LogRetention:  awslogs.RetentionDays_ONE_WEEK,
		RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
	})

	template := cdktest.Template(stack)
	template.ResourceCountIs(jsii.String("AWS::Logs::LogGroup"), jsii.Number(2))
	template.AllResources(jsii.String("AWS::Logs::LogGroup"), map[string]any{
		"Properties":     map[string]any{"RetentionInDays": 7},
		"DeletionPolicy": "Delete",
	})
	template.HasResource(jsii.String("AWS::S3::Bucket"), map[string]any{"DeletionPolicy": "Delete"})
}

func TestWithASourceRecordsComeFromTheStream(t *testing.T) {
	stack := cdktest.NewStack()
	f := delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{Source: source(stack)})

	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::KinesisFirehose::DeliveryStream"), map[string]any{
		"DeliveryStreamType":               "KinesisStreamAsSource",
		"KinesisStreamSourceConfiguration": map[string]any{"KinesisStreamARN": arn("^Source"), "RoleARN": arn("^DeliveryRole")},
		// Firehose refuses its own encryption together with a stream as source.
		"DeliveryStreamEncryptionConfigurationInput": assertions.Match_Absent(),
	})
	message := cdktest.Panics(t, func() { f.GrantPutRecords(producer(stack)) })
	assert.Equal(t, "delivery: Test/Delivery: records come from its source stream: grant writing to that stream", message)
}

func TestWithoutASourceProducersPutAndFirehoseEncryptsWithTheLakesKey(t *testing.T) {
	stack := cdktest.NewStack()
	f := delivery.NewFirehoseToS3(stack, "Delivery", nil)
	f.GrantPutRecords(producer(stack))

	template := cdktest.Template(stack)
	template.HasResourceProperties(jsii.String("AWS::KinesisFirehose::DeliveryStream"), map[string]any{
		"DeliveryStreamType":               "DirectPut",
		"KinesisStreamSourceConfiguration": assertions.Match_Absent(),
		"DeliveryStreamEncryptionConfigurationInput": map[string]any{
			"KeyType": "CUSTOMER_MANAGED_CMK",
			"KeyARN":  arn("^DeliveryLakeKey"),
		},
	})
	template.HasResourceProperties(jsii.String("AWS::IAM::Policy"), map[string]any{
		"PolicyDocument": map[string]any{"Statement": []any{map[string]any{
			"Effect":   "Allow",
			"Action":   []any{"firehose:PutRecord", "firehose:PutRecordBatch"},
			"Resource": arn("^DeliveryDeliveryStream"),
		}}},
		"Roles": []any{map[string]any{"Ref": named("^Producer")}},
	})
}

func TestDirectPutIntoABucketOfUnknownKeyIsStillEncrypted(t *testing.T) {
	stack := cdktest.NewStack()
	f := delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{
		Bucket: awss3.Bucket_FromBucketName(stack, jsii.String("Theirs"), jsii.String("their-lake")),
	})

	assert.Nil(t, f.Key)
	template := cdktest.Template(stack)
	template.HasResourceProperties(jsii.String("AWS::KinesisFirehose::DeliveryStream"), map[string]any{
		"DeliveryStreamEncryptionConfigurationInput": map[string]any{"KeyType": "AWS_OWNED_CMK"},
	})
	template.ResourceCountIs(jsii.String("AWS::S3::Bucket"), jsii.Number(0))
	destination(template, map[string]any{"EncryptionConfiguration": assertions.Match_Absent()})
}

func TestABucketOfYoursIsWrittenWithItsKey(t *testing.T) {
	stack := cdktest.NewStack()
	lake := delivery.NewLakeBucket(stack, "Mine", nil)
	f := delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{Bucket: lake.Bucket})

	assert.Equal(t, *lake.Key.KeyArn(), *f.Key.KeyArn())
	template := cdktest.Template(stack)
	template.ResourceCountIs(jsii.String("AWS::S3::Bucket"), jsii.Number(2)) // the lake and its access logs
	destination(template, map[string]any{
		"BucketARN":               arn("^MineBucket"),
		"EncryptionConfiguration": map[string]any{"KMSEncryptionConfig": map[string]any{"AWSKMSKeyARN": arn("^MineKey")}},
	})
}

func TestAKeyOfYoursIsTheKeyOfTheBucketThatIsMade(t *testing.T) {
	stack := cdktest.NewStack()
	key := awskms.NewKey(stack, jsii.String("Mine"), nil)
	delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{Key: key})

	template := cdktest.Template(stack)
	template.ResourceCountIs(jsii.String("AWS::KMS::Key"), jsii.Number(1))
	destination(template, map[string]any{
		"EncryptionConfiguration": map[string]any{"KMSEncryptionConfig": map[string]any{"AWSKMSKeyARN": arn("^Mine")}},
	})
}

func TestWithoutATransformerRecordsAreKeptAsTheyCame(t *testing.T) {
	stack := cdktest.NewStack()
	f := delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{SkipTransformer: true})

	assert.Nil(t, f.Transformer)
	template := cdktest.Template(stack)
	template.ResourceCountIs(jsii.String("AWS::Lambda::Function"), jsii.Number(0))
	destination(template, map[string]any{
		"ProcessingConfiguration": assertions.Match_Absent(),
		"FileExtension":           assertions.Match_Absent(),
	})
}

func TestATransformerOfYoursIsInvokedInPlaceOfOurs(t *testing.T) {
	stack := cdktest.NewStack()
	folder := t.TempDir()
	mine := awslambda.NewFunction(stack, jsii.String("Mine"), &awslambda.FunctionProps{
		Runtime: awslambda.Runtime_PROVIDED_AL2023(),
		Handler: jsii.String("bootstrap"),
		Code:    awslambda.Code_FromAsset(&folder, nil),
	})
	delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{Transformer: mine})

	template := cdktest.Template(stack)
	template.ResourceCountIs(jsii.String("AWS::Lambda::Function"), jsii.Number(1))
	destination(template, map[string]any{
		"FileExtension": assertions.Match_Absent(),
		"ProcessingConfiguration": map[string]any{"Processors": []any{map[string]any{
			"Parameters": assertions.Match_ArrayWith(&[]any{map[string]any{"ParameterName": "LambdaArn", "ParameterValue": arn("^Mine")}}),
		}}},
	})
}

func TestTheTransformerIsBuiltForTheArchitecture(t *testing.T) {
	stack := cdktest.NewStack()
	delivery.NewFirehoseToS3(stack, "Arm", nil)
	delivery.NewFirehoseToS3(stack, "Intel", &delivery.FirehoseToS3Props{Architecture: awslambda.Architecture_X86_64()})

	template := cdktest.Template(stack)
	for _, name := range []string{"arm64", "x86_64"} {
		template.ResourcePropertiesCountIs(jsii.String("AWS::Lambda::Function"), map[string]any{"Architectures": []any{name}}, jsii.Number(1))
	}
}

func producer(stack awscdk.Stack) awsiam.Role {
	return awsiam.NewRole(stack, jsii.String("Producer"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("ec2.amazonaws.com"), nil),
	})
}
