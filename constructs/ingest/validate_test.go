package ingest_test

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"

	"github.com/millrace-cdk/millrace/constructs/ingest"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestAnythingInARouteThatATemplateCouldReadIsRefused(t *testing.T) {
	route := func(change func(*ingest.Route)) *ingest.IngestApiProps {
		r := ingest.Route{Path: "/a"}
		change(&r)
		return &ingest.IngestApiProps{Routes: []ingest.Route{r}}
	}
	for _, bad := range []string{
		"events", "/", "/a/", "//a", "/a b", "/{stream}", "/{proxy+}", "/a$x", `/a"`, "/ä", "/a/../{b}", "/#set", "/a\n", "/ping",
		"/.", "/..", "/a/.", "/a/../b", "/Default", "/a/Default", "/a/POST", "/OPTIONS/a", "/a/Resource", "/Validator", "/Validator/a", "/THROTTLED", "/DEFAULT_4XX", "/UsagePlan", "/DeploymentStage.live",
	} {
		for _, props := range []*ingest.IngestApiProps{
			route(func(r *ingest.Route) { r.Path, r.SkipBatch = bad, true }),
			route(func(r *ingest.Route) { r.BatchPath = bad }),
			{HealthPath: bad},
		} {
			assert.ErrorContains(t, props.Validate(), "path must", bad)
		}
	}
	for _, bad := range []string{"device_id", "$", "$.", "$..id", "$.a[0]", "$['a']", "$.a-b", "$.0", "$.a.*", "$.a b", "$.a\")#end", "$.a$b", "$.ä", "$.a\n", "$.events[?(@.x)]"} {
		for _, props := range []*ingest.IngestApiProps{
			route(func(r *ingest.Route) { r.PartitionKey.JSONPath = bad }),
			route(func(r *ingest.Route) { r.ExplicitHashKey.JSONPath = bad }),
		} {
			assert.ErrorContains(t, props.Validate(), "key's JSON path must be like $.device_id", bad)
		}
	}
	for _, bad := range []string{"X Device", "X:Device", `X"`, "X'", "X$x", "X#if", "X\n", "ü", "Authorization", "x-api-key", "Cookie"} {
		for _, props := range []*ingest.IngestApiProps{
			route(func(r *ingest.Route) { r.PartitionKey.Header = bad }),
			route(func(r *ingest.Route) { r.ExplicitHashKey.Header = bad }),
		} {
			assert.ErrorContains(t, props.Validate(), "key's header must", bad)
		}
	}
}

func TestEveryTroubleOfEveryRouteIsReported(t *testing.T) {
	err := (&ingest.IngestApiProps{HealthPath: "/b", Routes: []ingest.Route{
		{Path: "/a", BatchPath: "/b", RateLimit: -1},
		{Path: "/a", SkipBatch: true, BatchPath: "/c", BurstLimit: -2},
		{Path: "/a/batch", SkipBatch: true, Stream: theirStream(cdktest.NewStack(), "a")},
	}}).Validate()
	for _, want := range []string{
		`route 0 ("/a"): stream is required: give the route one, or the API`,
		`route 0 ("/a"): rate limit must be at least 1 request a second, or 0 for the API's, got -1`,
		`route 1 ("/a"): stream is required`,
		`route 1 ("/a"): path must be no other's, got "/a" twice`,
		`route 1 ("/a"): batch path must be left out where batches are skipped, got "/c"`,
		`route 1 ("/a"): burst limit must be at least 1 request, or 0 for the API's, got -2`,
		`health path must be no other's, got "/b" twice`,
	} {
		assert.ErrorContains(t, err, want)
	}
	assert.NotContains(t, err.Error(), "route 2")
}

func TestEachRoutesOwnStreamIsEnough(t *testing.T) {
	stack := cdktest.NewStack()
	assert.NoError(t, (&ingest.IngestApiProps{Routes: []ingest.Route{{Path: "/a", Stream: theirStream(stack, "a")}}}).Validate())
}

func TestWhatIsNoIdOfAConstructIsAPath(t *testing.T) {
	var routes []ingest.Route
	for _, path := range []string{"/a", "/default", "/a/Validator", "/Deployment", "/Endpoint", "/Account", "/CloudWatchRole", "/PUT", "/...", "/Model", "/Alarm"} {
		routes = append(routes, ingest.Route{Path: path})
	}
	stack, _ := newAPI(ingest.IngestApiProps{Routes: routes, HealthPath: "/health"})
	assert.Len(t, find[method](t, stack, "AWS::ApiGateway::Method"), 2*len(routes)+1)
}

func TestAHealthPathIsNoneOfTheDefaultRoutes(t *testing.T) {
	props := ingest.IngestApiProps{Stream: theirStream(cdktest.NewStack(), "a"), HealthPath: "/events/batch"}
	assert.EqualError(t, props.Validate(), `health path must be no other's, got "/events/batch" twice`)
}

func TestAStreamOfAnotherAccountOrRegionIsRefused(t *testing.T) {
	stackIn := func(account, region string) awscdk.Stack {
		props := &awscdk.StackProps{}
		if account != "" {
			props.Env = &awscdk.Environment{Account: &account, Region: &region}
		}
		return awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Stack"), props)
	}
	imported := func(stack awscdk.Stack, account, region string) awskinesis.IStream {
		return awskinesis.Stream_FromStreamArn(stack, jsii.String("Stream"), jsii.String("arn:aws:kinesis:"+region+":"+account+":stream/events"))
	}
	for _, foreign := range [][2]string{{"222222222222", "eu-west-1"}, {"111111111111", "eu-north-1"}} {
		stack := stackIn("111111111111", "eu-west-1")
		message := cdktest.Panics(t, func() {
			ingest.NewIngestApi(stack, "Ingest", &ingest.IngestApiProps{Stream: imported(stack, foreign[0], foreign[1])})
		})
		assert.Equal(t, "ingest: stream Stack/Stream must be in the account and region of the API, 111111111111 and eu-west-1, got "+foreign[0]+" and "+foreign[1], message)
	}
	for _, stack := range []awscdk.Stack{stackIn("111111111111", "eu-west-1"), stackIn("", "")} { // the other is known when it is deployed
		ingest.NewIngestApi(stack, "Ingest", &ingest.IngestApiProps{Stream: imported(stack, "111111111111", "eu-west-1")})
	}
}
