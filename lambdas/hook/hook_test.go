package hook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"testing"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy"
	"github.com/aws/aws-sdk-go-v2/service/codedeploy/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/lambdas/hook"
	"github.com/millrace-cdk/millrace/lambdas/transformer"
	"github.com/millrace-cdk/millrace/spec"
)

// fake is Lambda with one function in it.
type fake func(payload []byte) *lambda.InvokeOutput

func (f fake) Invoke(_ context.Context, input *lambda.InvokeInput, _ ...func(*lambda.Options)) (*lambda.InvokeOutput, error) {
	if *input.FunctionName != target {
		return nil, errors.New("no such function")
	}
	output := f(input.Payload)
	if output.ExecutedVersion == nil {
		output.ExecutedVersion = new("7")
	}
	return output, nil
}

const target = "arn:aws:lambda:eu-west-1:111122223333:function:f:7"

// ours is the transformer that is deployed, with changes to its answer's records.
func ours(t *testing.T, change func(records []events.KinesisFirehoseResponseRecord) []events.KinesisFirehoseResponseRecord) fake {
	handler := &transformer.Handler{Transform: transformer.ToLine, Log: slog.New(slog.DiscardHandler), Metrics: io.Discard}
	return func(payload []byte) *lambda.InvokeOutput {
		answer, err := handler.Invoke(t.Context(), payload)
		require.NoError(t, err)
		var response events.KinesisFirehoseResponse
		require.NoError(t, json.Unmarshal(answer, &response))
		if change != nil {
			response.Records = change(response.Records)
		}
		answer, err = json.Marshal(response)
		require.NoError(t, err)
		return &lambda.InvokeOutput{Payload: answer}
	}
}

func check(t *testing.T, kind spec.HookKind, function fake) error {
	t.Helper()
	return (&hook.Hook{Spec: spec.Hook{Kind: kind, Target: target, Version: "7"}, Lambda: function}).Check(t.Context())
}

func TestTheTransformerThatWeDeployPasses(t *testing.T) {
	assert.NoError(t, check(t, spec.HookTransformer, ours(t, nil)))
}

func TestABrokenTransformerIsRefused(t *testing.T) {
	each := func(change func(*events.KinesisFirehoseResponseRecord)) fake {
		return ours(t, func(records []events.KinesisFirehoseResponseRecord) []events.KinesisFirehoseResponseRecord {
			for i := range records {
				change(&records[i])
			}
			return records
		})
	}
	for name, test := range map[string]struct {
		function fake
		want     string
	}{
		"that crashes": {func([]byte) *lambda.InvokeOutput {
			return &lambda.InvokeOutput{FunctionError: new("Unhandled"), Payload: []byte(`{"errorMessage":"exit status 2"}`)}
		}, "function error Unhandled"},
		"that is another version":    {func([]byte) *lambda.InvokeOutput { return &lambda.InvokeOutput{ExecutedVersion: new("6")} }, "version 6 answered, and not 7"},
		"that drops":                 {each(func(r *events.KinesisFirehoseResponseRecord) { r.Result = "Dropped" }), `sample 1: the result must be Ok, got "Dropped"`},
		"that delivers poison":       {each(func(r *events.KinesisFirehoseResponseRecord) { r.Result = "Ok" }), `sample 2: the result must be ProcessingFailed, got "Ok"`},
		"that does not transform":    {each(func(r *events.KinesisFirehoseResponseRecord) { r.Data = []byte(`{}`) }), `sample 1: the data must be`},
		"that forgets the line feed": {each(func(r *events.KinesisFirehoseResponseRecord) { r.Data = bytes.TrimSuffix(r.Data, []byte("\n")) }), `sample 8: the data must be`},
		"that leaves one out":        {ours(t, func(r []events.KinesisFirehoseResponseRecord) []events.KinesisFirehoseResponseRecord { return r[1:] }), "sample 1: it was answered 0 times"},
		"that answers twice": {ours(t, func(r []events.KinesisFirehoseResponseRecord) []events.KinesisFirehoseResponseRecord {
			return append(r, r[0])
		}), "sample 1: it was answered 2 times"},
		"that answers nothing": {func([]byte) *lambda.InvokeOutput { return &lambda.InvokeOutput{Payload: []byte("null")} }, "0 records came back of 8"},
		"that answers no JSON": {func([]byte) *lambda.InvokeOutput { return &lambda.InvokeOutput{Payload: []byte("ok")} }, "decoding the answer"},
	} {
		t.Run(name, func(t *testing.T) {
			assert.ErrorContains(t, check(t, spec.HookTransformer, test.function), test.want)
		})
	}
}

