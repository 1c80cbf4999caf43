package guard

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/millrace-cdk/millrace/internal/cfn"
)

// access is what a template allows and denies, as the CDK's diff library reads its policies,
// Lambda permissions and security groups. A reference is text there: ${LogicalId.Arn}.
type access struct {
	Statements []statement `json:"statements"`
	Managed    []managed   `json:"managed"`
	Rules      []rule      `json:"rules"`
}

type statement struct {
	Effect     string  `json:"effect"`
	Principals targets `json:"principals"`
	Actions    targets `json:"actions"`
	Resources  targets `json:"resources"`
	Condition  string  `json:"condition"`
}

// targets are these values, or all but these.
type targets struct {
	Values []string `json:"values"`
	Not    bool     `json:"not"`
}

func (t targets) each() []string {
	if t.Not {
		return []string{"all but " + strings.Join(t.Values, ", ")}
	}
	return t.Values
}

type managed struct {
	Identity string `json:"identity"`
	Policy   string `json:"policy"`
}

// right is one cell of a statement.
type right struct{ principal, action, resource, condition string }

// rights are those of all statements of the effect.
func (a access) rights(effect string) (all []right) {
	for _, s := range a.Statements {
		if s.Effect != effect {
			continue
		}
		for _, principal := range s.Principals.each() {
			for _, action := range s.Actions.each() {
				for _, resource := range s.Resources.each() {
					all = append(all, right{principal, action, resource, s.Condition})
				}
			}
		}
	}
	return all
}

// covers says whether one of rights includes r: a wildcard includes what it matches, and
// no condition includes every condition.
func covers(rights []right, r right) bool {
	return slices.ContainsFunc(rights, func(o right) bool {
		return (o.principal == r.principal || o.principal == "AWS:*" || o.principal == "*") &&
			matches(strings.ToLower(o.action), strings.ToLower(r.action)) && matches(o.resource, r.resource) &&
			(o.condition == "" || o.condition == r.condition)
	})
}

// matches says whether text is pattern, in which * is any text, as in policies.
func matches(pattern, text string) bool {
	first, rest, wild := strings.Cut(pattern, "*")
	if !wild {
		return pattern == text
	}
	text, ok := strings.CutPrefix(text, first)
	if !ok {
		return false
	}
	parts := strings.Split(rest, "*")
	for _, part := range parts[:len(parts)-1] {
		i := strings.Index(text, part)
		if i < 0 {
			return false
		}
		text = text[i+len(part):]
	}
	return strings.HasSuffix(text, parts[len(parts)-1])
}

// comparison is what the access of one stack is compared within.
type comparison struct {
	base, head               map[string]Stack
	moves                    map[place]place
	baseExports, headExports map[string]string
}

// access is what a difference's stack gives before and after, in the ids of after.
func (c comparison) access(d Difference) (base, head access) {
	return d.Base.resolved(c.baseExports).renamed(c.moves), d.Head.resolved(c.headExports)
}

// broadened finds who may do more than before, told once for each principal and resource, and
// of a principal that is new once.
func (c comparison) broadened(d Difference) (all []Finding) {
	base, head := c.access(d)
	type subject struct{ principal, resource, condition string }
	add := func(lost bool, rights, than []right) {
		actions := map[subject][]string{}
		for _, r := range rights {
			if covers(than, r) || lost && !there(c.head, r.principal+r.resource) {
				continue
			}
			s := subject{r.principal, r.resource, r.condition}
			actions[s] = append(actions[s], r.action)
		}
		created := map[string][]string{} // by new principal
		for s, list := range actions {
			slices.Sort(list)
			what := strings.Join(slices.Compact(list), ", ") + " on " + s.resource
			if s.condition != "" {
				what += " if " + s.condition
			}
			if !lost && !there(c.base, c.before(s.principal)) {
				created[s.principal] = append(created[s.principal], what)
				continue
			}
			f := c.finding(d, IAMBroadens, s.principal+s.resource)
			f.Property, f.To = "policy of "+s.principal, what
			if lost {
				f.From, f.To = "deny "+what, "none"
			}
			all = append(all, f)
		}
		for principal, list := range created {
			slices.Sort(list)
			f := c.finding(d, IAMBroadens, principal)
			f.Property, f.To = "policy of "+principal, fmt.Sprintf("a new principal, %d rights: %s", len(list), strings.Join(list, "; "))
			all = append(all, f)
		}
	}
	add(false, head.rights("Allow"), base.rights("Allow"))
	add(true, base.rights("Deny"), head.rights("Deny"))
	for _, m := range head.Managed {
		if !slices.Contains(base.Managed, m) {
			f := c.finding(d, IAMBroadens, m.Identity)
			f.Property, f.To = "managed policies", m.Policy
			all = append(all, f)
		}
	}
	return append(all, unlocked(d, c.base[d.Name], c.head[d.Name])...)
}

