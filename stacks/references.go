package stacks

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/cxapi"

	"github.com/millrace-cdk/millrace/internal/cfn"
)

// CheckReferences fails if a template of assembly refers to a resource that is
// not in it, which CDK itself notices only when CloudFormation does: an omitted
// resource ([Environment.Omit]) may be referred to by one that stays.
func CheckReferences(assembly cxapi.CloudAssembly) error {
	var errs []error
	for _, stack := range *assembly.StacksRecursively() {
		template, ok := stack.Template().(map[string]any)
		if !ok {
			return fmt.Errorf("reading the template of %s: it is a %T", *stack.StackName(), stack.Template())
		}
		for _, dangling := range danglingReferences(template) {
			errs = append(errs, fmt.Errorf("stack %s: %s", *stack.StackName(), dangling))
		}
	}
	return errors.Join(errs...)
}

// danglingReferences lists template's references to what it does not hold, as "where refers to what".
func danglingReferences(template map[string]any) []string {
	known := map[string]bool{}
	for _, section := range []string{"Resources", "Parameters"} {
		members, _ := template[section].(map[string]any)
		for id := range members {
			known[id] = true
		}
	}
	found := map[string]bool{}
	refer := func(where, id string) {
		if !known[id] && !strings.HasPrefix(id, "AWS::") {
			found[fmt.Sprintf("%s refers to %s, which is not in the template", where, id)] = true
		}
	}
	for _, section := range []string{"Resources", "Outputs"} {
		members, _ := template[section].(map[string]any)
		for id, member := range members {
			walkReferences(member, func(target string) { refer(id, target) })
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// substitution is a ${Name} or ${Name.Attribute} in an Fn::Sub; ${!Literal} is none.
var substitution = regexp.MustCompile(`\$\{([^!.}][^.}]*)(?:\.[^}]*)?\}`)

// walkReferences calls refer with the logical id of each reference in value:
// Ref, Fn::GetAtt, Fn::Sub and DependsOn.
func walkReferences(value any, refer func(id string)) {
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			walkReferences(item, refer)
		}
	case map[string]any:
		for key, item := range v {
			switch key {
			case "Ref", "DependsOn":
				for _, id := range cfn.Texts(item) {
					refer(id)
				}
			case "Fn::GetAtt":
				if parts := cfn.Texts(item); len(parts) > 0 {
					id, _, _ := strings.Cut(parts[0], ".")
					refer(id)
				}
			case "Fn::Sub":
				walkSubstitutions(item, refer)
			default:
				walkReferences(item, refer)
			}
		}
	}
}

// walkSubstitutions reads both forms of Fn::Sub: text, or [text, {name: value}].
func walkSubstitutions(value any, refer func(id string)) {
	text, names := value, map[string]any{}
	if pair, ok := value.([]any); ok && len(pair) == 2 {
		text = pair[0]
		names, _ = pair[1].(map[string]any)
		walkReferences(names, refer)
	}
	s, _ := text.(string)
	for _, match := range substitution.FindAllStringSubmatch(s, -1) {
		if _, own := names[match[1]]; !own {
			refer(match[1])
		}
	}
}
