package ingest_test

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsapigateway"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscognito"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/constructs/ingest"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestInvalidPropsAreReportedAllAtOnce(t *testing.T) {
	props := &ingest.IngestApiProps{Auth: 7, RateLimit: -1, BurstLimit: -2}

	err := props.Validate()

	require.Error(t, err)
	for _, want := range []string{"stream is required", "auth must be", "got -1", "got -2"} {
		assert.ErrorContains(t, err, want)
	}
	message := cdktest.Panics(t, func() { ingest.NewIngestApi(cdktest.NewStack(), "Ingest", props) })
	assert.Equal(t, "ingest: "+err.Error(), message)
	assert.Contains(t, cdktest.Panics(t, func() { ingest.NewIngestApi(cdktest.NewStack(), "Ingest", nil) }), "ingest: stream is required")
}

func TestEverythingAndBringYourOwnAreValid(t *testing.T) {
	stack := cdktest.NewStack()
	assert.NoError(t, everything(stack).Validate())
	assert.NoError(t, bringYourOwn(cdktest.NewStack()).Validate())
}

func TestWhatIsWrongAroundTheRoutesIsSaidInASentence(t *testing.T) {
	stack := cdktest.NewStack()
	stream := theirStream(stack, "events")
	pool, authorizer, certificate, private := theirPool(stack), theirAuthorizer(stack), certificate(stack), privateEndpoint(stack)
	regional := &awsapigateway.EndpointConfiguration{Types: &[]awsapigateway.EndpointType{awsapigateway.EndpointType_REGIONAL}, VpcEndpoints: private.VpcEndpoints}
	domain := func(change func(*awsapigateway.DomainNameOptions)) *awsapigateway.DomainNameOptions {
		d := &awsapigateway.DomainNameOptions{DomainName: jsii.String("example.com"), Certificate: certificate}
		change(d)
		return d
	}
	keys := func(clients ...ingest.Client) ingest.IngestApiProps {
		return ingest.IngestApiProps{Auth: ingest.AuthAPIKey, Clients: clients}
	}
	for want, props := range map[string]ingest.IngestApiProps{
		"auth must be AuthIAM, AuthAPIKey, AuthCognito, AuthAuthorizer or AuthNone, got 7":                                                                    {Auth: 7},
		"auth must be AuthIAM, AuthAPIKey, AuthCognito, AuthAuthorizer or AuthNone, got -1":                                                                   {Auth: -1},
		"rate limit must be at least 1 request a second, or 0 for the default, got -1":                                                                        {RateLimit: -1},
		"burst limit must be at least 1 request, or 0 for the default, got -2":                                                                                {BurstLimit: -2},
		"clients have keys, which only AuthAPIKey reads, got 1 clients under AuthIAM":                                                                         {Clients: []ingest.Client{{Name: "a"}}},
		"clients have keys, which only AuthAPIKey reads, got 1 clients under AuthNone":                                                                        {Auth: ingest.AuthNone, Clients: []ingest.Client{{Name: "a"}}},
		"user pools are required under AuthCognito: pass those whose tokens are taken":                                                                        {Auth: ingest.AuthCognito},
		"user pools are read under AuthCognito only, got 1 under AuthAPIKey":                                                                                  {Auth: ingest.AuthAPIKey, UserPools: []awscognito.IUserPool{pool}},
		"user pool 1 must be a user pool, got nil":                                                                                                            {Auth: ingest.AuthCognito, UserPools: []awscognito.IUserPool{pool, nil}},
		"authorizer is required under AuthAuthorizer: pass the one that decides":                                                                              {Auth: ingest.AuthAuthorizer},
		"authorizer is asked under AuthAuthorizer only, got one under AuthIAM":                                                                                {Authorizer: authorizer},
		"authorization scopes are of Cognito's access tokens: they need AuthCognito or an authorizer of Cognito's, got [\"a\"] under AuthIAM":                 {AuthorizationScopes: []string{"a"}},
		"authorization scopes are of Cognito's access tokens: they need AuthCognito or an authorizer of Cognito's, got [\"a\"] under AuthAuthorizer":          {Auth: ingest.AuthAuthorizer, Authorizer: authorizer, AuthorizationScopes: []string{"a"}},
		"authorization scopes must not be empty, got [\"\"]":                                                                                                  {Auth: ingest.AuthCognito, UserPools: []awscognito.IUserPool{pool}, AuthorizationScopes: []string{""}},
		"client 0 (\"a b\"): name must be 1 to 64 letters, digits, hyphens and underscores, the first a letter or digit":                                      keys(ingest.Client{Name: "a b"}),
		"client 0 (\"\"): name must be 1 to 64 letters, digits, hyphens and underscores, the first a letter or digit":                                         keys(ingest.Client{}),
		"client 1 (\"a\"): name must be one client's alone":                                                                                                   keys(ingest.Client{Name: "a"}, ingest.Client{Name: "a"}),
		"client 0 (\"a\"): rate limit must be at least 1 request a second, or 0 for the API's, got -1":                                                        keys(ingest.Client{Name: "a", RateLimit: -1}),
		"client 0 (\"a\"): burst limit must be at least 1 request, or 0 for the API's, got -1":                                                                keys(ingest.Client{Name: "a", BurstLimit: -1}),
		"client 0 (\"a\"): quota must be at least 1 request, or 0 for none, got -1":                                                                           keys(ingest.Client{Name: "a", Quota: -1}),
		"client 0 (\"a\"): quota period DAY needs a quota":                                                                                                    keys(ingest.Client{Name: "a", QuotaPeriod: awsapigateway.Period_DAY}),
		"client 0 (\"a\"): quota period must be DAY, WEEK or MONTH, got \"YEAR\"":                                                                             keys(ingest.Client{Name: "a", Quota: 1, QuotaPeriod: "YEAR"}),
		"alarm action 0 must be an action, got nil":                                                                                                           {AlarmActions: []awscloudwatch.IAlarmAction{nil}},
		"endpoint must have exactly one type: an API has one":                                                                                                 {Endpoint: &awsapigateway.EndpointConfiguration{}},
		"policy with a statement is required with a private endpoint: without one API Gateway denies every call; say which VPC or VPC endpoint may invoke it": {Endpoint: private},
		"endpoint's VPC endpoints are of a private one only, got them with REGIONAL":                                                                          {Endpoint: regional},
		"domain must have a domain name":                                                                                                                      {Domain: domain(func(d *awsapigateway.DomainNameOptions) { d.DomainName = nil })},
		"domain must have a certificate":                                                                                                                      {Domain: domain(func(d *awsapigateway.DomainNameOptions) { d.Certificate = nil })},
		"domain's security policy must be TLS_1_2 or newer, got TLS_1_0":                                                                                      {Domain: domain(func(d *awsapigateway.DomainNameOptions) { d.SecurityPolicy = awsapigateway.SecurityPolicy_TLS_1_0 })},
		"domain's mutual TLS needs a regional domain, got EDGE": {Domain: domain(func(d *awsapigateway.DomainNameOptions) {
			d.EndpointType, d.Mtls = awsapigateway.EndpointType_EDGE, &awsapigateway.MTLSConfig{}
		})},
		"domain must be left out with a private endpoint: a private API takes a private domain name (AWS::ApiGateway::DomainNameV2), which is yours to make": {Endpoint: private, Policy: anyone(), Domain: domain(func(*awsapigateway.DomainNameOptions) {})},
		"waf rate limit must be 10 to 2000000000 requests in five minutes, or 0 for the default of 30000, got 9":                                             {Waf: &ingest.Waf{RateLimit: 9}},
		"waf rate limit must be 10 to 2000000000 requests in five minutes, or 0 for the default of 30000, got -1":                                            {Waf: &ingest.Waf{RateLimit: -1}},
		"waf rate limit must be 10 to 2000000000 requests in five minutes, or 0 for the default of 30000, got 2000000001":                                    {Waf: &ingest.Waf{RateLimit: 2_000_000_001}},
		"waf maximum body size must be 1 byte to the 10 MiB that API Gateway takes, got 0 bytes":                                                             {Waf: &ingest.Waf{MaxBodySize: awscdk.Size_Bytes(jsii.Number(0))}},
		"waf maximum body size must be 1 byte to the 10 MiB that API Gateway takes, got 11534336 bytes":                                                      {Waf: &ingest.Waf{MaxBodySize: awscdk.Size_Mebibytes(jsii.Number(11))}},
		"cors must allow an origin: name it in AllowOrigins":                                                                                                 {Cors: &awsapigateway.CorsOptions{AllowOrigins: jsii.Strings()}},
		"minimum compression size must be 0 bytes to 10 MiB, got 10485761 bytes":                                                                             {MinCompressionSize: awscdk.Size_Bytes(jsii.Number(10<<20 + 1))},
	} {
		props.Stream = stream
		assert.EqualError(t, props.Validate(), want)
	}
}

func TestAnEmptyPolicyIsNoneForAPrivateEndpoint(t *testing.T) {
	stack := cdktest.NewStack()
	props := ingest.IngestApiProps{Stream: theirStream(stack, "events"), Endpoint: privateEndpoint(stack), Policy: awsiam.NewPolicyDocument(nil)}
	assert.ErrorContains(t, props.Validate(), "policy with a statement is required")
}

func TestScopesAreTakenWithAnAuthorizerOfCognitos(t *testing.T) {
	stack := cdktest.NewStack()
	pools := []awscognito.IUserPool{theirPool(stack)}
	props := ingest.IngestApiProps{
		Stream: theirStream(stack, "events"), Auth: ingest.AuthAuthorizer, AuthorizationScopes: []string{"a"},
		Authorizer: awsapigateway.NewCognitoUserPoolsAuthorizer(stack, jsii.String("Authorizer"), &awsapigateway.CognitoUserPoolsAuthorizerProps{CognitoUserPools: &pools}),
	}
	assert.NoError(t, props.Validate())
}

func TestAnAuthSaysItsName(t *testing.T) {
	assert.Equal(t, "AuthCognito", ingest.AuthCognito.String())
	assert.Equal(t, "Auth(9)", ingest.Auth(9).String())
}
