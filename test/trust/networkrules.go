package trust

import (
	"reflect"
	"slices"

	"github.com/millrace-cdk/millrace/constructs/database/reach"
	"github.com/millrace-cdk/millrace/internal/cfn"
)

func networkRules() []Rule {
	return []Rule{
		{"nobody comes in but by a group or a port that is named", each(ingress, groupType, "AWS::EC2::SecurityGroupIngress")},
		{"nothing goes out to the world", each(egress, groupType, "AWS::EC2::SecurityGroupEgress")},
		{"proxies of the database take TLS and tokens alone", each(proxy, "AWS::RDS::DBProxy")},
		{"no subnet gives public addresses", each(subnets, "AWS::EC2::Subnet")},
		{"every VPC has a flow log", each(flowLog, "AWS::EC2::VPC")},
	}
}

// block is the addresses that the rule of a security group is for, "" if it is for a group.
func block(rule any) string { return text(cfn.At(rule, "CidrIp")) + text(cfn.At(rule, "CidrIpv6")) }

// onePort says whether the rule is for one port of TCP, given as a number or by what it refers to.
func onePort(rule any) bool {
	from, to := cfn.At(rule, "FromPort"), cfn.At(rule, "ToPort")
	return cfn.At(rule, "IpProtocol") == "tcp" && (cfn.Number(from) > 0 || object(from) != nil) && reflect.DeepEqual(from, to)
}

func ingress(a *App, r Resource, say func(string, ...any)) {
	rules := list(r.Get("SecurityGroupIngress"))
	if r.Type != groupType {
		rules = []any{r.Body["Properties"]}
	}
	for _, rule := range rules {
		if len(a.references(r.Stack, cfn.At(rule, "SourceSecurityGroupId"))) != 1 {
			say("it lets in %q, and no group of the app's", block(rule))
		}
		if !onePort(rule) {
			say("it lets in more than one port of TCP")
		}
	}
}

// nowhere is where a group leads that needs a rule, since without one it leads everywhere.
const nowhere = "127.0.0.1/32"

func egress(a *App, r Resource, say func(string, ...any)) {
	rules := list(r.Get("SecurityGroupEgress"))
	if r.Type != groupType {
		rules = []any{r.Body["Properties"]}
	} else if len(rules) == 0 {
		say("a group without a rule lets everything out")
	}
	for _, rule := range rules {
		if block(rule) == nowhere {
			continue
		}
		if len(a.references(r.Stack, cfn.At(rule, "DestinationSecurityGroupId"))) != 1 {
			say("it lets out to %s by %v %v", block(rule), cfn.At(rule, "IpProtocol"), cfn.At(rule, "FromPort"))
		}
		if !onePort(rule) {
			say("it lets out to more than one port of TCP")
		}
	}
}

func proxy(_ *App, r Resource, say func(string, ...any)) {
	if r.Get("RequireTLS") != true {
		say("it does not ask for TLS")
	}
	tokens := r.Get("DefaultAuthScheme") == "IAM_AUTH"
	for _, auth := range list(r.Get("Auth")) {
		tokens = cfn.At(auth, "IAMAuth") == "REQUIRED"
	}
	if !tokens {
		say("it takes passwords")
	}
}

func subnets(_ *App, r Resource, say func(string, ...any)) {
	if r.Get("MapPublicIpOnLaunch") == true {
		say("it gives public addresses")
	}
}

func flowLog(a *App, r Resource, say func(string, ...any)) {
	if a.Emulated { // the emulator rejects flow logs
		return
	}
	if !slices.ContainsFunc(a.Resources("AWS::EC2::FlowLog"), func(log Resource) bool {
		return log.Get("TrafficType") == "ALL" && a.refers(log.Stack, log.Get("ResourceId"), r)
	}) {
		say("its traffic is not logged")
	}
}

func unreachable(a *App) []Finding {
	paths, err := reach.Paths(a.Stacks)
	if err != nil {
		return []Finding{{Text: err.Error()}}
	}
	var found []Finding
	for _, path := range paths {
		found = append(found, Finding{Text: path.String()})
	}
	return found
}
