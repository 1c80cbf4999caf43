package video

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/jsii-runtime-go"
)

// Defaults of [VideoIngestProps].
const (
	DefaultDevice         = "camera"
	DefaultRetentionHours = 24
	DefaultMediaType      = "video/h264"
	// DefaultMaxSilenceMinutes is longer than a restart of a device.
	DefaultMaxSilenceMinutes = 15
	DefaultRemovalPolicy     = awscdk.RemovalPolicy_RETAIN
)

// What Kinesis Video Streams accepts.
// https://docs.aws.amazon.com/kinesisvideostreams/latest/dg/API_CreateStream.html
const (
	maxRetentionHours = 87_600 // ten years
	maxMediaType      = 128
)

// maxSilenceMinutes is a day, the most that periods of an alarm may be together.
// https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
const maxSilenceMinutes = 1_440

// deviceName is what Kinesis Video Streams takes as a device's name and AWS IoT as a thing's.
var deviceName = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,128}$`)

// mediaType is a media type and a subtype, several of them separated by commas.
var mediaType = regexp.MustCompile(`^[\w\-.+]+/[\w\-.+]+(,[\w\-.+]+/[\w\-.+]+)*$`)

// VideoIngestProps says which devices send video, and how long it is kept.
type VideoIngestProps struct {
	// Devices have a stream each: 1 to 128 letters, digits, _ and -. A device that
	// is taken away takes its stream out of the stack.
	//
	// Default: one, [DefaultDevice].
	Devices []string
	// Retention is how long video is kept, 1 to 87,600 whole hours.
	//
	// Default: [DefaultRetentionHours] hours.
	Retention awscdk.Duration
	// MediaType is what the devices send, for the consumers to know. Players need video/h264 or video/h265.
	//
	// Default: [DefaultMediaType].
	MediaType string
	// Key encrypts the video at rest.
	//
	// Default: a new customer-managed key, rotated every year, with the streams' removal policy.
	Key awskms.IKey
	// MaxSilence is how long a device may send nothing before there is an alarm, 5 to 1,440 minutes in steps of 5.
	//
	// Default: [DefaultMaxSilenceMinutes] minutes.
	MaxSilence awscdk.Duration
	// Intermittent devices send now and then, as on movement: their silence is no alarm.
	//
	// Default: false.
	Intermittent bool
	// SkipAlarms leaves out the alarms that [VideoIngest.Alarms] lists.
	//
	// Default: false.
	SkipAlarms bool
	// AlarmActions are told of an alarm and of its end.
	//
	// Default: none; the alarms are seen in the console.
	AlarmActions []awscloudwatch.IAlarmAction
	// RemovalPolicy says what becomes of the streams, and of the key unless Key is
	// given, when they leave the stack.
	//
	// Default: [DefaultRemovalPolicy].
	RemovalPolicy awscdk.RemovalPolicy
}

// Validate reports every problem of the props in one error.
func (p *VideoIngestProps) Validate() error {
	if p == nil {
		return nil
	}
	var errs []error
	problem := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	seen := map[string]bool{}
	for _, name := range p.Devices {
		problem(!deviceName.MatchString(name), "device must be 1 to 128 letters, digits, '_' and '-', got %q", name)
		problem(name == "Key", "device must not be Key, which is the construct's own child")
		problem(seen[name], "devices must differ from each other, got %s twice", name)
		seen[name] = true
	}
	if p.Retention != nil && !*p.Retention.IsUnresolved() {
		hours := *p.Retention.ToHours(&awscdk.TimeConversionOptions{Integral: jsii.Bool(false)})
		problem(hours < 1 || hours > maxRetentionHours || hours != float64(int(hours)), "retention must be 1 to %d whole hours, got %g", maxRetentionHours, hours)
	}
	problem(p.MediaType != "" && (!mediaType.MatchString(p.MediaType) || len(p.MediaType) > maxMediaType),
		"media type must be like %s, up to %d characters, got %q", DefaultMediaType, maxMediaType, p.MediaType)
	if p.MaxSilence != nil {
		if *p.MaxSilence.IsUnresolved() {
			errs = append(errs, errors.New("max silence must be known at synth: an alarm counts its periods"))
		} else {
			minutes := *p.MaxSilence.ToMinutes(&awscdk.TimeConversionOptions{Integral: jsii.Bool(false)})
			problem(minutes < periodMinutes || minutes > maxSilenceMinutes || minutes/periodMinutes != float64(int(minutes/periodMinutes)),
				"max silence must be %d to %d minutes in steps of %d, got %g", periodMinutes, maxSilenceMinutes, periodMinutes, minutes)
		}
	}
	problem(p.Intermittent && p.MaxSilence != nil, "max silence is given and the devices are intermittent: do one of the two")
	problem(p.SkipAlarms && len(p.AlarmActions) > 0, "alarm actions are given and the alarms skipped: do one of the two")
	return errors.Join(errs...)
}

func (p *VideoIngestProps) withDefaults() *VideoIngestProps {
	q := VideoIngestProps{}
	if p != nil {
		q = *p
	}
	if len(q.Devices) == 0 {
		q.Devices = []string{DefaultDevice}
	}
	if q.Retention == nil {
		q.Retention = awscdk.Duration_Hours(jsii.Number(DefaultRetentionHours))
	}
	if q.MaxSilence == nil {
		q.MaxSilence = awscdk.Duration_Minutes(jsii.Number(DefaultMaxSilenceMinutes))
	}
	q.MediaType = cmp.Or(q.MediaType, DefaultMediaType)
	q.RemovalPolicy = cmp.Or(q.RemovalPolicy, DefaultRemovalPolicy)
	return &q
}
