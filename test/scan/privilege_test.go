package scan

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/millrace-cdk/millrace/test/trust"
)

// unscoped are the actions, of those that our templates allow, for which the service has no
// resource-level permissions: https://docs.aws.amazon.com/service-authorization/latest/reference/
var unscoped = map[string]bool{
	"ec2:DescribeNetworkInterfaces":    true,
	"ec2:DescribeSubnets":              true,
	"ec2:DescribeVpcs":                 true,
	"ec2:DescribeSecurityGroups":       true,
	"kinesis:ListStreams":              true,
	"secretsmanager:GetRandomPassword": true,
}

// privileges is what the templates' policies allow too much of:
//
//   - Privilege-Action: an action with a wildcard
//   - Privilege-Resource[ACTION]: every resource, of an action that can be allowed on one
//   - Privilege-PassRole: passing a role to any service
//   - Privilege-Deputy[SERVICE]: a service that may act for anybody's resource
//   - Privilege-Principal: anybody, without a condition
func privileges(templates []template) []finding {
	var all []finding
	for _, one := range templates {
		for id, r := range one.resources {
			for _, rule := range r.privileges() {
				all = append(all, finding{one.stack, id, rule})
			}
		}
	}
	return all
}

func (r resource) privileges() []string {
	var all []string
	add := func(rule string) {
		if !slices.Contains(all, rule) {
			all = append(all, rule)
		}
	}
	if r.Type == "AWS::Lambda::Permission" && r.Properties["SourceArn"] == nil && r.Properties["SourceAccount"] == nil {
		if service, ok := r.Properties["Principal"].(string); ok && strings.HasSuffix(service, ".amazonaws.com") {
			add("Privilege-Deputy[" + service + "]")
		}
	}
	for property, document := range documents(r.Properties) {
		// In a key's policy * is the key, and in an endpoint's or a bucket's the resource is narrowed by what it is of.
		identity := strings.HasPrefix(r.Type, "AWS::IAM::") && property != "AssumeRolePolicyDocument"
		for _, statement := range document {
			if statement["Effect"] != "Allow" {
				continue
			}
			actions := texts(statement["Action"])
			if !identity && r.Type == "AWS::KMS::Key" {
				actions = slices.DeleteFunc(actions, func(action string) bool { return action == "kms:*" })
			}
			conditioned := statement["Condition"] != nil
			for _, action := range actions {
				if strings.Contains(action, "*") {
					add("Privilege-Action")
				}
				if identity && slices.Contains(texts(statement["Resource"]), "*") && !unscoped[action] {
					add("Privilege-Resource[" + action + "]")
				}
				if action == "iam:PassRole" && !asks(statement["Condition"], "iam:PassedToService") {
					add("Privilege-PassRole")
				}
			}
			for _, service := range services(statement["Principal"]) {
				if keys := trust.Asked(service); len(keys) > 0 && !asks(statement["Condition"], keys...) {
					add("Privilege-Deputy[" + service + "]")
				}
			}
			if anybody(statement["Principal"]) && !conditioned && r.Type != "AWS::EC2::VPCEndpoint" {
				add("Privilege-Principal")
			}
		}
	}
	return all
}

var documentName = regexp.MustCompile(`Policy(Document)?$`)

// documents are the statements of each policy in properties, by the property's name.
func documents(properties map[string]any) map[string][]map[string]any {
	all := map[string][]map[string]any{}
	var walk func(name string, value any)
	walk = func(name string, value any) {
		switch value := value.(type) {
		case []any:
			for _, item := range value {
				walk(name, item)
			}
		case map[string]any:
			statements, ok := value["Statement"].([]any)
			if ok && documentName.MatchString(name) {
				for _, statement := range statements {
					all[name] = append(all[name], statement.(map[string]any))
				}
				return
			}
			for key, item := range value {
				walk(key, item)
			}
		}
	}
	walk("", properties)
	return all
}

// asks says whether condition has one of the keys, whatever the operator.
func asks(condition any, keys ...string) bool {
	operators, _ := condition.(map[string]any)
	for _, operator := range operators {
		values, _ := operator.(map[string]any)
		for key := range values {
			if slices.ContainsFunc(keys, func(want string) bool { return strings.EqualFold(want, key) }) {
				return true
			}
		}
	}
	return false
}

func services(principal any) []string {
	by, _ := principal.(map[string]any)
	return texts(by["Service"])
}

func anybody(principal any) bool {
	if by, ok := principal.(map[string]any); ok {
		principal = by["AWS"]
	}
	return slices.Contains(texts(principal), "*")
}

