package firehose

import (
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func description(edit func(*types.ExtendedS3DestinationDescription)) *types.DeliveryStreamDescription {
	destination := &types.ExtendedS3DestinationDescription{BucketARN: aws.String("arn:aws:s3:::lake")}
	edit(destination)
	return &types.DeliveryStreamDescription{
		DeliveryStreamName: aws.String("lake"),
		DeliveryStreamARN:  aws.String("arn:aws:firehose:eu-west-1:000000000000:deliverystream/lake"),
		VersionId:          aws.String("1"),
		CreateTimestamp:    &august,
		Source: &types.SourceDescription{KinesisStreamSourceDescription: &types.KinesisStreamSourceDescription{
			KinesisStreamARN: aws.String("arn:aws:kinesis:eu-west-1:000000000000:stream/events"),
		}},
		Destinations: []types.DestinationDescription{{ExtendedS3DestinationDescription: destination}},
	}
}

func lambdaProcessor(parameters map[types.ProcessorParameterName]string) *types.ProcessingConfiguration {
	processor := types.Processor{Type: types.ProcessorTypeLambda}
	for name, value := range parameters {
		processor.Parameters = append(processor.Parameters, types.ProcessorParameter{ParameterName: name, ParameterValue: &value})
	}
	return &types.ProcessingConfiguration{Enabled: aws.Bool(true), Processors: []types.Processor{processor}}
}

func TestDefaultsAreThoseOfFirehose(t *testing.T) {
	s, err := newSettings(description(func(d *types.ExtendedS3DestinationDescription) {
		d.ProcessingConfiguration = lambdaProcessor(map[types.ProcessorParameterName]string{types.ProcessorParameterNameLambdaArn: "arn:f"})
	}), 1)
	require.NoError(t, err)
	assert.Equal(t, "lake", s.bucket)
	assert.Equal(t, 5*1024*1024, s.size)
	assert.Equal(t, 300*time.Second, s.interval)
	assert.Nil(t, s.compression.writer)
	assert.Equal(t, &processorSettings{arn: "arn:f", retries: 3, size: 1024 * 1024, interval: 60 * time.Second}, s.processor)
}

func TestIntervalsAreDividedByTheTimeScaleAndSizesAreNot(t *testing.T) {
	s, err := newSettings(description(func(d *types.ExtendedS3DestinationDescription) {
		d.BufferingHints = &types.BufferingHints{SizeInMBs: aws.Int32(64), IntervalInSeconds: aws.Int32(120)}
		d.ProcessingConfiguration = lambdaProcessor(map[types.ProcessorParameterName]string{
			types.ProcessorParameterNameLambdaArn:               "arn:f",
			types.ProcessorParameterNameLambdaNumberOfRetries:   "0",
			types.ProcessorParameterNameBufferSizeInMb:          "0.2",
			types.ProcessorParameterNameBufferIntervalInSeconds: "30",
		})
	}), 60)
	require.NoError(t, err)
	assert.Equal(t, 64*1024*1024, s.size)
	assert.Equal(t, 2*time.Second, s.interval)
	assert.Equal(t, &processorSettings{arn: "arn:f", retries: 0, size: 209715, interval: 500 * time.Millisecond}, s.processor)
}

func TestProcessingThatIsNotEnabledIsNone(t *testing.T) {
	s, err := newSettings(description(func(d *types.ExtendedS3DestinationDescription) {
		d.ProcessingConfiguration = lambdaProcessor(map[types.ProcessorParameterName]string{types.ProcessorParameterNameLambdaArn: "arn:f"})
		d.ProcessingConfiguration.Enabled = aws.Bool(false)
	}), 1)
	require.NoError(t, err)
	assert.Nil(t, s.processor)
}

func TestFileExtensionOverridesThatOfTheCompression(t *testing.T) {
	s, err := newSettings(description(func(d *types.ExtendedS3DestinationDescription) {
		d.CompressionFormat, d.FileExtension = types.CompressionFormatGzip, aws.String(".jsonl.gz")
	}), 1)
	require.NoError(t, err)
	assert.Equal(t, ".jsonl.gz", s.extension)
}

func TestWhatIsNotSupportedIsRefusedAllAtOnce(t *testing.T) {
	_, err := newSettings(description(func(d *types.ExtendedS3DestinationDescription) {
		d.CompressionFormat = "BROTLI"
		d.DataFormatConversionConfiguration = &types.DataFormatConversionConfiguration{
			SchemaConfiguration:       &types.SchemaConfiguration{},
			InputFormatConfiguration:  &types.InputFormatConfiguration{Deserializer: &types.Deserializer{}},
			OutputFormatConfiguration: &types.OutputFormatConfiguration{Serializer: &types.Serializer{OrcSerDe: &types.OrcSerDe{}}},
		}
		d.S3BackupMode = types.S3BackupModeEnabled
		d.ProcessingConfiguration = &types.ProcessingConfiguration{Enabled: aws.Bool(true), Processors: []types.Processor{
			{Type: types.ProcessorTypeDecompression}, {Type: types.ProcessorTypeLambda}, {Type: types.ProcessorTypeMetadataExtraction},
		}}
	}), 1)
	for _, want := range []string{
		"got BROTLI", "must be UNCOMPRESSED with data format conversion", "serializer must be Parquet", "S3 backup must be described",
		"got Decompression", "no LambdaArn", "MetadataExtraction must stand beside dynamic partitioning",
	} {
		assert.ErrorContains(t, err, want)
	}
}

func TestDirectPutIsReadFromTheStreamThatTheLauncherMakes(t *testing.T) {
	d := description(func(*types.ExtendedS3DestinationDescription) {})
	d.Source, d.DeliveryStreamType = nil, types.DeliveryStreamTypeDirectPut
	s, err := newSettings(d, 1)
	require.NoError(t, err)
	assert.Equal(t, source{stream: "arn:aws:kinesis:eu-west-1:000000000000:stream/firehose-direct-put-lake", direct: true}, s.source)
}
