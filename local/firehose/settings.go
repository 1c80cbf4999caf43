package firehose

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/firehose/types"
)

// What Firehose takes where a delivery stream says nothing (API reference:
// BufferingHints; developer guide: data-transformation).
const (
	defaultSize              = 5 // MB
	defaultInterval          = 300 * time.Second
	defaultProcessorSize     = 1 // MB
	defaultProcessorInterval = 60 * time.Second
	defaultProcessorRetries  = 3

	megabyte = 1024 * 1024
)

// settings are what a delivery stream's description says, in our terms.
type settings struct {
	name, arn, version string
	created            time.Time
	source             source
	processor          *processorSettings
	delimiter          string        // between records
	partitioning       *partitioning // nil: none
	conversion         *conversion   // nil: none
	target
	backup *target // of the source records; nil: none
}

// source is where the records are read from.
type source struct {
	stream string // ARN of the Kinesis stream
	direct bool   // it is the stream by which the emulator hands over direct PUT, see local/cloud's launcher
}

// target is how objects are buffered, made and named.
type target struct {
	bucket      string
	prefix      prefix
	errorPrefix prefix
	extension   string // of an object's name, with its dot
	compression compression
	size        int           // bytes of a buffer, before compression
	interval    time.Duration // scaled
}

// processorSettings are those of the Lambda processor.
type processorSettings struct {
	arn      string
	retries  int
	size     int           // bytes of records a batch
	interval time.Duration // scaled
}

// key tells a delivery stream from a later one of the same name.
func (s settings) key() string { return s.arn + "@" + s.created.String() }

// newSettings reads a description. Its error names everything that is not supported.
func newSettings(d *types.DeliveryStreamDescription, scale float64) (settings, error) {
	s := settings{
		name:    aws.ToString(d.DeliveryStreamName),
		arn:     aws.ToString(d.DeliveryStreamARN),
		version: aws.ToString(d.VersionId),
		created: aws.ToTime(d.CreateTimestamp),
	}
	if len(d.Destinations) != 1 || d.Destinations[0].ExtendedS3DestinationDescription == nil {
		return s, errors.New("destination must be one of type ExtendedS3")
	}
	destination := d.Destinations[0].ExtendedS3DestinationDescription
	return s, errors.Join(s.readSource(d), s.readDestination(destination, scale))
}

// directStream begins the name of the stream by which the emulator hands over what is put
// to a delivery stream of that name; local/cloud's launcher makes it.
const directStream = "firehose-direct-put-"

func (s *settings) readSource(d *types.DeliveryStreamDescription) error {
	switch {
	case d.DeliveryStreamType == types.DeliveryStreamTypeDirectPut:
		scope, _, _ := strings.Cut(strings.Replace(s.arn, ":firehose:", ":kinesis:", 1), ":deliverystream/")
		s.source = source{stream: scope + ":stream/" + directStream + s.name, direct: true}
	case d.Source != nil && d.Source.KinesisStreamSourceDescription != nil:
		s.source = source{stream: aws.ToString(d.Source.KinesisStreamSourceDescription.KinesisStreamARN)}
	default:
		return errors.New("source must be a Kinesis stream or direct PUT")
	}
	return nil
}

func (s *settings) readDestination(d *types.ExtendedS3DestinationDescription, scale float64) error {
	zone, zoneErr := time.LoadLocation(cmp.Or(aws.ToString(d.CustomTimeZone), "UTC"))
	if zoneErr != nil {
		return fmt.Errorf("custom time zone: %w", zoneErr)
	}
	dynamic := d.DynamicPartitioningConfiguration != nil && aws.ToBool(d.DynamicPartitioningConfiguration.Enabled)
	if dynamic {
		s.partitioning = &partitioning{limit: activePartitions}
	}
	var errs [5]error
	s.target, errs[0] = newTarget(targetDescription{
		bucket: d.BucketARN, prefix: d.Prefix, errorPrefix: d.ErrorOutputPrefix,
		hints: d.BufferingHints, format: d.CompressionFormat,
	}, zone, scale, dynamic)
	s.conversion, errs[1] = newConversion(d.DataFormatConversionConfiguration)
	if s.conversion != nil {
		s.extension = ".parquet"
		if format := d.CompressionFormat; format != "" && format != types.CompressionFormatUncompressed {
			errs[2] = fmt.Errorf("compression format must be UNCOMPRESSED with data format conversion, which compresses itself, got %s", format)
		}
	}
	s.extension = cmp.Or(aws.ToString(d.FileExtension), s.extension)
	if backup := d.S3BackupDescription; d.S3BackupMode == types.S3BackupModeEnabled && backup != nil {
		var own target
		own, errs[3] = newTarget(targetDescription{
			bucket: backup.BucketARN, prefix: backup.Prefix, errorPrefix: backup.ErrorOutputPrefix,
			hints: backup.BufferingHints, format: backup.CompressionFormat,
		}, zone, scale, false)
		s.backup = &own
	} else if d.S3BackupMode == types.S3BackupModeEnabled {
		errs[3] = errors.New("S3 backup must be described, got none in the description")
	}
	errs[4] = s.readProcessors(d.ProcessingConfiguration, scale)
	return errors.Join(errs[:]...)
}

