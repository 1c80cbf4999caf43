package delivery

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesisfirehose"
	"github.com/aws/jsii-runtime-go"
)

// Partitioning is Firehose's dynamic partitioning: each record goes to the
// prefix that its own keys say. Records whose keys cannot be found go to the error prefix.
// https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning.html
//
// A delivery stream has it from its beginning and never loses it. So a delivery
// stream of another id takes the place of the one that is there when Partitioning is
// given or taken away: it starts at the end of its source, and `millrace replay` closes the hole.
//
// It is paid for by the gigabyte, by the object and by the hour of JQ
// (https://aws.amazon.com/firehose/pricing/). At most 500 partitions may be active at once unless AWS
// raises the quota; records of others go to the error prefix.
type Partitioning struct {
	// Keys are the names that a transformer of yours sets for each record. Those
	// of Transform's Partition steps are known.
	//
	// Default: those of Transform.
	Keys []string
	// JQ finds keys in the record that leaves the transformer, by a JQ 1.6
	// expression each: {"customer": ".customer.id"}. At most 50. A record of several lines
	// (CloudWatch Logs, unpacked) is not one that JQ finds keys in.
	//
	// Default: none.
	JQ map[string]string
	// RetryDuration is how long Firehose retries a delivery to a partition, 0 to 7,200 seconds.
	//
	// Default: [DefaultRetryDuration] seconds.
	RetryDuration awscdk.Duration
}

// DefaultRetryDuration is in seconds, and AWS's own.
const DefaultRetryDuration = 300

// https://docs.aws.amazon.com/firehose/latest/APIReference/API_RetryOptions.html
const maxRetryDuration = 7_200

// maxQueries is how many keys JQ may find.
const maxQueries = 50

// partitionKeys are the names that a prefix may have, of each kind.
type partitionKeys struct {
	lambda, query []string
	on            bool
}

func (p *Partitioning) keys(steps []string) partitionKeys {
	if p == nil {
		return partitionKeys{}
	}
	return partitionKeys{lambda: slices.Compact(slices.Sorted(slices.Values(slices.Concat(steps, p.Keys)))), query: slices.Sorted(maps.Keys(p.JQ)), on: true}
}

func (p *Partitioning) validate(shared *DeliveryProps) error {
	steps := shared.partitionKeys()
	if p == nil {
		if len(steps) > 0 {
			return fmt.Errorf("transform sets the partition keys %s, which only partitioning delivers by", strings.Join(steps, ", "))
		}
		return nil
	}
	var errs []error
	if len(steps)+len(p.Keys)+len(p.JQ) == 0 {
		errs = append(errs, errors.New("partitioning needs keys: a partition step of transform, keys of a transformer of yours, or JQ"))
	}
	if len(p.Keys) > 0 && (shared.ownTransformer() || shared.SkipTransformer) {
		errs = append(errs, fmt.Errorf("partitioning keys are those of a transformer of yours, got %s: declare a partition step, or use JQ", strings.Join(p.Keys, ", ")))
	}
	if len(p.JQ) > maxQueries {
		errs = append(errs, fmt.Errorf("partitioning must have at most %d JQ keys, got %d", maxQueries, len(p.JQ)))
	}
	for _, name := range slices.Sorted(maps.Keys(p.JQ)) {
		if strings.TrimSpace(p.JQ[name]) == "" {
			errs = append(errs, fmt.Errorf("partitioning key %s must have a JQ expression", name))
		}
	}
	return errors.Join(append(errs, validateRetry("partitioning retry duration", p.RetryDuration))...)
}

func validateRetry(subject string, duration awscdk.Duration) error {
	if duration == nil || *duration.IsUnresolved() {
		return nil
	}
	if s := *duration.ToSeconds(&awscdk.TimeConversionOptions{Integral: jsii.Bool(false)}); s > maxRetryDuration || s != float64(int(s)) {
		return fmt.Errorf("%s must be 0 to %d whole seconds, got %g", subject, maxRetryDuration, s)
	}
	return nil
}

func (p *Partitioning) configuration() any {
	if p == nil {
		return nil
	}
	duration := jsii.Number(DefaultRetryDuration)
	if p.RetryDuration != nil {
		duration = p.RetryDuration.ToSeconds(nil)
	}
	return &awskinesisfirehose.CfnDeliveryStream_DynamicPartitioningConfigurationProperty{
		Enabled:      jsii.Bool(true),
		RetryOptions: &awskinesisfirehose.CfnDeliveryStream_RetryOptionsProperty{DurationInSeconds: duration},
	}
}

// jq are the expressions, or nil.
func (p *Partitioning) jq() map[string]string {
	if p == nil {
		return nil
	}
	return p.JQ
}

// query is one JQ expression for all keys: {"customer":.customer.id}.
func query(jq map[string]string) string {
	var members []string
	for _, name := range slices.Sorted(maps.Keys(jq)) {
		quoted, _ := json.Marshal(name) // a string always marshals
		members = append(members, string(quoted)+":"+jq[name])
	}
	return "{" + strings.Join(members, ",") + "}"
}