// before is text in the ids of before.
func (c comparison) before(text string) string {
	return reference.ReplaceAllStringFunc(text, func(found string) string {
		for was, is := range c.moves {
			if is.id == found[2:] {
				return "${" + was.id
			}
		}
		return found
	})
}

// unlocked finds methods of an API that let anyone in and did not.
func unlocked(d Difference, before, after Stack) (all []Finding) {
	open := func(stack Stack, id string) bool {
		p := stack.properties(id)
		return stack.kind(id) == "AWS::ApiGateway::Method" && p["HttpMethod"] != "OPTIONS" &&
			(p["AuthorizationType"] == nil || p["AuthorizationType"] == "NONE") && p["ApiKeyRequired"] != true
	}
	for _, id := range slices.Sorted(maps.Keys(after.resources())) {
		if open(after, id) && !open(before, id) {
			all = append(all, Finding{
				Kind: IAMBroadens, Stack: d.Name, Resource: after.path(id), LogicalID: id, Type: after.kind(id), Property: "AuthorizationType",
				From: show(before.properties(id)["AuthorizationType"]), To: "NONE, without an API key", Instead: unlessLabelled(IAMBroadens),
			})
		}
	}
	return all
}

// rule is one of a security group.
type rule struct {
	Direction string `json:"direction"`
	Group     string `json:"group"`
	Protocol  string `json:"protocol"`
	From      string `json:"from"`
	To        string `json:"to"`
	Peer      string `json:"peer"`
}

func (r rule) String() string {
	port := r.From
	if r.To != r.From {
		port += "-" + r.To
	}
	protocol := strings.TrimSpace(r.Protocol + " " + port)
	if r.Protocol == "-1" {
		protocol = "all"
	}
	word := map[string]string{"ingress": "from", "egress": "to"}[r.Direction]
	return protocol + " " + word + " " + r.Peer
}

// nowhere is what CDK writes into a group that is to allow nothing out: without a rule EC2 allows all.
func (r rule) nowhere() bool {
	return r.Direction == "egress" && (r.Peer == "255.255.255.255/32" || r.Peer == "127.0.0.1/32")
}

// includes says whether r allows all that other allows.
func (r rule) includes(other rule) bool {
	return r.Direction == other.Direction && r.Group == other.Group &&
		(r.Protocol == "-1" || r.Protocol == other.Protocol && within(r, other)) && reaches(r.Peer, other.Peer)
}

func within(r, other rule) bool {
	if r.From == other.From && r.To == other.To {
		return true
	}
	var n [4]int
	for i, text := range []string{r.From, r.To, other.From, other.To} {
		var err error
		if n[i], err = strconv.Atoi(text); err != nil {
			return false
		}
	}
	return n[0] <= n[2] && n[1] >= n[3]
}

func reaches(peer, other string) bool {
	if peer == other {
		return true
	}
	wide, err := netip.ParsePrefix(peer)
	if err != nil {
		return false
	}
	narrow, err := netip.ParsePrefix(other)
	return err == nil && wide.Bits() <= narrow.Bits() && wide.Contains(narrow.Addr())
}

// opened finds what reaches more than before.
func (c comparison) opened(d Difference) (all []Finding) {
	base, head := c.access(d)
	had := append(base.Rules, c.base[d.Name].openGroups()...)
	for _, r := range append(head.Rules, c.head[d.Name].openGroups()...) {
		if r.nowhere() || slices.ContainsFunc(had, func(o rule) bool { return o.includes(r) }) {
			continue
		}
		f := c.finding(d, NetworkOpens, r.Group)
		f.Property, f.To = r.Direction, r.String()
		all = append(all, f)
	}
	return all
}

