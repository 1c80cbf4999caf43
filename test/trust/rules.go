package trust

import (
	"fmt"
	"slices"
)

// Rule is something that must hold for every app.
type Rule struct {
	// Name says what holds.
	Name string
	// Check finds where it does not.
	Check func(a *App) []Finding
}

// Finding is where a [Rule] does not hold.
type Finding struct {
	Rule     string
	Resource Resource
	Text     string
}

func (f Finding) String() string {
	return fmt.Sprintf("%s: %s/%s (%s): %s", f.Rule, f.Resource.Stack, f.Resource.ID, f.Resource.Type, f.Text)
}

// Exception is a finding that stands, with the reason.
type Exception struct {
	// Rule and Resource are the rule's name and the resource's, without CDK's hash; Text is the finding's.
	Rule, Resource, Text, Reason string
}

// Rules are all rules. The dearest stands last, since a mutation is noticed by the first that finds it.
func Rules() []Rule {
	return slices.Concat(storeRules(), accessRules(), networkRules(), apiRules(), computeRules(), alarmRules(), []Rule{
		{"nothing leads to the database from outside", unreachable},
	})
}

// Exceptions are the findings that stand.
func Exceptions() []Exception {
	return []Exception{
		{
			"every use of a bucket is logged", "LoaderOnFailure", "its uses are not logged",
			"only Lambda's service writes there, batches that already failed; who reads an object is in CloudTrail where its data events are on",
		},
		{
			"nothing goes out to the world", "LoaderMigratorSecurityGroup", "it lets out to 0.0.0.0/0 by tcp 443",
			"a custom resource answers to S3's addresses; the S3 endpoint's policy lets through CloudFormation's bucket alone, and the subnets have no other route",
		},
		{
			"nobody comes in but by a group or a port that is named", "WarehouseFromFirehose", `it lets in "52.19.239.192/27", and no group of the app's`,
			"Firehose reaches Redshift by a public endpoint alone: the addresses are those of Firehose in the region, which CDK knows",
		},
		{
			"resources admit nobody unknown", "SharedKey", "it admits others than the account, or without a condition, to [kms:Decrypt]",
			"a reader of another account, whom the props let in, cannot read the stream without its key",
		},
	}
}

// Findings are what rules find in app, without what an exception lets stand.
func Findings(app *App, rules []Rule, exceptions []Exception) []Finding {
	var all []Finding
	for _, rule := range rules {
		all = append(all, rule.find(app, exceptions)...)
	}
	return all
}

// find is what the rule finds that no exception lets stand.
func (r Rule) find(app *App, exceptions []Exception) []Finding {
	return slices.DeleteFunc(r.findings(app), func(f Finding) bool {
		return slices.ContainsFunc(exceptions, func(e Exception) bool { return e.covers(f) })
	})
}

// findings are the rule's, by its name.
func (r Rule) findings(app *App) []Finding {
	found := r.Check(app)
	for i := range found {
		found[i].Rule = r.Name
	}
	return found
}

// covers says whether the exception lets the finding stand.
func (e Exception) covers(f Finding) bool {
	return e.Rule == f.Rule && e.Text == f.Text && e.Resource == f.Resource.Name()
}

// each is a check of each resource of the types by itself: say reports what is wrong.
func each(check func(a *App, r Resource, say func(format string, args ...any)), types ...string) func(*App) []Finding {
	return func(a *App) []Finding {
		var found []Finding
		for _, r := range a.Resources(types...) {
			check(a, r, func(format string, args ...any) {
				found = append(found, Finding{Resource: r, Text: fmt.Sprintf(format, args...)})
			})
		}
		return found
	}
}
