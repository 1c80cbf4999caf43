package ingest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awswafv2"
	"github.com/aws/jsii-runtime-go"
)

// wafInspects is how many bytes of a body WAF sees behind API Gateway. It can be raised to
// 64 KB for a price by request, for rules on bodies that only count here.
// https://docs.aws.amazon.com/waf/latest/developerguide/web-acl-setting-body-inspection-limit.html
const wafInspects = 16 << 10

// managedGroup is a group of rules that AWS writes, and those of them that count only.
// WAF silently ignores a name that its group does not have.
// https://docs.aws.amazon.com/waf/latest/developerguide/aws-managed-rule-groups-baseline.html
type managedGroup struct {
	name    string
	counted []string
}

// managedGroups block by address, header, path and query. Rules on bodies count: a body is
// data that nothing here executes, an event may well hold a URL, a path or a piece of
// HTML, and batches are larger than 8 KB. That holds for known bad inputs too: who visits
// a client's pages with an exploit for a user agent would, with one event, have a batch of 500
// refused for good. A count is a metric and a line in the WAF's log.
func managedGroups() []managedGroup {
	return []managedGroup{
		{name: "AWSManagedRulesAmazonIpReputationList"},
		{name: "AWSManagedRulesKnownBadInputsRuleSet", counted: []string{
			"JavaDeserializationRCE_BODY", "Log4JRCE_BODY", "ReactJSRCE_BODY",
		}},
		{name: "AWSManagedRulesCommonRuleSet", counted: []string{
			"SizeRestrictions_BODY", "CrossSiteScripting_BODY", "GenericLFI_BODY", "GenericRFI_BODY", "EC2MetaDataSSRF_BODY",
			// A device's HTTP client often names itself not at all.
			"NoUserAgent_HEADER",
		}},
	}
}

// wafRules are in the order in which WAF asks them: the cheap ones first.
func (p *IngestApiProps) wafRules() []any {
	rules := []any{p.maxBodyRule(), p.rateRule()}
	for _, group := range managedGroups() {
		rules = append(rules, group.rule())
	}
	for i, rule := range rules {
		rule.(*awswafv2.CfnWebACL_RuleProperty).Priority = jsii.Number(i)
	}
	return rules
}

// The keys of the custom response bodies.
const (
	wafTooLarge  = "TooLarge"
	wafThrottled = "Throttled"
)

// wafFailures are the errors that WAF answers with in place of a gateway response. What a managed
// group blocks gets the gateway response WAF_FILTERED.
// https://docs.aws.amazon.com/waf/latest/developerguide/customizing-the-response-for-blocked-requests.html
func (p *IngestApiProps) wafFailures() map[string]Failure {
	if p.Waf == nil {
		return nil
	}
	return map[string]Failure{
		wafTooLarge: {"413", "too_large", fmt.Sprintf("A request may have up to %d bytes, which it says in the header Content-Length. "+
			"Send smaller events, or fewer in a batch; nothing of this request was stored.", p.wafMaxBody()), 0},
		// A rate-based rule looks at its five minutes every few seconds.
		wafThrottled: {"429", "throttled", "More is coming from this address than the API takes. " +
			"Wait for the seconds in Retry-After, then send the same request again.", 60},
	}
}

func (p *IngestApiProps) wafMaxBody() int {
	if bytes, known := sizeInBytes(p.Waf.MaxBodySize); known {
		return int(bytes)
	}
	return DefaultWafMaxBodySize
}

// wafBodies have the shape of every error, but for the request id: they are constants.
func (p *IngestApiProps) wafBodies() map[string]any {
	bodies := map[string]any{}
	for key, failure := range p.wafFailures() {
		bodies[key] = &awswafv2.CfnWebACL_CustomResponseBodyProperty{
			ContentType: jsii.String("APPLICATION_JSON"),
			Content:     jsii.String(strings.ReplaceAll(failure.Body(), "$context.requestId", "")),
		}
	}
	return bodies
}

// wafBlock answers with one of wafFailures.
func (p *IngestApiProps) wafBlock(key string) *awswafv2.CfnWebACL_RuleActionProperty {
	failure := p.wafFailures()[key]
	status, err := strconv.Atoi(failure.Status)
	if err != nil {
		panic(err) // the statuses above are numbers
	}
	response := &awswafv2.CfnWebACL_CustomResponseProperty{ResponseCode: jsii.Number(status), CustomResponseBodyKey: &key}
	headers := p.corsHeaders()
	if failure.RetryAfter > 0 {
		headers = maps.Clone(headers)
		if headers == nil {
			headers = map[string]string{}
		}
		headers["Retry-After"] = strconv.Itoa(failure.RetryAfter)
	}
	var list []any
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		list = append(list, &awswafv2.CfnWebACL_CustomHTTPHeaderProperty{Name: &name, Value: jsii.String(headers[name])})
	}
	if list != nil {
		response.ResponseHeaders = list
	}
	return &awswafv2.CfnWebACL_RuleActionProperty{Block: &awswafv2.CfnWebACL_BlockActionProperty{CustomResponse: response}}
}

