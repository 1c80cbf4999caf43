// Package guard compares two cloud assemblies and finds what a deploy must not do: replace,
// remove or rename what holds data or what clients hold, shorten a retention or a backup, change
// a construct's id, give rights or open the network unsaid, break a release's migrations. What
// replaces, and what is a policy, the CDK's own diff library tells from the CloudFormation
// resource specification (diff.mjs); what of it matters is here, and reads JSON alone.
package guard

import (
	"cmp"
	"maps"
	"slices"
)

// Kind is what is wrong, in a word for scripts.
type Kind string

// The kinds of findings.
const (
	Replaced       Kind = "replaced"         // a protected resource is replaced
	MayBeReplaced  Kind = "may-be-replaced"  // it is replaced under conditions that CloudFormation documents
	Removed        Kind = "removed"          // a protected resource is removed
	LogicalID      Kind = "logical-id"       // a protected resource has another logical id: removed, and made anew
	ConstructID    Kind = "construct-id"     // an id inside of a construct has changed
	Shrinks        Kind = "retention"        // less is kept, or for a shorter time
	IAMBroadens    Kind = "iam-broadens"     // someone may do more
	NetworkOpens   Kind = "network-broadens" // something reaches more
	MigrationOrder Kind = "migration"        // the migrations are not expand, migrate, contract
)

// Labels are the kinds that a label of the same name lets through: they may be what the
// change is for, or not come true, and a reviewer then said so.
func Labels() []Kind { return []Kind{IAMBroadens, NetworkOpens, MayBeReplaced} }

// Finding is one thing that must not be deployed like this.
type Finding struct {
	Kind Kind `json:"kind"`
	// Stack is the stack's construct path, Resource the resource's; of a migration the file.
	Stack    string `json:"stack,omitempty"`
	Resource string `json:"resource"`
	// LogicalID and Type are the resource's in its template, before the change where it was there.
	LogicalID string `json:"logical_id,omitempty"`
	Type      string `json:"type,omitempty"`
	// Property is what changes From something To something, as JSON where it is no text.
	Property string `json:"property,omitempty"`
	From     string `json:"from,omitempty"`
	To       string `json:"to,omitempty"`
	// Instead is what to do instead.
	Instead string `json:"instead"`
}

// Difference is what diff.mjs tells of a stack.
type Difference struct {
	Name      string           `json:"name"`
	Resources []resourceChange `json:"resources"`
	Base      access           `json:"base"`
	Head      access           `json:"head"`
	// Text is what `cdk diff` prints, "" without a difference.
	Text string `json:"text"`
}

type resourceChange struct {
	ID         string           `json:"id"`
	Impact     string           `json:"impact"`
	Properties []propertyChange `json:"properties"`
}

type propertyChange struct {
	Name   string `json:"name"`
	From   any    `json:"from"`
	To     any    `json:"to"`
	Impact string `json:"impact"`
}

// The impacts of @aws-cdk/cloudformation-diff that replace.
const (
	willReplace = "WILL_REPLACE"
	mayReplace  = "MAY_REPLACE"
)

// Judge returns what must not be deployed of the change from base to head, by kind and
// resource. labels are those that the change has; see [Labels].
func Judge(base, head map[string]Stack, differences []Difference, labels []string) []Finding {
	moves := moved(base, head)
	all := renamed(base, head, moves)
	c := comparison{base, head, moves, exports(base), exports(head)}
	for _, d := range differences {
		before, after := base[d.Name], head[d.Name]
		all = append(all, elsewhere(d.Name, before, after)...)
		all = append(all, replaced(d, before)...)
		all = append(all, gone(d.Name, before, after, moves)...)
		all = append(all, shrunk(d.Name, before, after, moves)...)
		all = append(all, c.broadened(d)...)
		all = append(all, c.opened(d)...)
	}
	all = slices.DeleteFunc(all, func(f Finding) bool {
		return slices.Contains(Labels(), f.Kind) && slices.Contains(labels, string(f.Kind))
	})
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Resource, b.Resource), cmp.Compare(a.Property, b.Property), cmp.Compare(a.To, b.To))
	})
	return slices.Compact(all)
}

// elsewhere finds a stack that would be another one for CloudFormation: it makes all that is in it anew, empty, and leaves the
// one with the data as it is.
func elsewhere(name string, before, after Stack) (all []Finding) {
	if before.Template == nil || after.Template == nil {
		return nil
	}
	for _, what := range []struct{ property, from, to string }{
		{"StackName", before.Name, after.Name}, {"Account", before.Account, after.Account}, {"Region", before.Region, after.Region},
	} {
		if what.from != "" && what.to != "" && what.from != what.to {
			all = append(all, Finding{
				Kind: Replaced, Stack: name, Resource: name, Type: "AWS::CloudFormation::Stack", Property: what.property, From: what.from, To: what.to,
				Instead: "keep the stack where and what it is; to move it, deploy a second one beside it and let clients and data move" + byProcedure,
			})
		}
	}
	return all
}

// replaced finds protected resources that an update replaces, or may replace.
func replaced(d Difference, before Stack) (all []Finding) {
	for _, change := range d.Resources {
		kind := before.kind(change.ID)
		if !protected(kind) || change.Impact != willReplace && change.Impact != mayReplace {
			continue
		}
		finding := Finding{Stack: d.Name, Resource: before.path(change.ID), LogicalID: change.ID, Type: kind}
		if len(change.Properties) == 0 { // of another type
			finding.Kind, finding.Property, finding.Instead = Replaced, "Type", insteadOfReplacing(kind)
			all = append(all, finding)
		}
		for _, p := range change.Properties {
			switch p.Impact {
			case willReplace:
				finding.Kind = Replaced
			case mayReplace:
				finding.Kind = MayBeReplaced
			default:
				continue
			}
			finding.Property, finding.From, finding.To, finding.Instead = p.Name, show(p.From), show(p.To), insteadOfReplacing(kind)
			if finding.Kind == MayBeReplaced {
				finding.Instead += "; where the condition in the property's documentation does not hold, say so by the label " + string(MayBeReplaced)
			}
			all = append(all, finding)
		}
	}
	return all
}

// Replacements lists what is replaced or may be, protected or not, for a reader.
func Replacements(base map[string]Stack, differences []Difference) (all []Finding) {
	for _, d := range differences {
		for _, change := range d.Resources {
			for _, p := range change.Properties {
				kind := Replaced
				if p.Impact == mayReplace {
					kind = MayBeReplaced
				} else if p.Impact != willReplace {
					continue
				}
				all = append(all, Finding{
					Kind: kind, Stack: d.Name, Resource: base[d.Name].path(change.ID), LogicalID: change.ID,
					Type: base[d.Name].kind(change.ID), Property: p.Name, From: show(p.From), To: show(p.To),
				})
			}
		}
	}
	return all
}

// names are the stacks of either, in order.
func names(base, head map[string]Stack) []string {
	all := maps.Clone(base)
	maps.Copy(all, head)
	return slices.Sorted(maps.Keys(all))
}