// openGroups are the rules that EC2 gives to groups of which no egress is said: everything.
func (s Stack) openGroups() (all []rule) {
	for _, id := range slices.Sorted(maps.Keys(s.resources())) {
		if s.kind(id) == "AWS::EC2::SecurityGroup" && s.properties(id)["SecurityGroupEgress"] == nil {
			all = append(all, rule{Direction: "egress", Group: "${" + id + ".GroupId}", Protocol: "-1", Peer: "0.0.0.0/0"})
		}
	}
	return all
}

// reference is a logical id in the library's text.
var reference = regexp.MustCompile(`\$\{([A-Za-z0-9]+)`)

// renamed is the access with the ids that its resources have after they moved, so that a
// resource under another id does not read as one that gets rights.
func (a access) renamed(moves map[place]place) access {
	ids := map[string]string{}
	for was, is := range moves {
		ids[was.id] = is.id
	}
	return a.each(func(s string) string {
		return reference.ReplaceAllStringFunc(s, func(found string) string {
			if id, ok := ids[found[2:]]; ok {
				return "${" + id
			}
			return found
		})
	})
}

// imported is another stack's export in the library's text.
var imported = regexp.MustCompile(`\{"Fn::ImportValue":"([^"]+)"\}`)

// resolved is the access with what other stacks export in the place of the exports' names.
func (a access) resolved(exports map[string]string) access {
	return a.each(func(s string) string {
		return imported.ReplaceAllStringFunc(s, func(found string) string {
			if value := exports[imported.FindStringSubmatch(found)[1]]; value != "" {
				return value
			}
			return found
		})
	})
}

// exports are references by the names under which stacks export them.
func exports(stacks map[string]Stack) map[string]string {
	all := map[string]string{}
	for _, stack := range stacks {
		for _, output := range object(stack.Template["Outputs"]) {
			name, _ := at(output, "Export.Name").(string)
			value := object(at(output, "Value"))
			if id, ok := value["Ref"].(string); ok {
				all[name] = "${" + id + "}"
			}
			if pair := cfn.List(value["Fn::GetAtt"]); len(pair) == 2 {
				all[name] = "${" + show(pair[0]) + "." + show(pair[1]) + "}"
			}
		}
	}
	return all
}

// each is the access with every text of it changed.
func (a access) each(text func(string) string) access {
	values := func(t targets) targets {
		all := make([]string, len(t.Values))
		for i := range all {
			all[i] = text(t.Values[i])
		}
		return targets{all, t.Not}
	}
	var out access
	for _, s := range a.Statements {
		out.Statements = append(out.Statements, statement{s.Effect, values(s.Principals), values(s.Actions), values(s.Resources), text(s.Condition)})
	}
	for _, m := range a.Managed {
		out.Managed = append(out.Managed, managed{text(m.Identity), text(m.Policy)})
	}
	for _, r := range a.Rules {
		r.Group, r.Peer = text(r.Group), text(r.Peer)
		out.Rules = append(out.Rules, r)
	}
	return out
}

// there says whether every resource that text refers to is in one of the stacks.
func there(stacks map[string]Stack, text string) bool {
	for _, match := range reference.FindAllStringSubmatch(text, -1) {
		if _, found := find(stacks, match[1]); !found && match[1] != "AWS" { // ${AWS::AccountId}
			return false
		}
	}
	return true
}

// find returns the stack that has the resource.
func find(stacks map[string]Stack, id string) (name string, found bool) {
	for _, name := range slices.Sorted(maps.Keys(stacks)) {
		if stacks[name].resource(id) != nil {
			return name, true
		}
	}
	return "", false
}

// finding is one of the first resource that text refers to: one of the difference's stack, if there is one.
func (c comparison) finding(d Difference, kind Kind, text string) Finding {
	f := Finding{Kind: kind, Stack: d.Name, Resource: d.Name, Instead: unlessLabelled(kind)}
	for _, match := range reference.FindAllStringSubmatch(text, -1) {
		for _, stack := range []Stack{c.head[d.Name], c.base[d.Name]} {
			if stack.resource(match[1]) != nil {
				f.Resource, f.LogicalID, f.Type = stack.path(match[1]), match[1], stack.kind(match[1])
				return f
			}
		}
	}
	return f
}

func unlessLabelled(kind Kind) string {
	return fmt.Sprintf("narrow it to what is needed; if it is meant, say so: the pull request's label %s, or --label=%[1]s", kind)
}
