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
	source             string // the Kinesis stream's ARN
	bucket             string
	prefix             prefix
	errorPrefix        prefix
	extension          string // of an object's name, with its dot
	gzip               bool
	size               int           // bytes of a buffer, before compression
	interval           time.Duration // scaled
	delimiter          string        // between records
	processor          *processorSettings
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
	if d.Source == nil || d.Source.KinesisStreamSourceDescription == nil {
		return s, errors.New("it has no Kinesis stream as its source")
	}
	s.source = aws.ToString(d.Source.KinesisStreamSourceDescription.KinesisStreamARN)
	if len(d.Destinations) != 1 || d.Destinations[0].ExtendedS3DestinationDescription == nil {
		return s, errors.New("destination must be one of type ExtendedS3")
	}
	return s, s.readDestination(d.Destinations[0].ExtendedS3DestinationDescription, scale)
}

func (s *settings) readDestination(d *types.ExtendedS3DestinationDescription, scale float64) error {
	var errs []error
	arn := aws.ToString(d.BucketARN)
	s.bucket = arn[strings.LastIndex(arn, ":")+1:]

	s.size, s.interval = defaultSize*megabyte, scaled(defaultInterval, scale)
	if hints := d.BufferingHints; hints != nil {
		if hints.SizeInMBs != nil {
			s.size = int(*hints.SizeInMBs) * megabyte
		}
		if hints.IntervalInSeconds != nil { // 0 is a value: deliver at once
			s.interval = scaled(time.Duration(*hints.IntervalInSeconds)*time.Second, scale)
		}
	}

	switch d.CompressionFormat {
	case types.CompressionFormatGzip:
		s.gzip, s.extension = true, ".gz"
	case types.CompressionFormatUncompressed, "":
	default:
		errs = append(errs, fmt.Errorf("compression format must be GZIP or UNCOMPRESSED, got %s", d.CompressionFormat))
	}
	s.extension = cmp.Or(aws.ToString(d.FileExtension), s.extension)

	if c := d.DynamicPartitioningConfiguration; c != nil && aws.ToBool(c.Enabled) {
		errs = append(errs, errors.New("dynamic partitioning is not supported"))
	}
	if c := d.DataFormatConversionConfiguration; c != nil && (c.Enabled == nil || *c.Enabled) {
		errs = append(errs, errors.New("data format conversion is not supported"))
	}
	if d.S3BackupMode == types.S3BackupModeEnabled {
		errs = append(errs, errors.New("S3 backup is not supported"))
	}
	errs = append(errs, s.readPrefixes(d), s.readProcessors(d.ProcessingConfiguration, scale))
	return errors.Join(errs...)
}

func (s *settings) readPrefixes(d *types.ExtendedS3DestinationDescription) error {
	zone, err := time.LoadLocation(cmp.Or(aws.ToString(d.CustomTimeZone), "UTC"))
	if err != nil {
		return fmt.Errorf("custom time zone: %w", err)
	}
	var first, second error
	s.prefix, first = newPrefix(aws.ToString(d.Prefix), zone)
	s.errorPrefix, second = newErrorPrefix(aws.ToString(d.ErrorOutputPrefix), aws.ToString(d.Prefix), zone)
	return errors.Join(first, second)
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
		default:
			errs = append(errs, fmt.Errorf("processor must be Lambda or AppendDelimiterToRecord, got %s", processor.Type))
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
