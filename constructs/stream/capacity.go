package stream

import (
	"errors"
	"fmt"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"
)

// What one shard takes and gives a second. AWS writes MB, which is taken for the smaller of its two meanings.
// https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
const (
	shardBytes   = 1_000_000 // written, partition keys included
	shardRecords = 1_000     // written
	shardRead    = 2_000_000 // bytes read by all that poll the shard (GetRecords)
	shardReads   = 5         // calls of GetRecords, by all that poll the shard
)

// PlannedPercent is how full [Load.Shards] plans a shard to be at the declared
// load: the rest is for partition keys that are not spread evenly and for what is sent again.
const PlannedPercent = 80

// shardQuota is how many shards an account may have by default; some regions have 6,000.
// https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
const (
	shardQuota      = 1_000
	largeShardQuota = 20_000
)

// largeRegions are the regions with the large quota.
func largeRegions() []string { return []string{"us-east-1", "us-west-2", "eu-west-1"} }

// Load is what producers put at their busiest.
type Load struct {
	// RecordsPerSecond is the rate, at least 1. Required.
	RecordsPerSecond int
	// RecordSize is the average size of a record with its partition key, at least 1 byte. Required.
	RecordSize awscdk.Size
}

// Shards is the number of shards of which none is fuller than [PlannedPercent], by
// bytes or by records, if partition keys are spread evenly.
func (l *Load) Shards() int {
	bytes := l.RecordsPerSecond * int(*l.RecordSize.ToBytes(nil))
	return max(
		ceil(100*bytes, PlannedPercent*shardBytes),
		ceil(100*l.RecordsPerSecond, PlannedPercent*shardRecords),
	)
}

func ceil(n, by int) int { return (n + by - 1) / by }

func (l *Load) validate() error {
	if l == nil {
		return nil
	}
	var errs []error
	if l.RecordsPerSecond < 1 {
		errs = append(errs, fmt.Errorf("load records per second must be at least 1, got %d", l.RecordsPerSecond))
	}
	switch {
	case l.RecordSize == nil:
		errs = append(errs, errors.New("load record size is required: give the average size of a record"))
	case *l.RecordSize.IsUnresolved():
		errs = append(errs, errors.New("load record size must be known at synth, got a token"))
	default:
		if size := *l.RecordSize.ToBytes(nil); !whole(size, 1, maxMaxRecordSize*1_024) {
			errs = append(errs, fmt.Errorf("load record size must be 1 to %d whole bytes, got %g", maxMaxRecordSize*1_024, size))
		}
	}
	return errors.Join(errs...)
}

// sayLimits tells of limits that this very stream meets, now or at its next change.
func (c *StreamingCore) sayLimits(p *StreamingCoreProps) {
	if shards := p.shards(); shards > 0 {
		c.sayShards(shards, p.RemovalPolicy)
	}
	if !*p.Retention.IsUnresolved() && *p.Retention.ToHours(nil) > DefaultRetentionHours {
		// https://docs.aws.amazon.com/streams/latest/dev/kinesis-extended-retention.html
		awscdk.Annotations_Of(c).AddInfoV2(jsii.String("millrace:stream-retention"), jsii.Sprintf(
			"retention of %g hours: what is kept for more than %d hours is billed by GB and month, and again when it is read; a deploy that shortens it makes what is older unreadable at once",
			*p.Retention.ToHours(nil), DefaultRetentionHours))
	}
	if size := p.MaxRecordSize; size != nil && !*size.IsUnresolved() && *size.ToKibibytes(nil) > minMaxRecordSize {
		// https://docs.aws.amazon.com/streams/latest/dev/large-records.html
		awscdk.Annotations_Of(c).AddInfoV2(jsii.String("millrace:stream-record-size"), jsii.Sprintf(
			"records of up to %g KiB: AWS means those above %d KiB to be less than 2 %% of the traffic, since a shard still takes 1 MB/s on average, and every reader must be able to take them",
			*size.ToKibibytes(nil), minMaxRecordSize))
	}
}

func (c *StreamingCore) sayShards(shards int, policy awscdk.RemovalPolicy) {
	quota, region := shardQuota, *awscdk.Stack_Of(c).Region()
	if slices.Contains(largeRegions(), region) {
		quota = largeShardQuota
	}
	if *awscdk.Token_IsUnresolved(region) {
		region = "most regions"
	}
	if shards > quota {
		awscdk.Annotations_Of(c).AddWarningV2(jsii.String("millrace:stream-shard-quota"), jsii.Sprintf(
			"%d shards: an account's quota in %s is %d by default, for all its provisioned streams together: have it raised before the deploy", shards, region, quota))
	}
	if policy == awscdk.RemovalPolicy_DESTROY {
		return // It can be made anew, with any number of shards.
	}
	// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_UpdateShardCount.html
	// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_UpdateStreamMode.html
	awscdk.Annotations_Of(c).AddInfoV2(jsii.String("millrace:stream-resharding"), jsii.Sprintf(
		"%d shards: one deploy can change them to %d to %d (half to double), 10 deploys in 24 hours; the capacity mode can be switched twice in 24 hours",
		shards, ceil(shards, 2), 2*shards))
}
