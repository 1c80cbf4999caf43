package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/cmd/millrace/rollback"
)

// onlyLocal keeps a test that changes what is deployed away from a real environment.
func onlyLocal(t *testing.T) {
	t.Helper()
	if os.Getenv("AWS_ENDPOINT_URL") == "" {
		t.Skip("changes the deployed API: runs on env=local only")
	}
}

// template is the deployed mapping template of POST /events.
type template struct {
	client                         *apigateway.Client
	api, stage, resource, original string
}

func deployedTemplate(t *testing.T) template {
	t.Helper()
	m := template{client: apigateway.NewFromConfig(awsConfig(t))}
	m.api, m.stage = deployed(t)
	m.resource = resourceAt(t, m.client, m.api, "/events")
	integration, err := m.client.GetIntegration(t.Context(), &apigateway.GetIntegrationInput{
		RestApiId: &m.api, ResourceId: &m.resource, HttpMethod: aws.String("POST"),
	})
	require.NoError(t, err)
	m.original = integration.RequestTemplates["application/json"]
	require.Contains(t, m.original, "$input.body")
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		m.change(ctx, t, m.original)
		m.deploy(ctx, t)
		time.Sleep(time.Second) // the next test must not meet the changed one
	})
	return m
}

func (m template) change(ctx context.Context, t *testing.T, text string) {
	t.Helper()
	_, err := m.client.UpdateIntegration(ctx, &apigateway.UpdateIntegrationInput{
		RestApiId: &m.api, ResourceId: &m.resource, HttpMethod: aws.String("POST"),
		PatchOperations: []types.PatchOperation{{Op: types.OpReplace, Path: aws.String("/requestTemplates/application~1json"), Value: &text}},
	})
	require.NoError(t, err)
}

func (m template) deploy(ctx context.Context, t *testing.T) {
	t.Helper()
	_, err := m.client.CreateDeployment(ctx, &apigateway.CreateDeploymentInput{RestApiId: &m.api, StageName: &m.stage})
	require.NoError(t, err)
}

// writes posts an event, and says whether it was replaced by another one, of the id: what a changed template writes.
func writes(t *testing.T, db *pgx.Conn, id string) bool {
	t.Helper()
	marker, body := newEvent(`"written":"by the client"`)
	_, err := db.Exec(t.Context(), "DELETE FROM events WHERE event_id = $1", id)
	require.NoError(t, err)
	status, answer := post(t, "/events", body)
	require.Equal(t, http.StatusAccepted, status, answer)
	var replaced bool
	require.Eventually(t, func() bool {
		var clients bool
		require.NoError(t, db.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM events WHERE event_id = $1),
			EXISTS (SELECT FROM events WHERE event_id = $2)`, id, marker).Scan(&replaced, &clients))
		return replaced || clients
	}, 30*time.Second, 100*time.Millisecond)
	return replaced
}

func TestTheGatewayServesTheMappingTemplateThatIsDeployedNotTheSource(t *testing.T) {
	onlyLocal(t)
	m, db := deployedTemplate(t), database(t)
	id, replacement := newEvent(`"written":"by the changed template"`)
	m.change(t.Context(), t, strings.ReplaceAll(m.original, "$input.body", "'"+string(replacement)+"'"))
	assert.False(t, writes(t, db, id), "a change is not served before it is deployed")
	m.deploy(t.Context(), t)
	require.Eventually(t, func() bool { return writes(t, db, id) }, 30*time.Second, 250*time.Millisecond)
	assert.JSONEq(t, string(replacement), payload(t, db, id))
}

func TestAChangedTemplateGoesBackByACommandWithoutADeploy(t *testing.T) {
	onlyLocal(t)
	m, db := deployedTemplate(t), database(t)
	var all []rollback.Deployment
	require.NoError(t, rollsBack(t, &all))
	served := func(d rollback.Deployment) bool { return d.Served }
	before := all[slices.IndexFunc(all, served)].ID
	id, replacement := newEvent(`"written":"by the changed template"`)
	m.change(t.Context(), t, strings.ReplaceAll(m.original, "$input.body", "'"+string(replacement)+"'"))
	m.deploy(t.Context(), t)
	require.Eventually(t, func() bool { return writes(t, db, id) }, 30*time.Second, 250*time.Millisecond)

	require.NoError(t, rollsBack(t, &all))
	changed := all[slices.IndexFunc(all, served)].ID
	require.NotEqual(t, before, changed)
	var done struct{ From, To string }
	require.NoError(t, rollsBack(t, &done, "--to="+before))
	assert.Equal(t, changed, done.From)
	require.Eventually(t, func() bool { return !writes(t, db, id) }, 30*time.Second, 250*time.Millisecond)
	assert.ErrorContains(t, rollsBack(t, &done, "--to=unknown"), "has no deployment unknown")
	assert.False(t, writes(t, db, id), "what is unknown changes nothing")
}

func TestASecondDeployOfTheSameCommitChangesNothing(t *testing.T) {
	onlyLocal(t)
	deploy := exec.Command("node_modules/.bin/cdk", "deploy", "--all", "-c", "env=local", "--require-approval", "never",
		"--output", ".millrace/cdk.out.again", "--no-color", "--ci")
	deploy.Dir = root
	output, err := deploy.CombinedOutput()
	require.NoError(t, err, "%s", output)
	assert.Equal(t, 3, strings.Count(string(output), "(no changes)"), "%s", output)
}

// deployed returns the API's id and stage, from its URL.
func deployed(t *testing.T) (api, stage string) {
	t.Helper()
	parts := strings.Split(strings.TrimSuffix(os.Getenv("API_URL"), "/"), "/")
	require.GreaterOrEqual(t, len(parts), 5, "API_URL must be http://host/api/stage, got %s", os.Getenv("API_URL"))
	return parts[len(parts)-2], parts[len(parts)-1]
}

func resourceAt(t *testing.T, client *apigateway.Client, api, path string) string {
	t.Helper()
	resources, err := client.GetResources(t.Context(), &apigateway.GetResourcesInput{RestApiId: &api})
	require.NoError(t, err)
	for _, resource := range resources.Items {
		if aws.ToString(resource.Path) == path {
			return *resource.Id
		}
	}
	require.FailNow(t, fmt.Sprintf("no resource at %s", path))
	return ""
}
