package reach

import "slices"

const (
	groupKind   = "AWS::EC2::SecurityGroup"
	ingressKind = "AWS::EC2::SecurityGroupIngress"
	egressKind  = "AWS::EC2::SecurityGroupEgress"
)

// rule lets somebody into a group.
type rule struct {
	name       string // of the resource that it stands in
	properties *resource
}

// group looks at whom a security group lets in, and at whom those let in, and so
// on. Ports make no difference: a rule for another port is one change away.
func (f *finder) group(g target, trail []Step) {
	if g.resource == nil || g.resource.kind != groupKind {
		name := g.text
		if g.resource != nil {
			name = g.resource.name()
		}
		f.leak(trail, name, "a security group that is not in the templates: whom it lets in is not known")
		return
	}
	if f.again(g.resource, trail) {
		return
	}
	for _, r := range f.rules(g.resource) {
		f.rule(r, g.resource, outward(trail, g.resource.name(), "the security group"))
	}
}

// either lists the maps of value: of a list all, of an Fn::If both branches.
func either(value any) []map[string]any {
	var all []map[string]any
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			all = append(all, either(item)...)
		}
	case map[string]any:
		name, argument, intrinsic := function(v)
		if !intrinsic {
			return []map[string]any{v}
		}
		if branches, ok := argument.([]any); ok && name == "Fn::If" && len(branches) == 3 {
			return either(branches[1:])
		}
	}
	return all
}

// again says whether r was looked at already on the way to the same end.
func (f *finder) again(r *resource, trail []Step) bool {
	end := ""
	if len(trail) > 0 {
		end = trail[len(trail)-1].Resource
	}
	key := r.name() + " " + end
	seen := f.asked[key]
	f.asked[key] = true
	return seen
}

func (f *finder) rules(group *resource) []rule {
	var all []rule
	for _, properties := range either(group.properties["SecurityGroupIngress"]) {
		all = append(all, rule{group.name(), &resource{stack: group.stack, id: group.id, properties: properties}})
	}
	for _, r := range f.that(ingressKind, "GroupId", group) {
		all = append(all, rule{r.name(), r})
	}
	return all
}

func (f *finder) rule(r rule, group *resource, trail []Step) {
	vpc := f.vpc(group)
	blocks := append(f.of(r.properties, "CidrIp"), f.of(r.properties, "CidrIpv6")...)
	for _, list := range f.of(r.properties, "SourcePrefixListId") {
		entries := f.entries(list)
		if entries == nil {
			f.leak(trail, r.name, "lets in a prefix list, and what is in it is not known")
		}
		blocks = append(blocks, entries...)
	}
	for _, block := range blocks {
		switch {
		case nowhere(block.text):
		case f.within(block, vpc):
			f.everyone(vpc, outward(trail, r.name, "lets in every address of the VPC"))
		case block.resource != nil:
			f.leak(trail, r.name, "lets in the addresses of %s", block.resource.name())
		default:
			f.leak(trail, r.name, "lets in %s", block.text)
		}
	}
	if r.properties.properties["SourceSecurityGroupName"] != nil || r.properties.properties["SourceSecurityGroupOwnerId"] != nil {
		f.leak(trail, r.name, "lets in a security group of another account or by name")
	}
	for _, source := range f.of(r.properties, "SourceSecurityGroupId") {
		inside := outward(trail, r.name, "lets in the next group")
		f.group(source, inside)
		if source.resource != nil {
			f.members(source.resource, outward(inside, source.resource.name(), "the security group"))
		}
	}
}

// entries are the addresses of a prefix list of the templates; nil if it is none of them.
func (f *finder) entries(list target) []target {
	if list.resource == nil || list.resource.kind != "AWS::EC2::PrefixList" {
		return nil
	}
	var entries []target
	for _, entry := range either(list.resource.properties["Entries"]) {
		entries = append(entries, f.resolve(expression{list.resource.stack, entry["Cidr"]}, 0)...)
	}
	return entries
}

// members looks at what stands in a group that is let in.
func (f *finder) members(group *resource, trail []Step) {
	for _, r := range f.resources {
		if r != group && r.kind != ingressKind && r.kind != egressKind && r.kind != groupKind && f.mentions(r, group) {
			f.member(r, trail)
		}
	}
}

// everyone looks at what stands in a VPC of which every address is let in.
func (f *finder) everyone(vpc *resource, trail []Step) {
	for _, r := range f.resources {
		stands := slices.ContainsFunc(f.ofKind("AWS::EC2::Subnet"), func(s *resource) bool { return f.vpc(s) == vpc && f.mentions(r, s) })
		if stands && (hosts[r.kind] || doors[r.kind] != "" || balancers[r.kind] || functions[r.kind]) {
			f.member(r, trail)
		}
	}
}
