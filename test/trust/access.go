package trust

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/millrace-cdk/millrace/internal/cfn"
)

// Statement is one of a policy document.
type Statement struct {
	Allow         bool
	Actions       []string
	Resources     []any
	Principal     any
	Anyone        bool // the principal is *
	Condition     any
	negated       bool // NotAction, NotResource, NotPrincipal
	everyResource bool
}

// statements reads a policy document.
func statements(document any) []Statement {
	var all []Statement
	for _, s := range list(cfn.At(document, "Statement")) {
		o := object(s)
		one := Statement{
			Allow: o["Effect"] == "Allow", Actions: texts(list(o["Action"])), Resources: list(o["Resource"]),
			Principal: o["Principal"], Condition: o["Condition"],
		}
		one.Anyone = slices.Contains(list(one.Principal), any("*")) || slices.Contains(list(cfn.At(one.Principal, "AWS")), any("*"))
		one.negated = o["NotAction"] != nil || o["NotResource"] != nil || o["NotPrincipal"] != nil
		one.everyResource = slices.ContainsFunc(one.Resources, func(r any) bool { return r == "*" || r == "arn*" || r == "arn:*" })
		all = append(all, one)
	}
	return all
}

func accessRules() []Rule {
	return []Rule{
		{"no role may do everything, or anything to everything", each(leastPrivilege, identityType, "AWS::IAM::ManagedPolicy", roleType)},
		{"roles are assumed by the one service that they are for", each(trusted, roleType)},
		{"no managed policy widens a role", each(managed, roleType)},
		{"resources admit nobody unknown", each(admitted, policyType, keyType, "AWS::SecretsManager::ResourcePolicy",
			"AWS::EC2::VPCEndpoint", "AWS::SQS::QueuePolicy", "AWS::SNS::TopicPolicy", "AWS::Kinesis::ResourcePolicy", apiType)},
		{"functions are invoked by who is named", each(invoked, permissionType)},
		{"the key of a secret opens nothing but the secret", each(secretsKey, identityType)},
		{"the keys of a copy open nothing but the objects that are copied", each(copies, identityType)},
		{"a function's code cannot make network interfaces", each(interfaces, identityType)},
	}
}

// withoutResources are actions that take no resource, as the Service Authorization Reference lists them, or that the
// service which assumes the role needs on all: Lambda and Firehose, which make network interfaces.
var withoutResources = regexp.MustCompile(`^(ec2:(AssignPrivateIpAddresses|CreateNetworkInterface|CreateNetworkInterfacePermission|DeleteNetworkInterface|` +
	`DescribeNetworkInterfaces|DescribeSecurityGroups|DescribeSubnets|DescribeVpcAttribute|DescribeVpcs|UnassignPrivateIpAddresses)|kinesis:ListStreams|` +
	`secretsmanager:GetRandomPassword)$`)

// wild is an action that stands for several. A few services' documents grant by a suffix of one verb.
func wild(action string) bool {
	return strings.Contains(action, "*") && action != "kms:GenerateDataKey*" && action != "kms:ReEncrypt*"
}

func leastPrivilege(_ *App, r Resource, say func(string, ...any)) {
	documents := []any{r.Get("PolicyDocument")}
	for _, inline := range list(r.Get("Policies")) {
		documents = append(documents, cfn.At(inline, "PolicyDocument"))
	}
	for _, document := range documents {
		for _, s := range statements(document) {
			if !s.Allow {
				continue
			}
			if s.negated {
				say("it allows all but something")
			}
			for _, action := range s.Actions {
				if wild(action) {
					say("it allows %s", action)
				}
				if s.everyResource && !withoutResources.MatchString(action) {
					say("it allows %s on everything", action)
				}
				if action == "iam:PassRole" && s.Condition == nil {
					say("it passes roles to any service")
				}
			}
		}
	}
}

// warehouse are the two principals of one service.
var warehouse = []string{"redshift-serverless.amazonaws.com", "redshift.amazonaws.com"}

