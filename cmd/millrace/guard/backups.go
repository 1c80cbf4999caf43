package guard

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/millrace-cdk/millrace/internal/cfn"
)

// expiries finds objects of a bucket that are deleted, or sooner than they were.
func expiries(was, is map[string]any, say func(property, from, to string)) {
	on, then := dates(was), dates(is)
	for _, key := range slices.Sorted(maps.Keys(then)) {
		if then[key] != on[key] {
			say("LifecycleConfiguration.ExpirationDate("+key+")", cmp.Or(on[key], "for ever"), then[key])
		}
	}
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

// fewer finds what is in from and not in to.
func fewer(from, to []any, property string, say func(property, from, to string)) {
	left := map[string]bool{}
	for _, each := range to {
		left[show(each)] = true
	}
	for _, each := range from {
		if !left[show(each)] {
			say(property, show(each), "none")
		}
	}
}

// replications are where a bucket's objects are copied to, by their prefix.
func replications(bucket map[string]any) (all []any) {
	for _, each := range cfn.List(at(bucket, "ReplicationConfiguration.Rules")) {
		if rule := object(each); rule["Status"] == "Enabled" {
			all = append(all, map[string]any{
				"Bucket": at(rule, "Destination.Bucket"), "Prefix": rule["Prefix"], "Filter": rule["Filter"],
			})
		}
	}
	return all
}

// dates are the days on which a bucket's rules delete, by what they delete.
func dates(bucket map[string]any) map[string]string {
	all := map[string]string{}
	for _, each := range cfn.List(at(bucket, "LifecycleConfiguration.Rules")) {
		if rule := object(each); rule["Status"] == "Enabled" && rule["ExpirationDate"] != nil {
			all[show(rule["Prefix"])+show(rule["TagFilters"])] = show(rule["ExpirationDate"])
		}
	}
	return all
}

// lifecycle are the days after which a bucket's rules delete, by what they delete.
func lifecycle(bucket map[string]any) map[string]float64 {
	all := map[string]float64{}
	for _, each := range cfn.List(at(bucket, "LifecycleConfiguration.Rules")) {
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
	for _, rule := range cfn.List(at(is, "BackupPlan.BackupPlanRule")) {
		after[object(rule)["RuleName"]] = object(rule)
	}
	for _, each := range cfn.List(at(was, "BackupPlan.BackupPlanRule")) {
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
		if rule["EnableContinuousBackup"] == true && now["EnableContinuousBackup"] != true {
			say(property+".EnableContinuousBackup", "true", cmp.Or(show(now["EnableContinuousBackup"]), "false"))
		}
		copies(rule, now, property, say)
	}
}

// copies finds copies of a backup rule that are gone, or kept for a shorter time.
func copies(was, is map[string]any, property string, say func(property, from, to string)) {
	after := map[string]any{}
	for _, each := range cfn.List(is["CopyActions"]) {
		after[show(object(each)["DestinationBackupVaultArn"])] = each
	}
	for _, each := range cfn.List(was["CopyActions"]) {
		vault := show(object(each)["DestinationBackupVaultArn"])
		now, found := after[vault]
		from, to := span(at(each, "Lifecycle.DeleteAfterDays"), forever), span(at(now, "Lifecycle.DeleteAfterDays"), forever)
		switch {
		case !found:
			say(property+".CopyActions", vault, "none")
		case to < from:
			say(property+".CopyActions", days(from)+" in "+vault, days(to))
		}
	}
}
