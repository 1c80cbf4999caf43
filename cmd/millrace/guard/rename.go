package guard

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// place is a resource of a stack.
type place struct{ stack, id string }

// moved pairs resources that are gone with those that seem to be the same under
// another id: of the same construct path, else equal but for the ids in them, else,
// of a protected type, the only ones of it that are gone and new.
func moved(base, head map[string]Stack) map[place]place {
	gone, added := missing(base, head), missing(head, base)
	taken, moves := map[place]bool{}, map[place]place{}
	pair := func(same func(was, is place) bool) {
		for _, was := range gone {
			if _, done := moves[was]; done {
				continue
			}
			for _, is := range added {
				if !taken[is] && base[was.stack].kind(was.id) == head[is.stack].kind(is.id) && same(was, is) {
					taken[is], moves[was] = true, is
					break
				}
			}
		}
	}
	path := func(stacks map[string]Stack, p place) string { return stacks[p.stack].path(p.id) }
	pair(func(was, is place) bool { return path(base, was) == path(head, is) })
	equal := func(was, is place) bool { return shape(base, was) == shape(head, is) }
	// Of several that are equal, the one whose path ends alike.
	pair(func(was, is place) bool {
		return equal(was, is) && tail(path(base, was)) == tail(path(head, is))
	})
	pair(equal)
	count := func(stacks map[string]Stack, places []place, kind string) (n int) {
		for _, p := range places {
			if stacks[p.stack].kind(p.id) == kind {
				n++
			}
		}
		return n
	}
	pair(func(was, _ place) bool {
		kind := base[was.stack].kind(was.id)
		return protected(kind) && count(base, gone, kind) == 1 && count(head, added, kind) == 1
	})
	return moves
}

// missing are the resources of these stacks that the others do not have.
func missing(these, others map[string]Stack) (all []place) {
	for _, name := range slices.Sorted(maps.Keys(these)) {
		for _, id := range slices.Sorted(maps.Keys(these[name].resources())) {
			if others[name].resource(id) == nil {
				all = append(all, place{name, id})
			}
		}
	}
	return all
}

// tail is the last two steps of a path: Stream/Resource.
func tail(path string) string {
	steps := strings.Split(path, "/")
	return strings.Join(steps[max(0, len(steps)-2):], "/")
}

// shape is a resource's properties with types for logical ids.
func shape(stacks map[string]Stack, p place) string {
	stack := stacks[p.stack]
	var walk func(any) any
	walk = func(value any) any {
		switch v := value.(type) {
		case string:
			if kind := stack.kind(v); kind != "" {
				return kind
			}
			return v
		case []any:
			all := make([]any, len(v))
			for i := range v {
				all[i] = walk(v[i])
			}
			return all
		case map[string]any:
			all := map[string]any{}
			for key := range v {
				if key == "Fn::ImportValue" { // an export's name has the logical id
					all[key] = ""
					continue
				}
				all[key] = walk(v[key])
			}
			return all
		}
		return value
	}
	text, err := json.Marshal(walk(stack.properties(p.id)))
	if err != nil {
		panic(err) // it was read from JSON
	}
	return string(text)
}

// gone finds protected resources that are removed or get another logical id.
func gone(name string, before, after Stack, moves map[place]place) (all []Finding) {
	for _, id := range slices.Sorted(maps.Keys(before.resources())) {
		kind := before.kind(id)
		if after.resource(id) != nil || !protected(kind) {
			continue
		}
		finding := Finding{Stack: name, Resource: before.path(id), LogicalID: id, Type: kind}
		to, found := moves[place{name, id}]
		if !found {
			finding.Kind, finding.Property, finding.From, finding.To = Removed, "the resource", kind, fate(before.resource(id))
			finding.Instead = insteadOfRemoving(kind)
			all = append(all, finding)
			continue
		}
		finding.Kind, finding.Property, finding.From, finding.To = LogicalID, "logical id", id, to.id
		finding.Instead = keepTheID + ": as it is, this one is removed (" + fate(before.resource(id)) + ") and an empty one made"
		if to.stack != name {
			finding.To = to.stack + ": " + to.id
		}
		all = append(all, finding)
	}
	return all
}

// renamed finds resources that were not removed but got another path inside of a construct: what
// an importer of the construct would meet as a replacement. Of a construct that is renamed whole, its path is told once.
func renamed(base, head map[string]Stack, moves map[place]place) (all []Finding) {
	seen := map[string]bool{}
	for _, was := range slices.SortedFunc(maps.Keys(moves), func(a, b place) int {
		return strings.Compare(a.stack+a.id, b.stack+b.id)
	}) {
		is := moves[was]
		from, to, inside := changed(base[was.stack].path(was.id), head[is.stack].path(is.id))
		if !inside || seen[from+"\n"+to] {
			continue
		}
		seen[from+"\n"+to] = true
		all = append(all, Finding{
			Kind: ConstructID, Stack: was.stack, Resource: base[was.stack].path(was.id), LogicalID: was.id, Type: base[was.stack].kind(was.id),
			Property: "aws:cdk:path", From: from, To: to,
			Instead: "keep the construct's id: ids are part of the interface, and whoever imports the construct would get its resources replaced; else it is a breaking release (CHANGELOG.md)",
		})
	}
	return all
}

// changed cuts two paths after the first step that differs. inside says that this step is
// not the stack's nor the stack's own child's, whose name is the app's and not the construct's.
func changed(from, to string) (before, after string, inside bool) {
	a, b := strings.Split(from, "/"), strings.Split(to, "/")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return strings.Join(a[:i+1], "/"), strings.Join(b[:i+1], "/"), i >= 2
		}
	}
	return from, to, from != to
}

// fate is what CloudFormation does with a resource that is removed from its template.
func fate(resource map[string]any) string {
	switch resource["DeletionPolicy"] {
	case "Retain", "RetainExceptOnCreate":
		return "kept, but no stack's any more"
	case "Snapshot":
		return "deleted after a snapshot"
	}
	return "deleted"
}