// maxBodyRule blocks bodies over the limit by their Content-Length, since WAF itself sees the
// first 16 KB only: a pattern that numbers above limit match. A body without the header is
// blocked as soon as it is larger than what WAF sees.
func (p *IngestApiProps) maxBodyRule() *awswafv2.CfnWebACL_RuleProperty {
	limit := p.wafMaxBody()
	contentLength := func(pattern string) *awswafv2.CfnWebACL_StatementProperty {
		return &awswafv2.CfnWebACL_StatementProperty{RegexMatchStatement: &awswafv2.CfnWebACL_RegexMatchStatementProperty{
			FieldToMatch: &awswafv2.CfnWebACL_FieldToMatchProperty{
				SingleHeader: map[string]string{"Name": "content-length"}, // CDK has it as bare JSON
			},
			RegexString:         &pattern,
			TextTransformations: untransformed(),
		}}
	}
	beyondSight := &awswafv2.CfnWebACL_StatementProperty{SizeConstraintStatement: &awswafv2.CfnWebACL_SizeConstraintStatementProperty{
		FieldToMatch:        &awswafv2.CfnWebACL_FieldToMatchProperty{Body: &awswafv2.CfnWebACL_BodyProperty{OversizeHandling: jsii.String("MATCH")}},
		ComparisonOperator:  jsii.String("GT"),
		Size:                jsii.Number(min(limit, wafInspects)),
		TextTransformations: untransformed(),
	}}
	unsaid := &awswafv2.CfnWebACL_StatementProperty{NotStatement: &awswafv2.CfnWebACL_NotStatementProperty{Statement: contentLength("^[0-9]+$")}}
	return &awswafv2.CfnWebACL_RuleProperty{
		Name: jsii.String("MaxBodySize"),
		Statement: &awswafv2.CfnWebACL_StatementProperty{OrStatement: &awswafv2.CfnWebACL_OrStatementProperty{Statements: []any{
			contentLength(above(limit)),
			&awswafv2.CfnWebACL_StatementProperty{AndStatement: &awswafv2.CfnWebACL_AndStatementProperty{Statements: []any{beyondSight, unsaid}}},
		}}},
		Action:           p.wafBlock(wafTooLarge),
		VisibilityConfig: visibility("MaxBodySize"),
	}
}

// above is a regular expression of the decimal numbers greater than n, of those that WAF has:
// without groups that capture.
// https://docs.aws.amazon.com/waf/latest/developerguide/waf-regex-pattern-support.html
func above(n int) string {
	digits := strconv.Itoa(n)
	numbers := []string{fmt.Sprintf("[1-9][0-9]{%d,}", len(digits))}
	for i, digit := range digits {
		if digit < '9' {
			numbers = append(numbers, fmt.Sprintf("%s[%c-9][0-9]{%d}", digits[:i], digit+1, len(digits)-i-1))
		}
	}
	return "^0*(?:" + strings.Join(numbers, "|") + ")$"
}

// rateRule blocks an address while its last five minutes have more requests than the limit.
func (p *IngestApiProps) rateRule() *awswafv2.CfnWebACL_RuleProperty {
	return &awswafv2.CfnWebACL_RuleProperty{
		Name: jsii.String("RateByAddress"),
		Statement: &awswafv2.CfnWebACL_StatementProperty{RateBasedStatement: &awswafv2.CfnWebACL_RateBasedStatementProperty{
			AggregateKeyType:    jsii.String("IP"),
			Limit:               jsii.Number(cmp.Or(p.Waf.RateLimit, DefaultWafRateLimit)),
			EvaluationWindowSec: jsii.Number(300),
		}},
		Action:           p.wafBlock(wafThrottled),
		VisibilityConfig: visibility("RateByAddress"),
	}
}

func (g managedGroup) rule() *awswafv2.CfnWebACL_RuleProperty {
	statement := &awswafv2.CfnWebACL_ManagedRuleGroupStatementProperty{
		VendorName: jsii.String("AWS"),
		Name:       &g.name,
	}
	var overrides []any
	for _, rule := range g.counted {
		overrides = append(overrides, &awswafv2.CfnWebACL_RuleActionOverrideProperty{
			Name:        jsii.String(rule),
			ActionToUse: &awswafv2.CfnWebACL_RuleActionProperty{Count: &awswafv2.CfnWebACL_CountActionProperty{}},
		})
	}
	if overrides != nil {
		statement.RuleActionOverrides = overrides
	}
	return &awswafv2.CfnWebACL_RuleProperty{
		Name:             &g.name,
		Statement:        &awswafv2.CfnWebACL_StatementProperty{ManagedRuleGroupStatement: statement},
		OverrideAction:   &awswafv2.CfnWebACL_OverrideActionProperty{None: map[string]any{}},
		VisibilityConfig: visibility(g.name),
	}
}

func untransformed() []any {
	return []any{&awswafv2.CfnWebACL_TextTransformationProperty{Priority: jsii.Number(0), Type: jsii.String("NONE")}}
}
