package snapshot

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// mayDo are a row for each who, with a line for each that it may do.
func (p page) mayDo() [][]string {
	var rows [][2]string
	for _, row := range joined(p.statements(), 2) {
		line := row[1] + " on " + row[2]
		if row[3] != "" {
			line += " if " + row[3]
		}
		rows = append(rows, [2]string{row[0], line})
	}
	return stacked(rows)
}

// statements are a row for each statement of each policy, whoever holds it: a
// role, or a resource that says who may use it.
func (p page) statements() (rows [][]string) {
	document := func(who, on string, document any) {
		policy, _ := document.(map[string]any)
		statements, ok := policy["Statement"].([]any)
		if !ok && policy["Statement"] != nil {
			statements = []any{policy["Statement"]}
		}
		for _, statement := range statements {
			rows = append(rows, p.statement(who, on, statement.(map[string]any)))
		}
	}
	for _, stack := range p.stacks {
		for id, resource := range stack.Resources {
			properties := resource.Properties
			switch resource.Type {
			case "AWS::IAM::Role":
				document("", short(id), properties["AssumeRolePolicyDocument"])
				for _, arn := range p.list(properties["ManagedPolicyArns"]) {
					rows = append(rows, []string{short(id), "managed policy", code(p.text(arn)), ""})
				}
				for _, inline := range p.list(properties["Policies"]) {
					document(short(id), "", inline.(map[string]any)["PolicyDocument"])
				}
			case "AWS::IAM::Policy", "AWS::IAM::ManagedPolicy":
				holders := append(p.list(properties["Roles"]), append(p.list(properties["Users"]), p.list(properties["Groups"])...)...)
				document(p.text(holders), "", properties["PolicyDocument"])
			case "AWS::Lambda::Permission":
				rows = append(rows, []string{
					p.text(properties["Principal"]), code(p.text(properties["Action"])), code(p.text(properties["FunctionName"])),
					p.text(properties["SourceArn"]),
				})
			case "AWS::EC2::VPCEndpoint":
				first := len(rows)
				document("", short(id), properties["PolicyDocument"])
				for _, row := range rows[first:] {
					row[0] += " through " + short(id)
				}
			default:
				on := short(id)
				for _, owner := range []string{"Bucket", "SecretId", "ResourceArn"} { // a policy is a resource beside its owner
					if properties[owner] != nil {
						on = p.text(properties[owner])
					}
				}
				for _, property := range []string{"PolicyDocument", "KeyPolicy", "ResourcePolicy", "Policy", "AccessPolicies", "RepositoryPolicyText"} {
					document("", on, properties[property])
				}
			}
		}
	}
	return rows
}

// statement is a row. A policy of a resource says who in itself, and where its
// resource is `*` it means the one that it is on.
func (p page) statement(who, on string, statement map[string]any) []string {
	if principal, ok := statement["Principal"]; ok {
		who = p.principal(principal)
	} else if principal, ok := statement["NotPrincipal"]; ok {
		who = "all but " + p.principal(principal)
	}
	actions := codes(p.texts(statement["Action"]))
	if statement["Action"] == nil {
		actions = "all but " + codes(p.texts(statement["NotAction"]))
	}
	if statement["Effect"] == "Deny" {
		actions = "**Deny** " + actions
	}
	resources := p.texts(statement["Resource"])
	if statement["NotResource"] != nil {
		resources = append([]string{"all but"}, p.texts(statement["NotResource"])...)
	}
	if on != "" && (statement["Resource"] == nil || statement["Resource"] == "*") {
		resources = []string{on}
	}
	return []string{who, actions, codes(resources), p.condition(statement["Condition"])}
}

func (p page) principal(value any) string {
	kinds, ok := value.(map[string]any)
	if !ok {
		return p.text(value)
	}
	var all []string
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		all = append(all, p.texts(kinds[kind])...)
	}
	return strings.ReplaceAll(strings.Join(all, ", "), "*", "anyone")
}

func (p page) condition(value any) string {
	operators, _ := value.(map[string]any)
	var all []string
	for _, operator := range slices.Sorted(maps.Keys(operators)) {
		keys := operators[operator].(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			all = append(all, fmt.Sprintf("%s %s %s", key, operator, p.text(keys[key])))
		}
	}
	return strings.Join(all, "; ")
}

func (p page) list(value any) []any {
	list, _ := value.([]any)
	return list
}

func code(text string) string { return "`" + text + "`" }

func codes(texts []string) string {
	slices.Sort(texts)
	all := make([]string, 0, len(texts))
	for _, text := range texts {
		all = append(all, code(text))
	}
	return strings.Join(all, " ")
}
