package guard

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
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

// policies say what becomes of a resource when its stack lets go of it; more is more kept.
var policies = map[any]int{"Retain": 2, "RetainExceptOnCreate": 2, "Snapshot": 1}

// shrunk finds what is kept for a shorter time, or with less care.
func shrunk(name string, before, after Stack) (all []Finding) {
	if before.Protected && !after.Protected && after.Template != nil {
		all = append(all, Finding{
			Kind: Shrinks, Stack: name, Resource: name, Type: "AWS::CloudFormation::Stack", Property: "TerminationProtection",
			From: "true", To: "false", Instead: "keep the stack's termination protection" + byProcedure,
		})
	}
	for _, id := range slices.Sorted(maps.Keys(before.resources())) {
		kind := before.kind(id)
		if after.kind(id) != kind {
			continue
		}
		say := func(property, from, to string) {
			all = append(all, Finding{
				Kind: Shrinks, Stack: name, Resource: before.path(id), LogicalID: id, Type: kind, Property: property, From: from, To: to,
				Instead: "keep what is kept now: what a shorter retention or a weaker backup lets go does not come back" + byProcedure,
			})
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
		case "AWS::Backup::BackupPlan":
			plans(was, is, say)
		}
	}
	return all
}

// expiries finds objects of a bucket that are deleted, or sooner than they were.
func expiries(was, is map[string]any, say func(property, from, to string)) {
	from, to := lifecycle(was), lifecycle(is)
	versioned := at(was, "VersioningConfiguration.Status") != nil
	for _, key := range slices.Sorted(maps.Keys(to)) {
		if strings.HasPrefix(key, "Noncurrent") && !versioned {
			continue // there is no such version yet
		}
		before, found := from[key]
		if !found {
			before = forever
		}
		if to[key] < before {
			say("LifecycleConfiguration."+key, days(before), days(to[key]))
		}
	}
}

// lifecycle are the days after which a bucket's rules delete, by what they delete.
func lifecycle(bucket map[string]any) map[string]float64 {
	all := map[string]float64{}
	for _, each := range list(at(bucket, "LifecycleConfiguration.Rules")) {
		rule := object(each)
		if rule["Status"] != "Enabled" {
			continue
		}
		for property, value := range map[string]any{
			"ExpirationInDays":                  rule["ExpirationInDays"],
			"NoncurrentVersionExpiration":       at(rule, "NoncurrentVersionExpiration.NoncurrentDays"),
			"NoncurrentVersionExpirationInDays": rule["NoncurrentVersionExpirationInDays"],
		} {
			days, ok := number(value)
			if !ok {
				continue
			}
			key := strings.TrimSuffix(property, "InDays") + "(" + show(rule["Prefix"]) + show(rule["TagFilters"]) + ")"
			if least, found := all[key]; !found || days < least {
				all[key] = days
			}
		}
	}
	return all
}

// plans finds rules of a backup plan that are gone, or keep for a shorter time.
func plans(was, is map[string]any, say func(property, from, to string)) {
	after := map[any]map[string]any{}
	for _, rule := range list(at(is, "BackupPlan.BackupPlanRule")) {
		after[object(rule)["RuleName"]] = object(rule)
	}
	for _, each := range list(at(was, "BackupPlan.BackupPlanRule")) {
		rule := object(each)
		property := "BackupPlanRule." + show(rule["RuleName"])
		now, found := after[rule["RuleName"]]
		if !found {
			say(property, "a rule", "none")
			continue
		}
		from, to := span(at(rule, "Lifecycle.DeleteAfterDays"), forever), span(at(now, "Lifecycle.DeleteAfterDays"), forever)
		if to < from {
			say(property+".Lifecycle.DeleteAfterDays", days(from), days(to))
		}
	}
}

// span is value as a number. What is not there, or is no number (a parameter), counts as without.
func span(value any, without float64) float64 {
	if n, ok := number(value); ok {
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

func list(value any) []any { l, _ := value.([]any); return l }

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
