package rollout_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/lambdas/transformer"
	"github.com/millrace-cdk/millrace/local/rollout"
	"github.com/millrace-cdk/millrace/spec"
)

const function = "arn:aws:lambda:eu-west-1:000000000000:function:transformer"

// fake is Lambda with one transformer, of which $LATEST is latest.
type fake struct {
	t             *testing.T
	alias, latest string
	moves         []string
	broken        map[string]bool // by qualifier
	refuse        error           // to move
}

func (f *fake) ListFunctions(context.Context, *lambda.ListFunctionsInput, ...func(*lambda.Options)) (*lambda.ListFunctionsOutput, error) {
	configured := func(value any) *types.EnvironmentResponse {
		text, err := spec.Encode(value)
		require.NoError(f.t, err)
		return &types.EnvironmentResponse{Variables: map[string]string{spec.Variable: text}}
	}
	return &lambda.ListFunctionsOutput{Functions: []types.FunctionConfiguration{
		{FunctionArn: new(function)},
		{Environment: configured(spec.Transformer{Steps: []spec.Step{{Remove: &spec.Remove{Paths: []string{"/a"}}}}})},
		{Environment: configured(spec.Hook{Kind: spec.HookTransformer, Target: function + ":1", Version: "1"})},
		{Environment: configured(spec.Hook{Kind: spec.HookTransformer, Target: function + ":live", Version: "1"})},
	}}, nil
}

func (f *fake) GetAlias(_ context.Context, input *lambda.GetAliasInput, _ ...func(*lambda.Options)) (*lambda.GetAliasOutput, error) {
	assert.Equal(f.t, function+":live", *input.FunctionName+":"+*input.Name)
	return &lambda.GetAliasOutput{FunctionVersion: &f.alias}, nil
}

func (f *fake) PublishVersion(_ context.Context, input *lambda.PublishVersionInput, _ ...func(*lambda.Options)) (*lambda.PublishVersionOutput, error) {
	assert.Equal(f.t, function, *input.FunctionName)
	return &lambda.PublishVersionOutput{Version: &f.latest}, nil
}

func (f *fake) UpdateAlias(_ context.Context, input *lambda.UpdateAliasInput, _ ...func(*lambda.Options)) (*lambda.UpdateAliasOutput, error) {
	f.alias, f.moves = *input.FunctionVersion, append(f.moves, *input.FunctionVersion)
	return nil, f.refuse
}

func (f *fake) Invoke(ctx context.Context, input *lambda.InvokeInput, _ ...func(*lambda.Options)) (*lambda.InvokeOutput, error) {
	name, qualifier := rollout.Split(*input.FunctionName)
	assert.Equal(f.t, function, name)
	version := strings.Replace(qualifier, "live", f.alias, 1)
	if f.broken[qualifier] {
		return &lambda.InvokeOutput{ExecutedVersion: &version, Payload: []byte("{}")}, nil
	}
	answer, err := (&transformer.Handler{Transform: transformer.ToLine, Log: slog.New(slog.DiscardHandler), Metrics: io.Discard}).Invoke(ctx, input.Payload)
	return &lambda.InvokeOutput{ExecutedVersion: &version, Payload: answer}, err
}

func TestAVersionThatPassesGetsTheAlias(t *testing.T) {
	f := &fake{t: t, alias: "1", latest: "2"}
	outcomes, err := rollout.Run(t.Context(), f)
	require.NoError(t, err)
	assert.Equal(t, []rollout.Outcome{{Function: function, From: "1", To: "2"}}, outcomes)
	assert.Equal(t, []string{"2"}, f.moves)
	assert.NoError(t, rollout.Refused(outcomes))

	outcomes, err = rollout.Run(t.Context(), f)
	require.NoError(t, err)
	assert.Equal(t, []rollout.Outcome{{Function: function, From: "2", To: "2"}}, outcomes)
	assert.Equal(t, []string{"2"}, f.moves, "nothing to do")
}

func TestAVersionThatIsBrokenNeverGetsIt(t *testing.T) {
	f := &fake{t: t, alias: "1", latest: "2", broken: map[string]bool{"2": true}}
	outcomes, err := rollout.Run(t.Context(), f)
	require.NoError(t, err)
	assert.Contains(t, outcomes[0].Refused, "checking "+function+":2")
	assert.Empty(t, f.moves)
	assert.ErrorContains(t, rollout.Refused(outcomes), "version 2 of "+function+" is refused, and version 1 goes on")
}

func TestAVersionThatBreaksBehindTheAliasLosesIt(t *testing.T) {
	f := &fake{t: t, alias: "1", latest: "2", broken: map[string]bool{"live": true}}
	outcomes, err := rollout.Run(t.Context(), f)
	require.NoError(t, err)
	assert.Contains(t, outcomes[0].Refused, "checking "+function+":live")
	assert.Equal(t, []string{"2", "1"}, f.moves)
}

func TestAnAliasThatCannotBeMovedIsAnError(t *testing.T) {
	_, err := rollout.Run(t.Context(), &fake{t: t, alias: "1", latest: "2", refuse: errors.New("denied")})
	assert.ErrorContains(t, err, "moving alias live of "+function+" to version 2: denied")
}

func TestAFaultOnPurposePassesTheHookAndIsTakenBack(t *testing.T) {
	f := &fake{t: t, alias: "1", latest: "2", broken: map[string]bool{"2": true, "live": true}}
	back, err := rollout.Force(t.Context(), f, function+":live")
	require.NoError(t, err)
	require.NoError(t, back(t.Context()))
	assert.Equal(t, []string{"2", "1"}, f.moves)

	back, err = rollout.Force(t.Context(), f, function)
	require.NoError(t, err)
	require.NoError(t, back(t.Context()))
	assert.Len(t, f.moves, 2, "without an alias there is nothing to move")
}
