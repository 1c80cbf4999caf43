package ingest_test

import (
	"testing"

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
	for _, bad := range []string{"events", "/", "/a/", "//a", "/a b", "/{stream}", "/{proxy+}", "/a$x", `/a"`, "/ä", "/a/../{b}", "/#set", "/a\n", "/ping"} {
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