func trusted(_ *App, r Resource, say func(string, ...any)) {
	var by []string
	for _, s := range statements(r.Get("AssumeRolePolicyDocument")) {
		services := texts(cfn.At(s.Principal, "Service"))
		by = append(by, services...)
		if s.negated || len(object(s.Principal)) != 1 || len(services) == 0 || !strings.HasSuffix(services[0], ".amazonaws.com") {
			said, _ := json.Marshal(s.Principal)
			say("it is assumed by %s", said)
		}
		if !slices.Equal(s.Actions, []string{"sts:AssumeRole"}) {
			say("its trust allows %s", s.Actions)
		}
		for _, service := range services {
			if deputy(service, s.Condition) {
				say("%s may be another account's deputy", service)
			}
		}
	}
	slices.Sort(by)
	if len(by) > 1 && !slices.Equal(by, warehouse) {
		say("it is assumed by %s", by)
	}
}

// managedPolicies are AWS's that a role may have: each for one service's own work.
var managedPolicies = regexp.MustCompile(`:iam::aws:policy/service-role/(AmazonRDSEnhancedMonitoringRole|AmazonAPIGatewayPushToCloudWatchLogs|AWSBackupServiceRolePolicyFor(S3)?Backup)$`)

func managed(_ *App, r Resource, say func(string, ...any)) {
	for _, policy := range list(r.Get("ManagedPolicyArns")) {
		if whole := strings.Join(texts(policy), ""); !managedPolicies.MatchString(whole) {
			say("it has %s", whole)
		}
	}
}

func admitted(a *App, r Resource, say func(string, ...any)) {
	documents := []any{r.Get("PolicyDocument"), r.Get("KeyPolicy"), r.Get("ResourcePolicy"), r.Get("Policy")}
	if r.Type == "AWS::EC2::VPCEndpoint" && documents[0] == nil {
		say("it has no policy: it leads to everyone's resources")
	}
	for _, s := range slices.Concat(statements(documents[0]), statements(documents[1]), statements(documents[2]), statements(documents[3])) {
		if !s.Allow {
			continue
		}
		// Of an endpoint, the policy narrows what those inside may do: everyone is admitted to one resource.
		endpoint := r.Type == "AWS::EC2::VPCEndpoint" && !s.everyResource && !slices.ContainsFunc(s.Actions, wild)
		account := cfn.At(s.Condition, "StringEquals", "aws:PrincipalAccount")
		inside := r.Type == apiType && cfn.At(s.Condition, "StringEquals", "aws:SourceVpce") != nil
		if s.negated || s.Anyone && !endpoint && !inside && account == nil {
			say("it admits everyone to %s", s.Actions)
		}
		if endpoint && account == nil && len(a.references(r.Stack, s.Resources)) > 0 {
			say("it admits other accounts to %s", s.Actions)
		}
		if cfn.At(s.Principal, "Service") != nil && cfn.At(s.Condition, "StringEquals", "aws:SourceAccount") == nil && cfn.At(s.Condition, "ArnLike", "aws:SourceArn") == nil {
			say("it admits a service for any account")
		}
		by := texts(cfn.At(s.Principal, "AWS"))
		own := strings.HasSuffix(strings.Join(by, ""), ":root") && slices.Contains(by, "AWS::AccountId")
		// CloudWatch publishes to an encrypted topic with the topic's key, on behalf of this account's alarms alone.
		publishes := cfn.At(s.Principal, "Service") == "cloudwatch.amazonaws.com" && slices.Equal(s.Actions, []string{"kms:Decrypt", "kms:GenerateDataKey"})
		if r.Type == keyType && !publishes && (!own || s.Condition == nil && !slices.Equal(s.Actions, []string{"kms:*"})) {
			say("it admits others than the account, or without a condition, to %s", s.Actions)
		}
		if (r.Type != keyType || s.Condition != nil) && slices.ContainsFunc(s.Actions, wild) {
			say("it admits to %s", s.Actions)
		}
		if s.everyResource && r.Type != keyType && !slices.ContainsFunc(s.Actions, withoutResources.MatchString) {
			say("it admits to everything: %s", s.Actions)
		}
	}
}

