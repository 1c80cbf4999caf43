// Package objectives computes how much is lost, and for how long, by each failure
// that docs/disaster-recovery.md knows, from the templates that would be deployed. What no template
// says is an [Assumptions], and stands in the document as one.
package objectives

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/millrace-cdk/millrace/internal/cfn"
)

type object = cfn.Object

// Values are what the templates of an environment say about its recovery.
type Values struct {
	// StreamRetention is how long the stream keeps a record.
	StreamRetention time.Duration
	// Buffer is how long a delivery gathers before it writes an object.
	Buffer time.Duration
	// VersionsKept is how long a deleted or overwritten object of the lake can be had back.
	VersionsKept time.Duration
	// RetriedFor is after what time the loader gives a record up and puts it aside.
	RetriedFor time.Duration
	// BackupsKept is how long RDS's own backups reach back.
	BackupsKept time.Duration
	// TwoZones says that the database has a standby.
	TwoZones bool
	// StorageGiB is the database's storage at its greatest.
	StorageGiB float64
	// ReplicatedWithin is by when an object stands in the other region. 0: it does not.
	ReplicatedWithin time.Duration
	// BackupsReplicated says that RDS's own backups are copied to another region.
	BackupsReplicated bool
	// PointsEvery is the time between two recovery points of AWS Backup, from the begin of one
	// to the latest end of the next. 0: there are none.
	PointsEvery time.Duration
	// PointsKept is how long AWS Backup keeps them.
	PointsKept time.Duration
	// OtherAccount says that they are copied into another account.
	OtherAccount bool
	// KeyWindow is for how long the deletion of a key can be taken back.
	KeyWindow time.Duration
}

// defaultKeyWindow is what KMS waits where a key says nothing, in days.
// https://docs.aws.amazon.com/kms/latest/APIReference/API_ScheduleKeyDeletion.html
const defaultKeyWindow = 30

const day = 24 * time.Hour

// Read returns what the golden templates of the environment in folder say.
func Read(folder, environment string) (Values, error) {
	resources, err := cfn.Resources(folder, environment)
	if err != nil {
		return Values{}, err
	}
	v := Values{StreamRetention: math.MaxInt64, VersionsKept: math.MaxInt64, KeyWindow: math.MaxInt64}
	for _, resource := range resources {
		p, _ := resource["Properties"].(object)
		switch resource["Type"] {
		case "AWS::Kinesis::Stream":
			v.StreamRetention = min(v.StreamRetention, times(cfn.Number(p["RetentionPeriodHours"]), time.Hour))
		case "AWS::KinesisFirehose::DeliveryStream":
			v.Buffer = max(v.Buffer, times(cfn.Number(cfn.At(p, "ExtendedS3DestinationConfiguration", "BufferingHints", "IntervalInSeconds")), time.Second))
		case "AWS::S3::Bucket":
			v.bucket(p)
		case "AWS::Lambda::EventSourceMapping":
			v.RetriedFor = max(v.RetriedFor, times(cfn.Number(p["MaximumRecordAgeInSeconds"]), time.Second))
		case "AWS::RDS::DBInstance":
			v.BackupsKept = times(cfn.Number(p["BackupRetentionPeriod"]), day)
			v.TwoZones = p["MultiAZ"] == true
			v.StorageGiB = max(cfn.Number(p["AllocatedStorage"]), cfn.Number(p["MaxAllocatedStorage"]))
			v.BackupsReplicated = p["AutomaticBackupReplicationRegion"] != nil
		case "AWS::Backup::BackupPlan":
			if err := v.plan(p, accounts(resources)); err != nil {
				return Values{}, err
			}
		case "AWS::KMS::Key":
			window := cfn.Number(p["PendingWindowInDays"])
			if window == 0 {
				window = defaultKeyWindow
			}
			v.KeyWindow = min(v.KeyWindow, times(window, day))
		}
	}
	return v, v.check()
}

// check says which value no template had: an objective of it would be a wrong one.
func (v Values) check() error {
	for what, missing := range map[string]bool{
		"a stream":               v.StreamRetention == math.MaxInt64,
		"a delivery":             v.Buffer == 0,
		"a bucket with versions": v.VersionsKept == math.MaxInt64,
		"an event source":        v.RetriedFor == 0,
		"a database":             v.StorageGiB == 0,
		"a key":                  v.KeyWindow == math.MaxInt64,
	} {
		if missing {
			return fmt.Errorf("reading the templates: there is not %s", what)
		}
	}
	return nil
}

func (v *Values) bucket(p object) {
	for _, rule := range cfn.List(cfn.At(p, "LifecycleConfiguration", "Rules")) {
		if days := cfn.Number(cfn.At(rule, "NoncurrentVersionExpiration", "NoncurrentDays")); days > 0 {
			v.VersionsKept = min(v.VersionsKept, times(days, day))
		}
	}
	for _, rule := range cfn.List(cfn.At(p, "ReplicationConfiguration", "Rules")) {
		v.ReplicatedWithin = max(v.ReplicatedWithin, times(cfn.Number(cfn.At(rule, "Destination", "ReplicationTime", "Time", "Minutes")), time.Minute))
	}
}

// ownARN is the ARN of a database in a selection of AWS Backup, of an environment whose account is said.
var ownARN = regexp.MustCompile(`arn:[a-z-]+:rds:[a-z0-9-]+:(\d{12}):`)

// accounts are those of the environment's own that its templates say in digits: mostly none, since they name it by reference.
func accounts(resources map[string]object) []string {
	var all []string
	for _, resource := range resources {
		if resource["Type"] != "AWS::Backup::BackupSelection" {
			continue
		}
		for _, match := range ownARN.FindAllStringSubmatch(fmt.Sprint(resource["Properties"]), -1) {
			all = append(all, match[1])
		}
	}
	return all
}

func (v *Values) plan(p object, own []string) error {
	for _, rule := range cfn.List(cfn.At(p, "BackupPlan", "BackupPlanRule")) {
		var hour int
		schedule, _ := cfn.At(rule, "ScheduleExpression").(string)
		if _, err := fmt.Sscanf(schedule, "cron(0 %d * * ? *)", &hour); err != nil {
			return fmt.Errorf("reading a plan: %q is not once a day, which is all that this knows: %w", schedule, err)
		}
		window := times(cfn.Number(cfn.At(rule, "StartWindowMinutes"))+cfn.Number(cfn.At(rule, "CompletionWindowMinutes")), time.Minute)
		v.PointsEvery = max(v.PointsEvery, day+window)
		v.PointsKept = times(cfn.Number(cfn.At(rule, "Lifecycle", "DeleteAfterDays")), day)
		for _, to := range cfn.List(cfn.At(rule, "CopyActions")) {
			// An ARN with the own account by reference is no text.
			arn, _ := cfn.At(to, "DestinationBackupVaultArn").(string)
			if parts := strings.Split(arn, ":"); len(parts) > 4 && !slices.Contains(own, parts[4]) {
				v.OtherAccount = true
			}
		}
	}
	return nil
}

func times(n float64, unit time.Duration) time.Duration { return time.Duration(n * float64(unit)) }
