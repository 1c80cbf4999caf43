package replay

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	firehosetypes "github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// Firehose is the part of the API that finding a delivery's objects takes.
type Firehose interface {
	ListDeliveryStreams(context.Context, *firehose.ListDeliveryStreamsInput, ...func(*firehose.Options)) (*firehose.ListDeliveryStreamsOutput, error)
	DescribeDeliveryStream(context.Context, *firehose.DescribeDeliveryStreamInput, ...func(*firehose.Options)) (*firehose.DescribeDeliveryStreamOutput, error)
}

// errorFolders are the error-output-types whose objects [DeliveryErrors] reads
// (https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html).
var errorFolders = [...]string{"processing-failed", "format-conversion-failed"}

// ErrorLocations are where the deliveries of a stream to S3 write what they could not deliver.
func ErrorLocations(ctx context.Context, client Firehose, streamARN string) ([]Location, error) {
	return locations(ctx, client, streamARN, func(d *firehosetypes.ExtendedS3DestinationDescription) (Location, bool) {
		return Location{Bucket: bucketName(d.BucketARN), Prefix: literal(d.ErrorOutputPrefix), Folders: errorFolders[:]}, true
	})
}

// BackupLocations are where the deliveries of a stream to S3 keep the source records.
func BackupLocations(ctx context.Context, client Firehose, streamARN string) ([]Location, error) {
	return locations(ctx, client, streamARN, func(d *firehosetypes.ExtendedS3DestinationDescription) (Location, bool) {
		b := d.S3BackupDescription
		if b == nil || d.S3BackupMode != firehosetypes.S3BackupModeEnabled {
			return Location{}, false
		}
		l := Location{Bucket: bucketName(b.BucketARN), Prefix: literal(b.Prefix)}
		// Without a prefix of its own it is not to be told from what is delivered.
		return l, l.Prefix != "" || l.Bucket != bucketName(d.BucketARN)
	})
}

func locations(ctx context.Context, client Firehose, streamARN string, of func(*firehosetypes.ExtendedS3DestinationDescription) (Location, bool)) ([]Location, error) {
	var found []Location
	input := &firehose.ListDeliveryStreamsInput{}
	for {
		page, err := client.ListDeliveryStreams(ctx, input)
		if err != nil {
			return nil, fmt.Errorf("listing delivery streams: %w", err)
		}
		for _, name := range page.DeliveryStreamNames {
			output, err := client.DescribeDeliveryStream(ctx, &firehose.DescribeDeliveryStreamInput{DeliveryStreamName: &name})
			if err != nil {
				return nil, fmt.Errorf("describing delivery stream %s: %w", name, err)
			}
			d := output.DeliveryStreamDescription
			if d.Source == nil || d.Source.KinesisStreamSourceDescription == nil || aws.ToString(d.Source.KinesisStreamSourceDescription.KinesisStreamARN) != streamARN {
				continue
			}
			for _, destination := range d.Destinations {
				if destination.ExtendedS3DestinationDescription == nil {
					continue
				}
				if location, ok := of(destination.ExtendedS3DestinationDescription); ok {
					found = append(found, location)
				}
			}
		}
		if !aws.ToBool(page.HasMoreDeliveryStreams) || len(page.DeliveryStreamNames) == 0 {
			return found, nil
		}
		input.ExclusiveStartDeliveryStreamName = &page.DeliveryStreamNames[len(page.DeliveryStreamNames)-1]
	}
}

// FailureLocations are where Lambda keeps the batches of a stream that it gave up, by
// the event source mappings that have an S3 bucket for it. Lambda chooses the prefix.
func FailureLocations(ctx context.Context, client lambda.ListEventSourceMappingsAPIClient, streamARN string) ([]Location, error) {
	var found []Location
	pages := lambda.NewListEventSourceMappingsPaginator(client, &lambda.ListEventSourceMappingsInput{EventSourceArn: &streamARN})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("listing event source mappings: %w", err)
		}
		for _, mapping := range page.EventSourceMappings {
			if mapping.DestinationConfig == nil || mapping.DestinationConfig.OnFailure == nil {
				continue
			}
			destination, err := arn.Parse(aws.ToString(mapping.DestinationConfig.OnFailure.Destination))
			if err != nil || destination.Service != "s3" {
				continue // a queue or a topic, which gets no records
			}
			found = append(found, Location{Bucket: destination.Resource, Prefix: "aws/lambda/" + *mapping.UUID + "/"})
		}
	}
	return found, nil
}

func bucketName(arn *string) string {
	text := aws.ToString(arn)
	return text[strings.LastIndex(text, ":")+1:]
}

// literal is what a prefix has before its first expression.
func literal(prefix *string) string {
	before, _, _ := strings.Cut(aws.ToString(prefix), "!{")
	return before
}
