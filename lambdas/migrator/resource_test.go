package migrator_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/cfn"
	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/lambdas/migrator"
	"github.com/millrace-cdk/millrace/lambdas/postgres/postgrestest"
	"github.com/millrace-cdk/millrace/spec"
)

// deploy sends a request to f as CloudFormation does and returns what
// CloudFormation gets.
func deploy(ctx context.Context, t *testing.T, f cfn.CustomResourceFunction, kind cfn.RequestType, physicalID string) cfn.Response {
	t.Helper()
	stderr := log.Writer()
	log.SetOutput(io.Discard) // cfn.LambdaWrap logs reasons
	defer log.SetOutput(stderr)

	var body []byte
	bucket := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ = io.ReadAll(r.Body)
	}))
	defer bucket.Close()
	request, err := json.Marshal(cfn.Event{
		RequestType: kind, RequestID: "b2b1b0d6", ResponseURL: bucket.URL, ResourceType: "Custom::Migration", PhysicalResourceID: physicalID,
		LogicalResourceID: "LoaderMigration", StackID: "arn:aws:cloudformation:eu-west-1:111122223333:stack/Millrace-dev-Pipeline/11111111-2222-3333-4444-555555555555",
	})
	require.NoError(t, err)
	_, err = lambda.NewHandler(cfn.LambdaWrap(f)).Invoke(ctx, request)
	require.NoError(t, err)
	assert.LessOrEqual(t, len(body), 4096, "CloudFormation takes no more")
	assert.NotContains(t, string(body), postgrestest.MasterPassword)
	var response cfn.Response
	require.NoError(t, json.Unmarshal(body, &response))
	return response
}

func TestDeployMigratesAndAnswersWithTheVersion(t *testing.T) {
	database := postgrestest.Database(t, server)
	m := asMaster(database)
	for _, kind := range []cfn.RequestType{cfn.RequestCreate, cfn.RequestUpdate} {
		got := deploy(t.Context(), t, m.Handle, kind, "")
		assert.Equal(t, cfn.StatusSuccess, got.Status, got.Reason)
		assert.Equal(t, migrator.PhysicalResourceID, got.PhysicalResourceID)
		assert.Equal(t, map[string]any{migrator.VersionAttribute: "1"}, got.Data)
	}
}

func TestDeleteLeavesTheData(t *testing.T) {
	database := postgrestest.Database(t, server)
	m := asMaster(database)
	require.Equal(t, cfn.StatusSuccess, deploy(t.Context(), t, m.Handle, cfn.RequestCreate, "").Status)
	got := deploy(t.Context(), t, m.Handle, cfn.RequestDelete, migrator.PhysicalResourceID)
	assert.Equal(t, cfn.StatusSuccess, got.Status)
	assert.Equal(t, migrator.PhysicalResourceID, got.PhysicalResourceID)
	assert.Len(t, postgrestest.Lines(t, postgrestest.Admin(t, server, database), "SELECT FROM pg_tables WHERE tablename IN ('events', 'quarantine')"), 2)

	unreachable := spec.Database{Host: "localhost", Port: "1", Name: "gone"}
	got = deploy(t.Context(), t, asMaster(unreachable).Handle, cfn.RequestDelete, "as-it-was")
	assert.Equal(t, cfn.StatusSuccess, got.Status, "a stack must go even if the database is gone")
	assert.Equal(t, "as-it-was", got.PhysicalResourceID)
}

func TestDeployFailsWithAReason(t *testing.T) {
	database := postgrestest.Database(t, server)
	got := deploy(t.Context(), t, as(database, postgrestest.Master, "another-password").Handle, cfn.RequestCreate, "")
	assert.Equal(t, cfn.StatusFailed, got.Status)
	assert.Equal(t, migrator.PhysicalResourceID, got.PhysicalResourceID)
	assert.Contains(t, got.Reason, "password authentication failed for user")
	assert.NotContains(t, got.Reason, "another-password")
}

func TestAnswerComesBeforeTheFunctionIsCutOff(t *testing.T) {
	m := asMaster(spec.Database{Host: "localhost", Port: "1", Name: "gone"})
	m.Wait = time.Hour
	ctx, cancel := context.WithTimeout(t.Context(), 13*time.Second) // 10 s of it are for the answer
	defer cancel()
	got := deploy(ctx, t, m.Handle, cfn.RequestCreate, "")
	assert.Equal(t, cfn.StatusFailed, got.Status)
	assert.Contains(t, got.Reason, "connection refused")
	assert.NoError(t, ctx.Err(), "the function was cut off")
}

func TestMigratorThatCannotStartAnswersToo(t *testing.T) {
	refuse := migrator.Refuse(errors.New("MILLRACE_SPEC is empty " + strings.Repeat("\n", 5000)))
	got := deploy(t.Context(), t, refuse, cfn.RequestUpdate, "before")
	assert.Equal(t, cfn.StatusFailed, got.Status)
	assert.Contains(t, got.Reason, "MILLRACE_SPEC is empty")
	assert.Equal(t, cfn.StatusSuccess, deploy(t.Context(), t, refuse, cfn.RequestDelete, "before").Status)
}

func TestSpecIsValidatedAtTheStart(t *testing.T) {
	_, err := migrator.New(spec.Migrator{}, aws.Config{})
	for _, problem := range []string{"database host is empty", "database port", "database name is empty", "secret ARN is empty"} {
		assert.ErrorContains(t, err, problem)
	}
	_, err = migrator.New(spec.Migrator{Database: spec.Database{Host: "h", Port: "5433", Name: "n"}, SecretARN: "arn"}, aws.Config{})
	assert.NoError(t, err)
}