func TestAPartitionKeyThatIsMissingIsNoticed(t *testing.T) {
	h := &hook.Hook{Spec: spec.Hook{Kind: spec.HookTransformer, Target: target, Version: "7", Keys: []string{"type"}}, Lambda: ours(t, nil)}
	assert.ErrorContains(t, h.Check(t.Context()), "partition key type must have a value")
	h.Lambda = ours(t, func(records []events.KinesisFirehoseResponseRecord) []events.KinesisFirehoseResponseRecord {
		for i := range records {
			records[i].Metadata.PartitionKeys = map[string]string{"type": "none"}
		}
		return records
	})
	assert.NoError(t, h.Check(t.Context()))
}

func TestALoaderMustRehearse(t *testing.T) {
	answers := func(text string) fake {
		return func(payload []byte) *lambda.InvokeOutput {
			assert.Regexp(t, `^\{"rehearse":\{"Records":\[`, string(payload), "no loader may find records to store")
			return &lambda.InvokeOutput{Payload: []byte(text)}
		}
	}
	assert.NoError(t, check(t, spec.HookLoader, answers(`{"rehearsal":{"stored":3,"quarantined":2}}`)))
	assert.ErrorContains(t, check(t, spec.HookLoader, answers(`{"rehearsal":{"stored":0,"quarantined":5}}`)), "3 must be stored and 2 quarantined, got 0 and 5")
	assert.ErrorContains(t, check(t, spec.HookLoader, answers(`{"batchItemFailures":[]}`)), "does not know a rehearsal")
}

func TestASpecThatSaysNothingIsAnError(t *testing.T) {
	assert.ErrorContains(t, (&hook.Hook{}).Check(t.Context()), "must name a target and a version")
	assert.ErrorContains(t, check(t, "cron", nil), `got "cron"`)
}

// told is CodeDeploy, as far as a hook talks to it.
type told struct {
	input *codedeploy.PutLifecycleEventHookExecutionStatusInput
	err   error
}

func (c *told) PutLifecycleEventHookExecutionStatus(_ context.Context, input *codedeploy.PutLifecycleEventHookExecutionStatusInput, _ ...func(*codedeploy.Options)) (*codedeploy.PutLifecycleEventHookExecutionStatusOutput, error) {
	c.input = input
	return nil, c.err
}

func TestCodeDeployIsToldWhatTheCheckFound(t *testing.T) {
	for status, function := range map[types.LifecycleEventStatus]fake{
		types.LifecycleEventStatusSucceeded: ours(t, nil),
		types.LifecycleEventStatusFailed:    func([]byte) *lambda.InvokeOutput { return &lambda.InvokeOutput{} },
	} {
		heard := new(told)
		f := &hook.Function{
			Hook:       &hook.Hook{Spec: spec.Hook{Kind: spec.HookTransformer, Target: target, Version: "7"}, Lambda: function},
			CodeDeploy: heard, Log: slog.New(slog.DiscardHandler),
		}
		var e hook.Event
		require.NoError(t, json.Unmarshal([]byte(`{"DeploymentId":"d-1","LifecycleEventHookExecutionId":"e-1"}`), &e))
		require.NoError(t, f.Handle(t.Context(), e))
		assert.Equal(t, &codedeploy.PutLifecycleEventHookExecutionStatusInput{DeploymentId: new("d-1"), LifecycleEventHookExecutionId: new("e-1"), Status: status}, heard.input)

		heard.err = errors.New("denied")
		assert.ErrorContains(t, f.Handle(t.Context(), e), "telling CodeDeploy")
	}
}
