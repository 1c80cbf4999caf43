package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	kinesistypes "github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/internal/gozip"
	"github.com/millrace-cdk/millrace/local/rollout"
	"github.com/millrace-cdk/millrace/spec"
)

// live is a deployed function and the alias that it is invoked by.
type live struct {
	client          *lambda.Client
	function, alias string
}

func transformerAlias(t *testing.T) live {
	t.Helper()
	function, alias := rollout.Split(transformerName(t))
	require.Equal(t, "live", alias, "the delivery must invoke the alias")
	return live{lambda.NewFromConfig(awsConfig(t)), function, alias}
}

// version is the one that the alias leads to.
func (l live) version(t *testing.T) string {
	t.Helper()
	alias, err := l.client.GetAlias(t.Context(), &lambda.GetAliasInput{FunctionName: &l.function, Name: &l.alias})
	require.NoError(t, err)
	return *alias.FunctionVersion
}

// deploy makes the function the transformer of test/e2e/broken, which is broken as how says; with "" it is not.
func (l live) deploy(t *testing.T, how string) {
	t.Helper()
	code, err := gozip.Build("./broken", "-X 'main.how="+how+"'")
	require.NoError(t, err)
	_, err = l.client.UpdateFunctionCode(t.Context(), &lambda.UpdateFunctionCodeInput{FunctionName: &l.function, ZipFile: code})
	require.NoError(t, err)
}

// rollsOut runs `millrace rollout` and returns what became of the function, and its exit status.
func (l live) rollsOut(t *testing.T) (outcome rollout.Outcome, status int) {
	t.Helper()
	var outcomes []rollout.Outcome
	status = tells(t, &outcomes, "rollout", "--json")
	for _, o := range outcomes {
		if o.Function == l.function {
			return o, status
		}
	}
	require.FailNow(t, "the transformer was not rolled out", "%v", outcomes)
	return outcome, status
}

// startLoad puts events into the stream, ten every 20 ms, until stop is called, which returns them by id.
func startLoad(t *testing.T) (stop func() map[string][]byte) {
	t.Helper()
	client := kinesis.NewFromConfig(awsConfig(t))
	ctx, cancel := context.WithCancel(t.Context())
	sent, done := map[string][]byte{}, make(chan error, 1)
	go func() {
		for ctx.Err() == nil {
			var entries []kinesistypes.PutRecordsRequestEntry
			for range 10 {
				id, body := newEvent(`"load":1.10`)
				sent[id] = body
				entries = append(entries, kinesistypes.PutRecordsRequestEntry{Data: body, PartitionKey: &id})
			}
			_, err := client.PutRecords(context.WithoutCancel(ctx), &kinesis.PutRecordsInput{StreamName: aws.String(os.Getenv("STREAM_NAME")), Records: entries})
			if err != nil {
				done <- err
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		done <- nil
	}()
	t.Cleanup(cancel)
	return func() map[string][]byte {
		cancel()
		require.NoError(t, <-done)
		return sent
	}
}

func TestABrokenTransformerIsRefusedAndUnderLoadNoEventIsLostOrDeliveredUntransformed(t *testing.T) {
	onlyLocal(t)
	l := transformerAlias(t)
	was := l.version(t)
	failedBefore := len(deliveryFailures(t))
	stop := startLoad(t)
	for how, want := range map[string]string{
		"drops":     `the result must be Ok, got "Dropped"`,
		"crashes":   "function error",
		"passes on": "the data must be",
	} {
		l.deploy(t, how)
		outcome, status := l.rollsOut(t)
		assert.Equal(t, 1, status, "%s: it is a failure to whoever deploys", how)
		assert.Contains(t, outcome.Refused, want, how)
		assert.Equal(t, was, outcome.From, how)
		assert.Equal(t, was, l.version(t), "%s: the alias stays", how)
	}

	l.deploy(t, "")
	outcome, status := l.rollsOut(t)
	assert.Zero(t, status)
	assert.Empty(t, outcome.Refused)
	assert.NotEqual(t, was, outcome.To)
	assert.Equal(t, outcome.To, l.version(t), "a good one goes through")

	sent := stop()
	last, body := newEvent(`"by":"the new version"`)
	sent[last] = body
	produce(t, string(body))
	var ids []string
	for id := range sent {
		ids = append(ids, id)
	}
	lines := lake(t, ids)
	for id, event := range sent {
		assertOneMemberMore(t, event, lines[id])
	}
	assert.Len(t, deliveryFailures(t), failedBefore, "no event went below the error prefix")
	var rows int
	db := database(t)
	settled(t, db)
	require.NoError(t, db.QueryRow(t.Context(), "SELECT count(*) FROM events WHERE event_id = ANY($1)", ids).Scan(&rows))
	assert.Equal(t, len(sent), rows)
	t.Logf("%d events, and as many lines and rows", len(sent))
}

// deliveryFailures are the objects below the lake's error prefix.
func deliveryFailures(t *testing.T) []string {
	t.Helper()
	reader := lakeReader(t)
	require.NoError(t, reader.Refresh(t.Context()))
	return reader.Failed
}

// What the test above rests on: what the hook refuses does harm where it is let in.
func TestWithoutTheHookABrokenTransformerDoesHarm(t *testing.T) {
	onlyLocal(t)
	l := transformerAlias(t)
	l.deploy(t, "crashes")
	back, err := rollout.Force(t.Context(), l.client, l.function+":"+l.alias)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, back(context.WithoutCancel(t.Context()))) })
	marker := uuid.NewString()
	produce(t, fmt.Sprintf(`{"event_id":%q,"marker":%q}`, uuid.NewString(), marker))
	require.Eventually(t, func() bool { return len(failed(t, marker)["Lambda.FunctionError"]) == 1 }, time.Minute, 500*time.Millisecond)

	l.deploy(t, "passes on")
	_, err = rollout.Force(t.Context(), l.client, l.function+":"+l.alias)
	require.NoError(t, err)
	id, body := newEvent(`"harm":true`)
	produce(t, string(body))
	assert.Equal(t, string(body), string(lake(t, []string{id})[id]), "without our member")
	l.deploy(t, "")
}

