package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/local/gateway/vtl"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestMain(m *testing.M) { cdktest.Main(m) }

const (
	requestID = "8cdd7db5-54b6-4f4a-9b4c-6b8e4f8a6f5e"
	template  = `{"Data":"$util.base64Encode($input.body)","PartitionKey":"$context.requestId"}`
)

// apiGateway is as much of API Gateway as Verify calls. Its one resource renders template.
func apiGateway(t *testing.T, invoke func(w http.ResponseWriter, body string)) *apigateway.Client {
	t.Helper()
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, value any) {
		w.Header().Set("Content-Type", "application/json")
		assert.NoError(t, json.NewEncoder(w).Encode(value))
	}
	mux.HandleFunc("GET /restapis/api1/resources", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"item": []any{map[string]any{"id": "r1", "path": "/plain"}}})
	})
	mux.HandleFunc("GET /restapis/api1/resources/r1/methods/POST/integration", func(w http.ResponseWriter, _ *http.Request) {
		answer(w, map[string]any{"requestTemplates": map[string]string{"application/json": template}})
	})
	mux.HandleFunc("POST /restapis/api1/resources/r1/methods/POST", func(w http.ResponseWriter, r *http.Request) {
		var asked struct{ Body string }
		assert.NoError(t, json.NewDecoder(r.Body).Decode(&asked))
		w.Header().Set("Content-Type", "application/json")
		invoke(w, asked.Body)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return apigateway.New(apigateway.Options{
		Region: "eu-west-1", BaseEndpoint: &server.URL, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("test", "test", ""),
	})
}

// rendering answers as API Gateway documents the log of an invocation to be.
func rendering(rendered string) func(http.ResponseWriter, string) {
	return func(w http.ResponseWriter, _ string) {
		const at = "Thu Apr 13 22:21:20 UTC 2023 : "
		log := "Execution log for request " + requestID + "\n" +
			at + "Starting execution for request: " + requestID + "\n" +
			at + "HTTP Method: POST, Resource Path: /plain\n" +
			at + "Method request body before transformations: {\n\"a\":1}\n" +
			at + "Endpoint request headers: {Authorization=****, X-Amz-Security-Token=secret [TRUNCATED]}\n" +
			at + "Endpoint request body after transformations: " + rendered + "\n" +
			at + "Sending request to https://kinesis.eu-west-1.amazonaws.com/?Action=PutRecord\n" +
			at + "Method completed with status: 202\n"
		_ = json.NewEncoder(w).Encode(map[string]any{"status": 202, "body": `{"accepted":1}`, "log": log})
	}
}

// toolkit stands in for the CDK CLI and notes what it is told to do.
type toolkit struct {
	commands []string
	fail     map[string]error
	then     func()
}

func (k *toolkit) run(ctx context.Context, arguments ...string) error {
	k.commands = append(k.commands, arguments[0])
	if err := errors.Join(ctx.Err(), k.fail[arguments[0]]); err != nil {
		return err
	}
	if k.then != nil {
		k.then()
	}
	if at := slices.Index(arguments, "--outputs-file"); at >= 0 {
		return os.WriteFile(arguments[at+1], []byte(`{"`+stackName+`":{"ApiId":"api1"}}`), 0o600)
	}
	return nil
}

func configured(t *testing.T, client *apigateway.Client, k *toolkit) Config {
	t.Helper()
	return Config{
		Client: client, Region: "eu-west-1", CDK: k.run, Dir: t.TempDir(), Out: io.Discard,
		Cases: []Case{{Name: "an event", Path: "/plain", Headers: map[string]string{"Content-Type": "application/json"}, Body: "{\n\"a\":1}"}},
		Now:   time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
}

func TestTheAnswersAreStoredByTheirDateAndTheStackIsDestroyed(t *testing.T) {
	k := &toolkit{}
	rendered := `{"Data":"ewoiYSI6MX0=","PartitionKey":"` + requestID + `"}`
	c := configured(t, apiGateway(t, rendering(rendered)), k)

	require.NoError(t, Verify(t.Context(), c))

	assert.Equal(t, []string{"deploy", "destroy"}, k.commands)
	assert.FileExists(t, filepath.Join(c.Dir, "2026-01-02.json"))
	stored, err := newest(c.Dir)
	require.NoError(t, err)
	assert.Equal(t, &Fixture{
		Date: "2026-01-02", Region: "eu-west-1", Templates: map[string]string{"/plain": template},
		Answers: []Answer{{
			Name: "an event", Path: "/plain", Headers: c.Cases[0].Headers, Body: c.Cases[0].Body,
			RequestID: requestID, Status: 202, Answered: `{"accepted":1}`, Rendered: &rendered,
		}},
	}, stored)
	text, err := os.ReadFile(filepath.Join(c.Dir, "2026-01-02.json"))
	require.NoError(t, err)
	assert.NotContains(t, string(text), "secret", "the log is not stored")
}

func TestTheStackIsDestroyedWhateverFails(t *testing.T) {
	boom := errors.New("boom")
	fails := func(w http.ResponseWriter, _ string) { http.Error(w, `{"message":"boom"}`, http.StatusBadRequest) }

	t.Run("the deployment", func(t *testing.T) {
		k := &toolkit{fail: map[string]error{"deploy": boom}}
		assert.ErrorIs(t, Verify(t.Context(), configured(t, apiGateway(t, fails), k)), boom)
		assert.Equal(t, []string{"deploy", "destroy"}, k.commands)
	})
	t.Run("an invocation", func(t *testing.T) {
		k := &toolkit{}
		c := configured(t, apiGateway(t, fails), k)
		assert.ErrorContains(t, Verify(t.Context(), c), `invoking /plain with case "an event"`)
		assert.Equal(t, []string{"deploy", "destroy"}, k.commands)
		left, err := os.ReadDir(c.Dir)
		require.NoError(t, err)
		assert.Empty(t, left, "half a run is no fixture")
	})
	t.Run("a Ctrl-C", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		k := &toolkit{}
		k.then = func() { cancel(); k.then = nil }
		assert.ErrorIs(t, Verify(ctx, configured(t, apiGateway(t, fails), k)), context.Canceled)
		assert.Equal(t, []string{"deploy", "destroy"}, k.commands, "the destroy must not see the cancelled context")
	})
	t.Run("and says what to do when it cannot be", func(t *testing.T) {
		k := &toolkit{fail: map[string]error{"destroy": boom}}
		err := Verify(t.Context(), configured(t, apiGateway(t, rendering("{}")), k))
		assert.ErrorIs(t, err, boom)
		assert.ErrorContains(t, err, "delete it in CloudFormation")
	})
}

func TestALogIsReadAsFarAsItGoes(t *testing.T) {
	const at = "Mon Apr 12 00:53:16 UTC 2021 : "
	id, rendered, truncated := readLog(at + "Starting execution for request: x-1\n" + at + "Endpoint request body after transformations: {\n  \"a\": 1\n}\n\n" + at + "Done")
	assert.Equal(t, "x-1", id)
	assert.Equal(t, "{\n  \"a\": 1\n}\n", *rendered, "its own last line end is the template's")
	assert.False(t, truncated)

	_, rendered, truncated = readLog(at + "Endpoint request body after transformations: {\"Data\":\"eA [TRUNCATED]\n" + at + "Done")
	assert.Equal(t, `{"Data":"eA`, *rendered)
	assert.True(t, truncated)

	_, rendered, _ = readLog(at + "Method completed with status: 400\n")
	assert.Nil(t, rendered, "nothing went to Kinesis")
}

// laptop is the local gateway's engine.
func laptop(t *testing.T) *vtl.Engine {
	t.Helper()
	engine, err := vtl.New(t.Context(), vtl.Config{})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, engine.Close()) })
	return engine
}

