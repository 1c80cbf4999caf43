package guard

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/millrace-cdk/millrace/internal/cfn"
)

// forever is a retention without an end.
var forever = math.Inf(1)

// spans are the properties that say how long something is kept, by type, and what is
// without them: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-template-resource-type-ref.html
var spans = map[string]map[string]float64{
	"AWS::Kinesis::Stream":      {"RetentionPeriodHours": 24},
	"AWS::Logs::LogGroup":       {"RetentionInDays": forever},
	"AWS::RDS::DBInstance":      {"BackupRetentionPeriod": 1, "PerformanceInsightsRetentionPeriod": 7},
	"AWS::RDS::DBCluster":       {"BackupRetentionPeriod": 1},
	"AWS::SQS::Queue":           {"MessageRetentionPeriod": 345600},
	"AWS::KMS::Key":             {"PendingWindowInDays": 30},
	"AWS::KinesisVideo::Stream": {"DataRetentionInHours": 0},
	"AWS::Redshift::Cluster":    {"AutomatedSnapshotRetentionPeriod": 1, "ManualSnapshotRetentionPeriod": forever},
	"AWS::Backup::BackupVault":  {"LockConfiguration.MinRetentionDays": 0},
	"AWS::Events::Archive":      {"RetentionDays": forever},
	// As long as Lambda tries a batch, it is not given up.
	"AWS::Lambda::EventSourceMapping": {"MaximumRecordAgeInSeconds": forever, "MaximumRetryAttempts": forever},
}

// safeties are the properties that keep something, and the value that does so, by type.
var safeties = map[string]map[string]any{
	"AWS::S3::Bucket":      {"VersioningConfiguration.Status": "Enabled", "ObjectLockEnabled": true},
	"AWS::RDS::DBInstance": {"DeletionProtection": true, "DeleteAutomatedBackups": false},
	"AWS::RDS::DBCluster":  {"DeletionProtection": true, "DeleteAutomatedBackups": false},
	"AWS::DynamoDB::Table": {"PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled": true, "DeletionProtectionEnabled": true},
	"AWS::KinesisFirehose::DeliveryStream": {
		"ExtendedS3DestinationConfiguration.S3BackupMode":                 "Enabled",
		"RedshiftDestinationConfiguration.S3BackupMode":                   "Enabled",
		"AmazonopensearchserviceDestinationConfiguration.S3BackupMode":    "AllDocuments",
		"AmazonOpenSearchServerlessDestinationConfiguration.S3BackupMode": "AllDocuments",
		"HttpEndpointDestinationConfiguration.S3BackupMode":               "AllData",
		"IcebergDestinationConfiguration.s3BackupMode":                    "AllData",
	},
}

// spares are the properties that keep a second copy, or what failed, by type: none of them may go.
var spares = map[string][]string{
	"AWS::RDS::DBInstance": {"AutomaticBackupReplicationRegion"},
	"AWS::SQS::Queue":      {"RedrivePolicy"},
	// Without the response's type Lambda takes a batch whose failures are reported for done.
	"AWS::Lambda::EventSourceMapping": {"DestinationConfig.OnFailure.Destination", "FunctionResponseTypes"},
}

// policies say what becomes of a resource when its stack lets go of it; more is more kept.
var policies = map[any]int{"Retain": 2, "RetainExceptOnCreate": 2, "Snapshot": 1}

// shrunk finds what is kept for a shorter time, or with less care.
func shrunk(name string, before, after Stack, moves map[place]place) (all []Finding) {
	if before.Protected && !after.Protected && after.Template != nil {
		all = append(all, Finding{
			Kind: Shrinks, Stack: name, Resource: name, Type: "AWS::CloudFormation::Stack", Property: "TerminationProtection",
			From: "true", To: "false", Instead: "keep the stack's termination protection" + byProcedure,
		})
	}
	for _, id := range slices.Sorted(maps.Keys(before.resources())) {
		kind := before.kind(id)
		say := func(property, from, to string) {
			all = append(all, Finding{
				Kind: Shrinks, Stack: name, Resource: before.path(id), LogicalID: id, Type: kind, Property: property, From: from, To: to,
				Instead: "keep what is kept now: what a shorter retention or a weaker backup lets go does not come back" + byProcedure,
			})
		}
		if after.kind(id) != kind {
			_, stays := moves[place{name, id}]
			if !stays && (kind == "AWS::Backup::BackupPlan" || kind == "AWS::Backup::BackupSelection") {
				say("the resource", kind, "none")
			}
			continue
		}
		was, is := before.properties(id), after.properties(id)
		for _, property := range slices.Sorted(maps.Keys(spans[kind])) {
			without := spans[kind][property]
			if from, to := span(at(was, property), without), span(at(is, property), without); to < from {
				say(property, days(from), days(to))
			}
		}
		for _, property := range slices.Sorted(maps.Keys(safeties[kind])) {
			safe := safeties[kind][property]
			if from, to := at(was, property), at(is, property); from == safe && to != safe {
				say(property, show(from), show(to))
			}
		}
		for _, property := range spares[kind] {
			if from := at(was, property); from != nil && at(is, property) == nil {
				say(property, show(from), "none")
			}
		}
		if protected(kind) {
			for _, policy := range []string{"DeletionPolicy", "UpdateReplacePolicy"} {
				from, to := before.resource(id)[policy], after.resource(id)[policy]
				if policies[to] < policies[from] {
					say(policy, show(from), cmp.Or(show(to), "Delete"))
				}
			}
		}
		switch kind {
		case "AWS::S3::Bucket":
			expiries(was, is, say)
			fewer(replications(was), replications(is), "ReplicationConfiguration.Rules", say)
		case "AWS::Backup::BackupPlan":
			plans(was, is, say)
		case "AWS::Backup::BackupSelection":
			fewer(cfn.List(at(was, "BackupSelection.Resources")), cfn.List(at(is, "BackupSelection.Resources")), "BackupSelection.Resources", say)
		case "AWS::KMS::Key":
			if at(was, "Enabled") != false && at(is, "Enabled") == false {
				say("Enabled", "true", "false")
			}
		}
	}
	return all
}

// span is value as a number. What is not there, or is no number (a parameter), counts as without; -1 is
// an event source mapping's for ever.
func span(value any, without float64) float64 {
	n, ok := number(value)
	if n == -1 {
		return forever
	}
	if ok {
		return n
	}
	return without
}

func number(value any) (float64, bool) {
	switch v := value.(type) {
	case float64:
		return v, true
	case string:
		n, err := strconv.ParseFloat(v, 64)
		return n, err == nil
	}
	return 0, false
}

func days(n float64) string {
	if math.IsInf(n, 1) {
		return "for ever"
	}
	return fmt.Sprint(n)
}

// show is a value for a reader: text as it is, everything else as JSON, nothing as "".
func show(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // it was read from JSON
	}
	return string(text)
}