// targetDescription is what the two kinds of S3 destinations have in common.
type targetDescription struct {
	bucket, prefix, errorPrefix *string
	hints                       *types.BufferingHints
	format                      types.CompressionFormat
}

func newTarget(d targetDescription, zone *time.Location, scale float64, dynamic bool) (target, error) {
	arn := aws.ToString(d.bucket)
	t := target{bucket: arn[strings.LastIndex(arn, ":")+1:], size: defaultSize * megabyte, interval: scaled(defaultInterval, scale)}
	if hints := d.hints; hints != nil {
		if hints.SizeInMBs != nil {
			t.size = int(*hints.SizeInMBs) * megabyte
		}
		if hints.IntervalInSeconds != nil { // 0 is a value: deliver at once
			t.interval = scaled(time.Duration(*hints.IntervalInSeconds)*time.Second, scale)
		}
	}
	var errs [3]error
	format, known := compressions[cmp.Or(d.format, types.CompressionFormatUncompressed)]
	if !known {
		errs[0] = fmt.Errorf("compression format must be one of UNCOMPRESSED, GZIP, ZIP, Snappy and HADOOP_SNAPPY, got %s", d.format)
	}
	t.compression, t.extension = format, format.extension
	t.prefix, errs[1] = newPrefix(aws.ToString(d.prefix), zone, dynamic)
	t.errorPrefix, errs[2] = newErrorPrefix(aws.ToString(d.errorPrefix), aws.ToString(d.prefix), zone)
	return t, errors.Join(errs[:]...)
}

func (s *settings) readProcessors(c *types.ProcessingConfiguration, scale float64) error {
	if c == nil || !aws.ToBool(c.Enabled) {
		return nil
	}
	var errs []error
	for _, processor := range c.Processors {
		switch processor.Type {
		case types.ProcessorTypeLambda:
			if s.processor != nil {
				errs = append(errs, errors.New("only one Lambda processor may be given"))
			}
			own, err := newProcessorSettings(processor.Parameters, scale)
			s.processor = own
			errs = append(errs, err)
		case types.ProcessorTypeAppendDelimiterToRecord:
			// AWS keeps no parameter of this processor: its delimiter is always a newline.
			s.delimiter = "\n"
		case types.ProcessorTypeMetadataExtraction, types.ProcessorTypeRecordDeAggregation:
			if s.partitioning == nil {
				errs = append(errs, fmt.Errorf("processor %s must stand beside dynamic partitioning", processor.Type))
				continue
			}
			errs = append(errs, s.partitioning.read(processor))
		default:
			errs = append(errs, fmt.Errorf("processor must be Lambda, AppendDelimiterToRecord, MetadataExtraction or RecordDeAggregation, got %s", processor.Type))
		}
	}
	return errors.Join(errs...)
}

func newProcessorSettings(parameters []types.ProcessorParameter, scale float64) (*processorSettings, error) {
	p := &processorSettings{
		retries:  defaultProcessorRetries,
		size:     defaultProcessorSize * megabyte,
		interval: defaultProcessorInterval,
	}
	var errs []error
	number := func(parameter types.ProcessorParameter, set func(float64)) {
		value, err := strconv.ParseFloat(aws.ToString(parameter.ParameterValue), 64)
		if err != nil || value < 0 {
			errs = append(errs, fmt.Errorf("%s must be a number, got %q", parameter.ParameterName, aws.ToString(parameter.ParameterValue)))
			return
		}
		set(value)
	}
	for _, parameter := range parameters {
		switch parameter.ParameterName {
		case types.ProcessorParameterNameLambdaArn:
			p.arn = aws.ToString(parameter.ParameterValue)
		case types.ProcessorParameterNameLambdaNumberOfRetries:
			number(parameter, func(v float64) { p.retries = int(v) })
		case types.ProcessorParameterNameBufferSizeInMb:
			number(parameter, func(v float64) { p.size = int(v * megabyte) })
		case types.ProcessorParameterNameBufferIntervalInSeconds:
			number(parameter, func(v float64) { p.interval = time.Duration(v * float64(time.Second)) })
		}
	}
	if p.arn == "" {
		errs = append(errs, errors.New("processor of type Lambda must name a function, got no LambdaArn"))
	}
	p.interval = scaled(p.interval, scale)
	return p, errors.Join(errs...)
}

func scaled(d time.Duration, scale float64) time.Duration {
	return time.Duration(float64(d) / scale)
}