func texts(value any) []string {
	switch value := value.(type) {
	case string:
		return []string{value}
	case []any:
		var all []string
		for _, item := range value {
			all = append(all, texts(item)...)
		}
		return all
	}
	return nil
}

func TestEachExcessIsFound(t *testing.T) {
	policy := func(statement map[string]any) resource {
		statement["Effect"] = "Allow"
		return resource{Type: "AWS::IAM::Policy", Properties: map[string]any{"PolicyDocument": map[string]any{"Statement": []any{statement}}}}
	}
	role := func(statement map[string]any) resource {
		statement["Effect"] = "Allow"
		return resource{Type: "AWS::IAM::Role", Properties: map[string]any{"AssumeRolePolicyDocument": map[string]any{"Statement": []any{statement}}}}
	}
	inline := policy(map[string]any{"Action": "s3:*", "Resource": "arn:aws:s3:::a"})
	inline = resource{Type: "AWS::IAM::Role", Properties: map[string]any{"Policies": []any{inline.Properties}}}
	account := map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": "1"}}
	flowLogs := map[string]any{"Service": "vpc-flow-logs.amazonaws.com"}

	for name, test := range map[string]struct {
		of   resource
		want []string
	}{
		"every action":                {policy(map[string]any{"Action": "*", "Resource": "arn:aws:s3:::a"}), []string{"Privilege-Action"}},
		"every action of a service":   {policy(map[string]any{"Action": []any{"kinesis:PutRecord", "s3:*"}, "Resource": "arn:aws:s3:::a"}), []string{"Privilege-Action"}},
		"every action of a kind":      {policy(map[string]any{"Action": "s3:Get*", "Resource": "arn:aws:s3:::a"}), []string{"Privilege-Action"}},
		"in a role":                   {inline, []string{"Privilege-Action"}},
		"every resource":              {policy(map[string]any{"Action": "s3:GetObject", "Resource": []any{"*"}}), []string{"Privilege-Resource[s3:GetObject]"}},
		"no narrower resource":        {policy(map[string]any{"Action": "kinesis:ListStreams", "Resource": "*"}), nil},
		"any role to any service":     {policy(map[string]any{"Action": "iam:PassRole", "Resource": "arn:aws:iam::1:role/a"}), []string{"Privilege-PassRole"}},
		"a role to one service":       {policy(map[string]any{"Action": "iam:PassRole", "Resource": "arn:aws:iam::1:role/a", "Condition": map[string]any{"StringEquals": map[string]any{"iam:PassedToService": "a"}}}), nil},
		"a deputy":                    {role(map[string]any{"Action": "sts:AssumeRole", "Principal": flowLogs}), []string{"Privilege-Deputy[vpc-flow-logs.amazonaws.com]"}},
		"a deputy of this account":    {role(map[string]any{"Action": "sts:AssumeRole", "Principal": flowLogs, "Condition": account}), nil},
		"a deputy by an external id":  {role(map[string]any{"Action": "sts:AssumeRole", "Principal": map[string]any{"Service": "firehose.amazonaws.com"}, "Condition": map[string]any{"StringEquals": map[string]any{"sts:ExternalId": "1"}}}), nil},
		"a deputy without its id":     {role(map[string]any{"Action": "sts:AssumeRole", "Principal": map[string]any{"Service": "firehose.amazonaws.com"}, "Condition": account}), []string{"Privilege-Deputy[firehose.amazonaws.com]"}},
		"a deputy that cannot say":    {role(map[string]any{"Action": "sts:AssumeRole", "Principal": map[string]any{"Service": "lambda.amazonaws.com"}}), nil},
		"a deputy that nobody knows":  {role(map[string]any{"Action": "sts:AssumeRole", "Principal": map[string]any{"Service": "new.amazonaws.com"}}), []string{"Privilege-Deputy[new.amazonaws.com]"}},
		"anybody":                     {role(map[string]any{"Action": "sts:AssumeRole", "Principal": "*"}), []string{"Privilege-Principal"}},
		"an invocation by anybody's":  {resource{Type: "AWS::Lambda::Permission", Properties: map[string]any{"Principal": "s3.amazonaws.com"}}, []string{"Privilege-Deputy[s3.amazonaws.com]"}},
		"an invocation by one bucket": {resource{Type: "AWS::Lambda::Permission", Properties: map[string]any{"Principal": "s3.amazonaws.com", "SourceArn": "a"}}, nil},
	} {
		t.Run(name, func(t *testing.T) { assert.Equal(t, test.want, test.of.privileges()) })
	}
}
