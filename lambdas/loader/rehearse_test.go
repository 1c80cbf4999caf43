package loader_test

import (
	"context"
	"encoding/json"
	"iter"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/lambdas/hook"
	"github.com/millrace-cdk/millrace/lambdas/loader"
	"github.com/millrace-cdk/millrace/lambdas/postgres/postgrestest"
	"github.com/millrace-cdk/millrace/spec"
)

// asLambda invokes a loader as a deployment hook does, by Lambda.
type asLambda struct {
	t *testing.T
	l *loader.Loader
}

func (a asLambda) Invoke(ctx context.Context, input *lambda.InvokeInput, _ ...func(*lambda.Options)) (*lambda.InvokeOutput, error) {
	answer, err := a.l.Invoke(ctx, input.Payload)
	if err != nil {
		a.t.Log(err)
		return &lambda.InvokeOutput{ExecutedVersion: new("7"), FunctionError: new("Unhandled"), Payload: []byte(err.Error())}, nil
	}
	return &lambda.InvokeOutput{ExecutedVersion: new("7"), Payload: answer}, nil
}

func check(t *testing.T, l *loader.Loader) error {
	t.Helper()
	h := &hook.Hook{Spec: spec.Hook{Kind: spec.HookLoader, Target: "loader:7", Version: "7"}, Lambda: asLambda{t, l}}
	return h.Check(t.Context())
}

func TestARehearsalMeetsTheRealTablesAndLeavesNothingInThem(t *testing.T) {
	database, admin := migrated(t)
	l, log := connected(t, database)
	require.Empty(t, handle(t, l, batch(1, `{"event_id":"before"}`, `poison`)))
	rows, rejects := postgrestest.Lines(t, admin, table), postgrestest.Lines(t, admin, quarantine)
	require.Len(t, rows, 1)
	require.Len(t, rejects, 1)
	written := log.Len()

	for range 3 {
		require.NoError(t, check(t, l))
	}
	assert.Equal(t, rows, postgrestest.Lines(t, admin, table))
	assert.Equal(t, rejects, postgrestest.Lines(t, admin, quarantine))
	assert.Equal(t, written, log.Len(), "it says nothing of quarantine")

	require.Empty(t, handle(t, l, batch(3, `{"event_id":"millrace-hook-1"}`)), "its connection is as good as before")
	assert.Len(t, postgrestest.Lines(t, admin, table), 2)
}

func TestARehearsalNoticesATableThatTheLoaderDoesNotFit(t *testing.T) {
	database, admin := migrated(t)
	l, _ := connected(t, database)
	execute(t, admin, "ALTER TABLE events RENAME COLUMN payload TO body")
	assert.ErrorContains(t, check(t, l), "payload")
}

func TestALoaderThatDoesNotKnowARehearsalFindsNoRecordsInIt(t *testing.T) {
	payload, err := json.Marshal(map[string]any{"unknown": json.RawMessage(`{"Records":[{"kinesis":{"data":"e30="}}]}`)})
	require.NoError(t, err)
	stored := new(counting)
	_, err = (&loader.Loader{Store: stored}).Invoke(t.Context(), payload)
	require.NoError(t, err)
	assert.Zero(t, stored.calls)

	payload, err = json.Marshal(map[string]any{spec.RehearsalMember: map[string]any{"Records": []any{}}})
	require.NoError(t, err)
	_, err = (&loader.Loader{Store: stored}).Invoke(t.Context(), payload)
	assert.ErrorContains(t, err, "cannot", "a store that cannot rehearse is not written to")
	assert.Zero(t, stored.calls)
}

// counting is a store that only counts how often it is asked to store.
type counting struct{ calls int }

func (c *counting) Insert(context.Context, iter.Seq[loader.Row]) (int, error) {
	c.calls++
	return 0, nil
}
func (c *counting) Quarantine(context.Context, []loader.Reject) error { c.calls++; return nil }
