package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/cmd/millrace/check"
)

func TestARequestIsSignedForTheAPIOfTheRegion(t *testing.T) {
	request, err := http.NewRequest(http.MethodPost, "https://api.example/prod/events", strings.NewReader("{}"))
	require.NoError(t, err)
	sign := withSignature(t.Context(), aws.Config{Region: "eu-west-1", Credentials: credentials.NewStaticCredentialsProvider("AKID", "secret", "")})
	require.NoError(t, sign(request, []byte("{}")))
	assert.Regexp(t, `^AWS4-HMAC-SHA256 Credential=AKID/\d{8}/eu-west-1/execute-api/aws4_request, `, request.Header.Get("Authorization"))
}

func TestACheckIsReadableByAPersonAndByAScript(t *testing.T) {
	report := check.Report{Run: "r", Removed: 3, Steps: []check.Step{{Name: "health"}, {Name: "rows", Problem: "none"}}, Skipped: []string{"x"}}
	var text strings.Builder
	require.NoError(t, (&checkCmd{}).print(&text, report))
	assert.Equal(t, "ok   health\nFAIL rows\nskip x\ncheck: run=r removed=3\n", text.String())
	text.Reset()
	require.NoError(t, (&checkCmd{JSON: true}).print(&text, report))
	assert.JSONEq(t, `{"run":"r","removed":3,"steps":[{"name":"health"},{"name":"rows","problem":"none"}],"skipped":["x"]}`, text.String())
}