func invoked(_ *App, r Resource, say func(string, ...any)) {
	if r.Get("SourceArn") == nil && r.Get("SourceAccount") == nil || r.Get("Principal") == "*" {
		say("it is invoked by anybody's %v", r.Get("Principal"))
	}
	if r.Get("Action") != "lambda:InvokeFunction" {
		say("it lets %v", r.Get("Action"))
	}
}

func secretsKey(a *App, r Resource, say func(string, ...any)) {
	for _, s := range statements(r.Get("PolicyDocument")) {
		if !s.Allow || !slices.Contains(s.Actions, "kms:Decrypt") || cfn.At(s.Condition, "StringEquals", "kms:ViaService") != nil {
			continue
		}
		for _, secret := range a.Resources(secretType) {
			for _, key := range a.references(secret.Stack, secret.Get("KmsKeyId")) {
				if a.refers(r.Stack, s.Resources, key) {
					say("it decrypts by %s without Secrets Manager", key.Name())
				}
			}
		}
	}
}

// copies holds the role that S3 copies a bucket by to using keys for S3, and for the objects of one
// bucket; and, where it may use any key of a region, to the one with an alias.
func copies(a *App, r Resource, say func(string, ...any)) {
	copying := slices.ContainsFunc(a.references(r.Stack, r.Get("Roles")), func(role Resource) bool {
		return slices.ContainsFunc(a.Resources(bucketType), func(bucket Resource) bool {
			return a.refers(bucket.Stack, bucket.Get("ReplicationConfiguration", "Role"), role)
		})
	})
	if !copying {
		return
	}
	for _, s := range statements(r.Get("PolicyDocument")) {
		if !slices.ContainsFunc(s.Actions, func(action string) bool { return strings.HasPrefix(action, "kms:") }) {
			continue
		}
		if cfn.At(s.Condition, "StringEquals", "kms:ViaService") == nil || cfn.At(s.Condition, "StringLike", "kms:EncryptionContext:aws:s3:arn") == nil {
			say("%s is not for the objects of a bucket alone", s.Actions)
		}
		if strings.Contains(strings.Join(texts(s.Resources), ""), ":key/*") && cfn.At(s.Condition, "ForAnyValue:StringEquals", "kms:ResourceAliases") == nil {
			say("%s is for every key of a region", s.Actions)
		}
	}
}

// interfaces holds to the AWS Lambda Developer Guide's advice: the permissions to make
// network interfaces are the service's, and denied to the code that has the same role.
func interfaces(a *App, r Resource, say func(string, ...any)) {
	for _, s := range statements(r.Get("PolicyDocument")) {
		if !s.Allow || !slices.Contains(s.Actions, "ec2:CreateNetworkInterface") {
			continue
		}
		for _, role := range a.references(r.Stack, r.Get("Roles")) {
			if slices.Contains(texts(role.Get("AssumeRolePolicyDocument")), "lambda.amazonaws.com") && !deniedToCode(a, role, s.Actions) {
				say("the code of the functions of %s may do %s", role.Name(), s.Actions)
			}
		}
	}
}

func deniedToCode(a *App, role Resource, actions []string) bool {
	for _, p := range a.Resources(identityType) {
		if !a.refers(p.Stack, p.Get("Roles"), role) {
			continue
		}
		for _, s := range statements(p.Get("PolicyDocument")) {
			if !s.Allow && s.everyResource && cfn.At(s.Condition, "ArnEquals", "lambda:SourceFunctionArn") != nil &&
				!slices.ContainsFunc(actions, func(action string) bool { return !slices.Contains(s.Actions, action) }) {
				return true
			}
		}
	}
	return false
}
