package trust

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/millrace-cdk/millrace/internal/cfn"
)

// Mutation is one property of one template, made worse.
type Mutation struct {
	App      *App
	Resource Resource
	// Path is where the property is, What what becomes of it.
	Path, What string
	// Apply does it and returns what takes it back.
	Apply func() (undo func())
}

func (m Mutation) String() string {
	return fmt.Sprintf("%s %s %s: %s", m.App.Environment, m.Resource.Name(), m.Path, m.What)
}

// removals are the types whose resources protect others: each is taken away whole.
func removals() []string {
	return []string{
		policyType, "AWS::EC2::FlowLog", "AWS::WAFv2::WebACLAssociation", "AWS::WAFv2::LoggingConfiguration",
		"AWS::SecretsManager::ResourcePolicy", "AWS::SecretsManager::RotationSchedule", parametersType, alarmType, "AWS::SNS::TopicPolicy",
	}
}

// Mutations walks the app and lists what it can make worse, one at a time.
func Mutations(a *App) []Mutation {
	var all []Mutation
	flips := flips()
	for _, r := range a.Resources() {
		add := func(path string, parent map[string]any, key string, to any) {
			what := fmt.Sprintf("%.60v", to)
			if isGone(to) {
				what = "removed"
			}
			all = append(all, Mutation{a, r, path, what, func() func() { return set(parent, key, to) }})
		}
		properties := object(r.Body["Properties"])
		if slices.Contains(removals(), r.Type) {
			all = append(all, Mutation{a, r, "the resource", "removed", func() func() {
				undo := set(object(a.Stacks[r.Stack]["Resources"]), r.ID, gone{})
				a.forget()
				return func() { undo(); a.forget() }
			}})
		}
		if slices.Contains(storeTypes(), r.Type) || r.Type == keyType {
			for _, policy := range []string{"DeletionPolicy", "UpdateReplacePolicy"} {
				if r.Body[policy] == "Retain" || r.Body[policy] == "Snapshot" {
					add(policy, r.Body, policy, "Delete")
					add(policy, r.Body, policy, gone{})
				}
			}
		}
		for _, f := range added(a, r) {
			add(f.key, properties, f.key, f.to[0])
		}
		walk(r, flips, "", properties, add)
	}
	return all
}

// added are properties that no template has, and that would open it.
func added(a *App, r Resource) []flip {
	switch r.Type {
	case groupType:
		world := map[string]any{"CidrIp": "0.0.0.0/0", "IpProtocol": "tcp", "FromPort": 5432.0, "ToPort": 5432.0}
		return []flip{{"SecurityGroupIngress", nil, []any{[]any{world}}}}
	case "AWS::ApiGateway::ApiKey":
		return []flip{{"Value", nil, []any{"0123456789abcdef0123456789abcdef"}}}
	case bucketType:
		return []flip{{"AccessControl", nil, []any{"PublicRead"}}}
	case alarmType: // the ARN for the name
		var flips []flip
		for _, of := range a.references(r.Stack, r.Get("Dimensions")) {
			name := text(cfn.At(list(r.Get("Dimensions"))[0], "Name"))
			arn := map[string]any{"Name": name, "Value": map[string]any{"Fn::GetAtt": []any{of.ID, "Arn"}}}
			flips = append(flips, flip{"Dimensions", nil, []any{[]any{arn}}})
		}
		return flips
	}
	return nil
}

func isGone(value any) bool { _, ok := value.(gone); return ok }

// set sets the key and returns what takes it back.
func set(parent map[string]any, key string, to any) func() {
	old, had := parent[key]
	if isGone(to) {
		delete(parent, key)
	} else {
		parent[key] = to
	}
	return func() {
		if had {
			parent[key] = old
		} else {
			delete(parent, key)
		}
	}
}

// walk adds the flips of everything below value.
func walk(r Resource, flips []flip, path string, value any, add func(string, map[string]any, string, any)) {
	switch v := value.(type) {
	case []any:
		for i, element := range v {
			walk(r, flips, fmt.Sprintf("%s[%d]", path, i), element, add)
		}
	case map[string]any:
		if v["Effect"] != nil {
			policy(r, path, v, add)
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if strings.HasPrefix(key, "Fn::") {
				continue
			}
			below := strings.TrimPrefix(path+"."+key, ".")
			for _, f := range flips {
				if f.key == key && (f.when == nil || f.when(r, v[key])) {
					for _, to := range f.to {
						add(below, v, key, to)
					}
				}
			}
			walk(r, flips, below, v[key], add)
		}
	}
}

// policy adds what makes one statement of a policy wider.
func policy(r Resource, path string, s map[string]any, add func(string, map[string]any, string, any)) {
	if s["Effect"] == "Deny" {
		add(path+".Effect", s, "Effect", "Allow")
		add(path+".Action", s, "Action", "none:Nothing")
		return
	}
	if r.Type == keyType && slices.Contains(texts(s["Action"]), "kms:*") {
		add(path+".Principal", s, "Principal", "*") // the account's own rights are its key policy's first statement
		add(path+".Principal", s, "Principal", map[string]any{"AWS": "*"})
		return
	}
	add(path+".Action", s, "Action", "*")
	if action, _, _ := strings.Cut(strings.Join(texts(list(s["Action"])[:1]), ""), ":"); action != "" {
		add(path+".Action", s, "Action", action+":*")
	}
	if s["Resource"] != nil && s["Resource"] != "*" {
		add(path+".Resource", s, "Resource", "*")
	}
	if s["Principal"] != nil && !slices.Contains(texts(s["Principal"]), "*") {
		add(path+".Principal", s, "Principal", "*")
		add(path+".Principal", s, "Principal", map[string]any{"AWS": "*"})
	}
	if s["Condition"] != nil {
		add(path+".Condition", s, "Condition", gone{})
	}
}
