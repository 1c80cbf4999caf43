package trust

import (
	"fmt"
	"slices"
	"strings"

	"github.com/millrace-cdk/millrace/internal/cfn"
)

// Reach is what a role may do.
type Reach struct{ Role, AssumedBy, Effect, Actions, Resources, Condition string }

// Reaches lists what the roles of the app may do, by role.
func Reaches(a *App) []Reach {
	var all []Reach
	for _, role := range a.Resources(roleType) {
		var by string
		for _, s := range statements(role.Get("AssumeRolePolicyDocument")) {
			by = strings.Join(texts(cfn.At(s.Principal, "Service")), ", ")
		}
		for _, policy := range a.Resources(identityType) {
			if !a.refers(policy.Stack, policy.Get("Roles"), role) {
				continue
			}
			for _, s := range statements(policy.Get("PolicyDocument")) {
				reach := Reach{Role: role.Name(), AssumedBy: by, Effect: "may", Condition: a.condition(policy.Stack, s.Condition)}
				if !s.Allow {
					reach.Effect = "may not"
				}
				reach.Actions = strings.Join(s.Actions, ", ")
				names := make([]string, 0, len(s.Resources))
				for _, resource := range s.Resources {
					names = append(names, a.render(policy.Stack, resource))
				}
				reach.Resources = strings.Join(names, ", ")
				all = append(all, reach)
			}
		}
		for _, policy := range list(role.Get("ManagedPolicyArns")) {
			all = append(all, Reach{role.Name(), by, "has", "AWS's " + a.render(role.Stack, policy), "", ""})
		}
	}
	return all
}

// render is value as a reader reads it: resources by their names.
func (a *App) render(stack string, value any) string {
	switch v := value.(type) {
	case string:
		return v
	case []any:
		all := make([]string, 0, len(v))
		for _, element := range v {
			all = append(all, a.render(stack, element))
		}
		return "[" + strings.Join(all, " ") + "]" // as fmt has a list of texts
	case map[string]any:
		if joined := list(v["Fn::Join"]); len(joined) == 2 {
			var text strings.Builder
			for _, part := range list(joined[1]) {
				text.WriteString(a.render(stack, part))
			}
			return text.String()
		}
		if of := a.references(stack, v); len(of) > 0 {
			return "${" + of[0].Name() + "}"
		}
		if name := text(v["Ref"]); name != "" {
			return "${" + name + "}"
		}
	}
	return fmt.Sprint(value)
}

// condition is the condition in one line.
func (a *App) condition(stack string, value any) string {
	var parts []string
	for operator, test := range object(value) {
		for key, want := range object(test) {
			parts = append(parts, fmt.Sprintf("%s %s %s", key, operator, a.render(stack, want)))
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, "; ")
}