func TestADifferenceFromTheLaptopsEngineIsSeen(t *testing.T) {
	fixture := func(rendered string, truncated bool) *Fixture {
		return &Fixture{Templates: map[string]string{"/plain": template}, Answers: []Answer{
			{Name: "refused", Path: "/plain", Status: 400},
			{Name: "an event", Path: "/plain", Body: `{"a":1}`, RequestID: "r-1", Rendered: aws.String(rendered), Truncated: truncated},
		}}
	}
	engine := laptop(t)
	for name, same := range map[string]*Fixture{
		"the same text":                  fixture(`{"Data":"eyJhIjoxfQ==","PartitionKey":"r-1"}`, false),
		"the same text, as far as known": fixture(`{"Data":"eyJh`, true),
	} {
		differences, compared := compare(t.Context(), same, engine)
		assert.Empty(t, differences, name)
		assert.Equal(t, 1, compared, name)
	}
	for name, other := range map[string]*Fixture{
		"another byte":       fixture(`{"Data":"eyJhIjoyfQ==","PartitionKey":"r-1"}`, false),
		"one byte more":      fixture(`{"Data":"eyJhIjoxfQ==","PartitionKey":"r-1"} `, false),
		"more than there is": fixture(`{"Data":"eyJhIjoxfQ==","PartitionKey":"r-1"} {`, true),
	} {
		differences, _ := compare(t.Context(), other, engine)
		assert.Len(t, differences, 1, name)
	}
}

