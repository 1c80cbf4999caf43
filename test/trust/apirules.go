package trust

import (
	"regexp"
	"slices"
	"strings"

	"github.com/millrace-cdk/millrace/internal/cfn"
)

func apiRules() []Rule {
	return []Rule{
		{"every method asks who is there and what comes", each(method, methodType)},
		{"requests are validated in body and parameters", each(validator, "AWS::ApiGateway::RequestValidator")},
		{"models ask for objects, and bound their arrays", each(model, "AWS::ApiGateway::Model")},
		{"every stage is limited, traced and logged without bodies", each(stage, stageType)},
		{"every stage is behind a web ACL that logs", each(webACL, stageType)},
		{"every web ACL blocks, and keeps secrets out of its log", each(blocks, "AWS::WAFv2::WebACL")},
		{"clients' plans are limited", each(plan, "AWS::ApiGateway::UsagePlan")},
		{"domains take TLS 1.2 or later", each(domain, "AWS::ApiGateway::DomainName")},
	}
}

// write is what a method may have Kinesis do; fromClient is what a client chooses.
var (
	write      = regexp.MustCompile(`:kinesis:action/PutRecords?$`)
	fromClient = regexp.MustCompile(`\$input|\$util|\$context|\$event|#`)
	streamName = regexp.MustCompile(`"StreamName"\s*:\s*"([^"]*)"`)
)

func method(a *App, r Resource, say func(string, ...any)) {
	integration := r.Get("Integration")
	if cfn.At(integration, "PassthroughBehavior") != "NEVER" {
		say("bodies without a template are passed through")
	}
	if cfn.At(integration, "Type") == "MOCK" {
		return // answers by itself: health, and the preflight of CORS
	}
	key := r.Get("ApiKeyRequired") == true
	switch auth := text(r.Get("AuthorizationType")); {
	case auth == "AWS_IAM" || (auth == "CUSTOM" || auth == "COGNITO_USER_POOLS") && r.Get("AuthorizerId") != nil:
	case auth == "NONE" && key && !a.Kept: // a key is no proof of who is there, which is enough for what may be thrown away
	default:
		say("it asks for %q, key %t", auth, key)
	}
	if r.Get("RequestValidatorId") == nil || r.Get("RequestModels") == nil {
		say("it takes any body")
	}
	if len(a.references(r.Stack, cfn.At(integration, "Credentials"))) != 1 {
		say("it has no role of its own")
	}
	if uri := a.render(r.Stack, cfn.At(integration, "Uri")); !write.MatchString(uri) {
		say("it calls %s", uri)
	}
	for _, template := range object(cfn.At(integration, "RequestTemplates")) {
		name := streamName.FindStringSubmatch(a.render(r.Stack, template))
		if name == nil || fromClient.MatchString(name[1]) || name[1] == "" {
			say("the client chooses the stream")
		}
	}
}

func validator(_ *App, r Resource, say func(string, ...any)) {
	if r.Get("ValidateRequestBody") != true || r.Get("ValidateRequestParameters") != true {
		say("it lets through what is not looked at")
	}
}

func model(_ *App, r Resource, say func(string, ...any)) {
	if r.Get("Schema", "type") != "object" {
		say("it takes what is no object")
	}
	for name, property := range object(r.Get("Schema", "properties")) {
		// Kinesis takes 500 records in one call of PutRecords.
		if most := cfn.Number(cfn.At(property, "maxItems")); cfn.At(property, "type") == "array" && (most < 1 || most > 500) {
			say("%s may have any number of items", name)
		}
	}
}

func stage(_ *App, r Resource, say func(string, ...any)) {
	all := false
	for _, s := range list(r.Get("MethodSettings")) {
		all = all || cfn.At(s, "ResourcePath") == "/*" && cfn.At(s, "HttpMethod") == "*"
		if cfn.At(s, "DataTraceEnabled") != false {
			say("bodies are logged")
		}
		if level := cfn.At(s, "LoggingLevel"); level != "ERROR" && level != "INFO" {
			say("errors are not logged")
		}
		if cfn.At(s, "MetricsEnabled") != true {
			say("methods are not measured")
		}
		if cfn.Number(cfn.At(s, "ThrottlingRateLimit")) <= 0 || cfn.Number(cfn.At(s, "ThrottlingBurstLimit")) <= 0 {
			say("a method has no limit of its own")
		}
	}
	if !all {
		say("not every method has settings")
	}
	if r.Get("TracingEnabled") != true {
		say("requests are not traced")
	}
	format := text(r.Get("AccessLogSetting", "Format"))
	if r.Get("AccessLogSetting", "DestinationArn") == nil || !strings.Contains(format, "$context.requestId") || !strings.Contains(format, "$context.identity.sourceIp") {
		say("nobody can see who came")
	}
	if strings.Contains(format, "$context.identity.apiKey\"") || strings.Contains(format, "$input") {
		say("its access log has keys or bodies")
	}
}

func webACL(a *App, r Resource, say func(string, ...any)) {
	if !a.Kept {
		return
	}
	for _, association := range a.Resources("AWS::WAFv2::WebACLAssociation") {
		if !a.refers(association.Stack, association.Get("ResourceArn"), r) {
			continue
		}
		for _, acl := range a.references(association.Stack, association.Get("WebACLArn")) {
			if !slices.ContainsFunc(a.Resources("AWS::WAFv2::LoggingConfiguration"), func(log Resource) bool {
				return a.refers(log.Stack, log.Get("ResourceArn"), acl) && len(list(log.Get("LogDestinationConfigs"))) > 0
			}) {
				say("its web ACL logs nothing")
			}
			return
		}
	}
	say("it has no web ACL")
}

func blocks(_ *App, r Resource, say func(string, ...any)) {
	wanted := []string{"RateByAddress", "MaxBodySize", "AWSManagedRulesKnownBadInputsRuleSet", "AWSManagedRulesCommonRuleSet", "AWSManagedRulesAmazonIpReputationList"}
	for _, rule := range list(r.Get("Rules")) {
		name := text(cfn.At(rule, "Name"))
		blocking := cfn.At(rule, "Action", "Block") != nil || cfn.At(rule, "OverrideAction", "None") != nil
		if !blocking {
			say("%s does not block", name)
		}
		if i := slices.Index(wanted, name); i >= 0 {
			wanted = slices.Delete(wanted, i, i+1)
		}
		if cfn.At(rule, "VisibilityConfig", "CloudWatchMetricsEnabled") != true {
			say("%s is not measured", name)
		}
		// A sampled request is shown with its headers, the key among them, unless they are protected below.
	}
	for _, name := range wanted {
		say("it has no %s", name)
	}
	hidden := texts(r.Get("DataProtectionConfig"))
	for _, field := range []string{"BODY", "authorization", "x-api-key", "cookie", "x-amz-security-token"} {
		if !slices.Contains(hidden, field) {
			say("its log has %s", field)
		}
	}
}

func plan(_ *App, r Resource, say func(string, ...any)) {
	if cfn.Number(r.Get("Throttle", "RateLimit")) <= 0 || cfn.Number(r.Get("Throttle", "BurstLimit")) <= 0 {
		say("it has no limit")
	}
}

func domain(_ *App, r Resource, say func(string, ...any)) {
	if policy := text(r.Get("SecurityPolicy")); policy == "" || policy == "TLS_1_0" {
		say("its policy is %q", policy)
	}
}