func TestALoaderIsRehearsedBeforeItGetsTheStreamAndNoRowIsLeft(t *testing.T) {
	onlyLocal(t)
	client := lambda.NewFromConfig(awsConfig(t))
	mappings, err := client.ListEventSourceMappings(t.Context(), &lambda.ListEventSourceMappingsInput{})
	require.NoError(t, err)
	require.Len(t, mappings.EventSourceMappings, 1)
	function, alias := rollout.Split(*mappings.EventSourceMappings[0].FunctionArn)
	l := live{client, function, alias}
	was := l.version(t)
	configured, err := client.GetFunctionConfiguration(t.Context(), &lambda.GetFunctionConfigurationInput{FunctionName: &function})
	require.NoError(t, err)
	set := func(text string) {
		_, err := client.UpdateFunctionConfiguration(t.Context(), &lambda.UpdateFunctionConfigurationInput{
			FunctionName: &function, Environment: &lambdatypes.Environment{Variables: map[string]string{spec.Variable: text}},
		})
		require.NoError(t, err)
	}
	db := database(t)

	set("broken")
	outcome, status := l.rollsOut(t)
	assert.Equal(t, 1, status)
	assert.Contains(t, outcome.Refused, "invoking "+function+":"+outcome.To)
	assert.Equal(t, was, l.version(t))

	set(configured.Environment.Variables[spec.Variable])
	outcome, status = l.rollsOut(t)
	assert.Zero(t, status, outcome.Refused)
	assert.Equal(t, outcome.To, l.version(t))
	settled(t, db)
	var left int
	require.NoError(t, db.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM events WHERE stream = 'millrace-hook') +
		(SELECT count(*) FROM quarantine WHERE origin LIKE 'millrace-hook/%')`).Scan(&left))
	assert.Zero(t, left)
}

// rollsBack runs `millrace rollback api` with more arguments, and decodes what it prints.
func rollsBack(t *testing.T, into any, arguments ...string) error {
	t.Helper()
	command := exec.Command("build/millrace", append([]string{"rollback", "api", "--json"}, arguments...)...)
	command.Dir = root
	output, err := command.Output()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		return errors.New(strings.TrimSpace(string(exit.Stderr)))
	}
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(output, into))
	return nil
}