func TestTheLaptopRendersWhatAPIGatewayRendered(t *testing.T) {
	fixture, err := newest(filepath.Join("..", "..", fixtures))
	require.NoError(t, err)
	if fixture == nil {
		t.Skip("no fixtures: not verified on AWS. Whoever has an account runs `make verify-aws` and commits what it stores")
	}
	differences, compared := compare(t.Context(), fixture, laptop(t))
	assert.NotZero(t, compared)
	assert.Empty(t, differences, "%d of %d rendered texts differ from those of %s in %s", len(differences), compared, fixture.Date, fixture.Region)
}

func TestWithoutCredentialsItSaysSoInOneLine(t *testing.T) {
	t.Chdir(filepath.Join("..", ".."))
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_WEB_IDENTITY_TOKEN_FILE"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("AWS_REGION", "eu-west-1")

	err := run(t.Context())

	require.ErrorContains(t, err, "no AWS credentials")
	assert.NotContains(t, err.Error(), "\n")
	t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
	assert.ErrorContains(t, run(t.Context()), "not AWS")
}

func TestTheThrowAwayStackHasEveryPathOfTheCorpusAndLeavesNothing(t *testing.T) {
	stack := newStack(cdktest.NewApp())
	text, err := json.Marshal(cdktest.Template(stack).ToJSON())
	require.NoError(t, err)
	var deployed struct {
		Resources map[string]struct {
			Type           string
			DeletionPolicy string
			Properties     struct {
				PathPart string
				ParentId any
			}
		}
	}
	require.NoError(t, json.Unmarshal(text, &deployed))
	paths := map[string]bool{}
	for id, resource := range deployed.Resources {
		if resource.Type != "AWS::ApiGateway::Deployment" { // it is a part of its API, which takes it along
			assert.NotContains(t, resource.DeletionPolicy, "Retain", id)
		}
		assert.NotEqual(t, "AWS::ApiGateway::Account", resource.Type, "the account's setting would stay")
		if resource.Type != "AWS::ApiGateway::Resource" {
			continue
		}
		path := "/" + resource.Properties.PathPart
		if parent, ok := resource.Properties.ParentId.(map[string]any); ok {
			if above, ok := parent["Ref"].(string); ok {
				path = "/" + deployed.Resources[above].Properties.PathPart + path
			}
		}
		paths[path] = true
	}
	names := map[string]bool{}
	for _, c := range cases() {
		assert.True(t, paths[c.Path], "case %q is for %s; the stack has %v", c.Name, c.Path, paths)
		assert.False(t, names[c.Path+c.Name], "two cases are named %q", c.Name)
		names[c.Path+c.Name] = true
		assert.True(t, strings.HasPrefix(strings.TrimSpace(c.Body), "{"), c.Name)
	}
	assert.NotEmpty(t, names, fmt.Sprint(paths))
}
