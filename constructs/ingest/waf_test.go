package ingest_test

import (
	"encoding/json"
	"regexp"
	"strconv"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/ingest"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

// webACL is an AWS::WAFv2::WebACL as deployed.
type webACL struct {
	Properties struct {
		Scope                string
		DefaultAction        map[string]any
		VisibilityConfig     visibility
		Rules                []wafRule
		CustomResponseBodies map[string]struct{ ContentType, Content string }
		DataProtectionConfig struct {
			DataProtections []struct {
				Action string
				Field  struct {
					FieldType string
					FieldKeys []string
				}
			}
		}
	}
}

type visibility struct {
	CloudWatchMetricsEnabled, SampledRequestsEnabled bool
	MetricName                                       string
}

type wafRule struct {
	Name     string
	Priority int
	Action   *struct {
		Block struct {
			CustomResponse struct {
				ResponseCode          int
				CustomResponseBodyKey string
				ResponseHeaders       []struct{ Name, Value string }
			}
		}
	}
	OverrideAction   map[string]any
	VisibilityConfig visibility
	Statement        struct {
		ManagedRuleGroupStatement *struct {
			VendorName, Name    string
			RuleActionOverrides []struct {
				Name        string
				ActionToUse map[string]any
			}
		}
		RateBasedStatement *struct {
			AggregateKeyType    string
			Limit               int
			EvaluationWindowSec int
		}
		OrStatement json.RawMessage
	}
}

// acl returns the web ACL of an API with waf, its rules by name.
func acl(t *testing.T, waf ingest.Waf) (awscdk.Stack, webACL, map[string]wafRule) {
	t.Helper()
	stack, api := newAPI(ingest.IngestApiProps{Waf: &waf})
	require.NotNil(t, api.WebAcl)
	deployed := only[webACL](t, stack, "AWS::WAFv2::WebACL")
	rules := map[string]wafRule{}
	for _, rule := range deployed.Properties.Rules {
		rules[rule.Name] = rule
	}
	return stack, deployed, rules
}

func TestTheWebACLStandsBeforeTheStageAndMeasuresEveryRule(t *testing.T) {
	stack, deployed, rules := acl(t, ingest.Waf{})

	assert.Equal(t, "REGIONAL", deployed.Properties.Scope)
	assert.Equal(t, map[string]any{"Allow": map[string]any{}}, deployed.Properties.DefaultAction)
	assert.Len(t, rules, 5)
	for i, rule := range deployed.Properties.Rules {
		assert.Equal(t, i, rule.Priority)
		assert.Equal(t, visibility{CloudWatchMetricsEnabled: true, SampledRequestsEnabled: true, MetricName: rule.Name}, rule.VisibilityConfig)
	}
	assert.True(t, deployed.Properties.VisibilityConfig.CloudWatchMetricsEnabled)
	assert.NotEmpty(t, deployed.Properties.VisibilityConfig.MetricName)

	association := only[struct {
		Properties struct{ ResourceArn, WebACLArn any }
	}](t, stack, "AWS::WAFv2::WebACLAssociation")
	arn, err := json.Marshal(association.Properties.ResourceArn)
	require.NoError(t, err)
	assert.Contains(t, string(arn), ":apigateway:")
	assert.Contains(t, string(arn), "/stages/")
	assert.NotEmpty(t, association.Properties.WebACLArn)
}

func TestAnAPIWithoutWafHasNoWebACL(t *testing.T) {
	stack, api := newAPI(ingest.IngestApiProps{})
	assert.Nil(t, api.WebAcl)
	assert.Empty(t, find[any](t, stack, "AWS::WAFv2::WebACL"))
	assert.Empty(t, find[any](t, stack, "AWS::WAFv2::LoggingConfiguration"))
}

// WAF ignores an override whose rule its group does not have, so each name is spelled here a second time.
func TestTheManagedGroupsBlockExceptByWhatBodiesHold(t *testing.T) {
	_, _, rules := acl(t, ingest.Waf{})
	for group, counted := range map[string][]string{
		"AWSManagedRulesAmazonIpReputationList": nil,
		"AWSManagedRulesKnownBadInputsRuleSet":  {"JavaDeserializationRCE_BODY", "Log4JRCE_BODY", "ReactJSRCE_BODY"},
		"AWSManagedRulesCommonRuleSet": {
			"SizeRestrictions_BODY", "CrossSiteScripting_BODY", "GenericLFI_BODY", "GenericRFI_BODY", "EC2MetaDataSSRF_BODY", "NoUserAgent_HEADER",
		},
	} {
		rule := rules[group]
		require.NotNil(t, rule.Statement.ManagedRuleGroupStatement, group)
		assert.Equal(t, "AWS", rule.Statement.ManagedRuleGroupStatement.VendorName)
		assert.Equal(t, group, rule.Statement.ManagedRuleGroupStatement.Name)
		assert.Equal(t, map[string]any{"None": map[string]any{}}, rule.OverrideAction, "the group's own actions hold")
		var overridden []string
		for _, override := range rule.Statement.ManagedRuleGroupStatement.RuleActionOverrides {
			overridden = append(overridden, override.Name)
			assert.Equal(t, map[string]any{"Count": map[string]any{}}, override.ActionToUse, override.Name)
		}
		assert.Equal(t, counted, overridden)
	}
}

func TestAnAddressIsHeldToItsRate(t *testing.T) {
	for limit, waf := range map[int]ingest.Waf{ingest.DefaultWafRateLimit: {}, 500: {RateLimit: 500}} {
		_, deployed, rules := acl(t, waf)
		rate := rules["RateByAddress"]
		require.NotNil(t, rate.Statement.RateBasedStatement)
		assert.Equal(t, "IP", rate.Statement.RateBasedStatement.AggregateKeyType)
		assert.Equal(t, limit, rate.Statement.RateBasedStatement.Limit)
		assert.Equal(t, 300, rate.Statement.RateBasedStatement.EvaluationWindowSec)
		response := rate.Action.Block.CustomResponse
		assert.Equal(t, 429, response.ResponseCode)
		require.Len(t, response.ResponseHeaders, 1)
		assert.Equal(t, "Retry-After", response.ResponseHeaders[0].Name)
		assert.Equal(t, "throttled", errorCode(t, deployed, response.CustomResponseBodyKey))
	}
}

// errorCode reads a custom response body, which has the shape of every error.
func errorCode(t *testing.T, deployed webACL, key string) string {
	t.Helper()
	body := deployed.Properties.CustomResponseBodies[key]
	assert.Equal(t, "APPLICATION_JSON", body.ContentType)
	var parsed struct{ Error map[string]string }
	require.NoError(t, json.Unmarshal([]byte(body.Content), &parsed))
	assert.Len(t, parsed.Error, 3)
	assert.NotEmpty(t, parsed.Error["message"])
	assert.Empty(t, parsed.Error["request_id"], "WAF would not fill in a variable")
	return parsed.Error["code"]
}

// sizeStatement is MaxBodySize's.
type sizeStatement struct {
	Statements []struct {
		RegexMatchStatement *struct {
			RegexString  string
			FieldToMatch struct{ SingleHeader struct{ Name string } }
		}
		AndStatement *struct {
			Statements []struct {
				SizeConstraintStatement *struct {
					ComparisonOperator string
					Size               int
					FieldToMatch       struct {
						Body struct{ OversizeHandling string }
					}
				}
				NotStatement *struct {
					Statement struct {
						RegexMatchStatement struct {
							RegexString  string
							FieldToMatch struct{ SingleHeader struct{ Name string } }
						}
					}
				}
			}
		}
	}
}

func TestABodyIsHeldToItsSize(t *testing.T) {
	for limit, waf := range map[int]ingest.Waf{
		ingest.DefaultWafMaxBodySize: {},
		1:                            {MaxBodySize: awscdk.Size_Bytes(jsii.Number(1))},
		999:                          {MaxBodySize: awscdk.Size_Bytes(jsii.Number(999))},
		1000:                         {MaxBodySize: awscdk.Size_Bytes(jsii.Number(1000))},
		8192:                         {MaxBodySize: awscdk.Size_Kibibytes(jsii.Number(8))},
		65536:                        {MaxBodySize: awscdk.Size_Kibibytes(jsii.Number(64))},
	} {
		t.Run(strconv.Itoa(limit), func(t *testing.T) {
			_, deployed, rules := acl(t, waf)
			response := rules["MaxBodySize"].Action.Block.CustomResponse
			assert.Equal(t, 413, response.ResponseCode)
			assert.Equal(t, "too_large", errorCode(t, deployed, response.CustomResponseBodyKey))

			var or sizeStatement
			require.NoError(t, json.Unmarshal(rules["MaxBodySize"].Statement.OrStatement, &or))
			require.Len(t, or.Statements, 2)
			length := or.Statements[0].RegexMatchStatement
			assert.Equal(t, "content-length", length.FieldToMatch.SingleHeader.Name)
			assert.LessOrEqual(t, len(length.RegexString), 512, "WAF's limit of a pattern")
			above := regexp.MustCompile(length.RegexString)
			for n := max(0, limit-3000); n < limit+3000; n++ {
				require.Equal(t, n > limit, above.MatchString(strconv.Itoa(n)), "%d by %s", n, above)
			}
			for exponent, n := 0, 1; exponent < 15; exponent, n = exponent+1, n*10 {
				for _, near := range []int{n - 1, n, n + 1} {
					assert.Equal(t, near > limit, above.MatchString(strconv.Itoa(near)), "%d by %s", near, above)
					assert.Equal(t, near > limit, above.MatchString("00"+strconv.Itoa(near)), "00%d by %s", near, above)
				}
			}

			unsaid := or.Statements[1].AndStatement.Statements
			require.Len(t, unsaid, 2)
			assert.Equal(t, "GT", unsaid[0].SizeConstraintStatement.ComparisonOperator)
			assert.Equal(t, min(limit, 16384), unsaid[0].SizeConstraintStatement.Size)
			assert.Equal(t, "MATCH", unsaid[0].SizeConstraintStatement.FieldToMatch.Body.OversizeHandling, "WAF sees the first 16 KB only")
			assert.Equal(t, "content-length", unsaid[1].NotStatement.Statement.RegexMatchStatement.FieldToMatch.SingleHeader.Name)
			assert.Equal(t, "^[0-9]+$", unsaid[1].NotStatement.Statement.RegexMatchStatement.RegexString)
		})
	}
}

func TestPagesOfTheOriginMayReadWhatTheWafAnswers(t *testing.T) {
	stack, _ := newAPI(ingest.IngestApiProps{Waf: &ingest.Waf{}, Cors: &awsapigateway.CorsOptions{AllowOrigins: jsii.Strings("https://app.example.com")}})
	for _, rule := range only[webACL](t, stack, "AWS::WAFv2::WebACL").Properties.Rules[:2] {
		headers := map[string]string{}
		for _, header := range rule.Action.Block.CustomResponse.ResponseHeaders {
			headers[header.Name] = header.Value
		}
		assert.Equal(t, "https://app.example.com", headers["Access-Control-Allow-Origin"], rule.Name)
	}
}

func TestTheWafsLogHoldsWhatWasBlockedOrCountedAndNoSecretAndNoBody(t *testing.T) {
	stack, deployed, _ := acl(t, ingest.Waf{})
	logging := only[struct {
		Properties struct {
			LogDestinationConfigs []any
			LoggingFilter         map[string]any
		}
	}](t, stack, "AWS::WAFv2::LoggingConfiguration")
	destination, err := json.Marshal(logging.Properties.LogDestinationConfigs)
	require.NoError(t, err)
	assert.Contains(t, string(destination), ":log-group:")
	assert.NotContains(t, string(destination), ":*")
	assert.Equal(t, "DROP", logging.Properties.LoggingFilter["DefaultBehavior"])
	filter, err := json.Marshal(logging.Properties.LoggingFilter["Filters"])
	require.NoError(t, err)
	for _, kept := range []string{`"KEEP"`, `"MEETS_ANY"`, `"BLOCK"`, `"COUNT"`} {
		assert.Contains(t, string(filter), kept)
	}

	named := 0
	for _, group := range find[deletable](t, stack, "AWS::Logs::LogGroup") {
		name, err := json.Marshal(group.Properties["LogGroupName"])
		require.NoError(t, err)
		if regexp.MustCompile(`"aws-waf-logs-`).Match(name) {
			named++
		}
	}
	assert.Equal(t, 1, named, "WAF writes to groups of this prefix only")

	protected := map[string]bool{}
	for _, p := range deployed.Properties.DataProtectionConfig.DataProtections {
		assert.Equal(t, "SUBSTITUTION", p.Action)
		if p.Field.FieldType == "BODY" {
			protected["body"] = true
		}
		for _, key := range p.Field.FieldKeys {
			protected[key] = true
		}
	}
	assert.Equal(t, map[string]bool{"body": true, "authorization": true, "x-api-key": true, "cookie": true, "x-amz-security-token": true}, protected)
}

func TestTwoWebACLsInOneStackHaveMetricsOfTheirOwn(t *testing.T) {
	stack := cdktest.NewStack()
	for _, id := range []string{"One", "Two"} {
		ingest.NewIngestApi(stack, id, &ingest.IngestApiProps{Stream: theirStream(stack, "events"+id), Waf: &ingest.Waf{}})
	}
	names := map[string]bool{}
	for _, deployed := range find[webACL](t, stack, "AWS::WAFv2::WebACL") {
		names[deployed.Properties.VisibilityConfig.MetricName] = true
	}
	assert.Len(t, names, 2)
}
