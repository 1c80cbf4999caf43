package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// onlyLocal keeps a test that changes what is deployed away from a real environment.
func onlyLocal(t *testing.T) {
	t.Helper()
	if os.Getenv("AWS_ENDPOINT_URL") == "" {
		t.Skip("changes the deployed API: runs on env=local only")
	}
}

func TestTheGatewayServesTheMappingTemplateThatIsDeployedNotTheSource(t *testing.T) {
	onlyLocal(t)
	client := apigateway.NewFromConfig(awsConfig(t))
	api, stage := deployed(t)
	resource := resourceAt(t, client, api, "/events")
	integration, err := client.GetIntegration(t.Context(), &apigateway.GetIntegrationInput{
		RestApiId: &api, ResourceId: &resource, HttpMethod: aws.String("POST"),
	})
	require.NoError(t, err)
	original := integration.RequestTemplates["application/json"]
	require.Contains(t, original, "$input.body")
	change := func(ctx context.Context, template string) {
		_, err := client.UpdateIntegration(ctx, &apigateway.UpdateIntegrationInput{
			RestApiId: &api, ResourceId: &resource, HttpMethod: aws.String("POST"),
			PatchOperations: []types.PatchOperation{{Op: types.OpReplace, Path: aws.String("/requestTemplates/application~1json"), Value: &template}},
		})
		require.NoError(t, err)
	}
	deploy := func(ctx context.Context) {
		_, err := client.CreateDeployment(ctx, &apigateway.CreateDeploymentInput{RestApiId: &api, StageName: &stage})
		require.NoError(t, err)
	}
	db := database(t)
	id, replacement := newEvent(`"written":"by the changed template"`)
	// arrives posts something else, and says whether what the changed template writes is stored.
	arrives := func() bool {
		marker, body := newEvent(`"written":"by the client"`)
		status, answer := post(t, "/events", body)
		require.Equal(t, http.StatusAccepted, status, answer)
		var stored bool
		require.Eventually(t, func() bool {
			var clients bool
			require.NoError(t, db.QueryRow(t.Context(), `SELECT EXISTS (SELECT FROM events WHERE event_id = $1),
				EXISTS (SELECT FROM events WHERE event_id = $2)`, id, marker).Scan(&stored, &clients))
			return stored || clients
		}, 30*time.Second, 100*time.Millisecond)
		return stored
	}

	change(t.Context(), strings.ReplaceAll(original, "$input.body", "'"+string(replacement)+"'"))
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		change(ctx, original)
		deploy(ctx)
		time.Sleep(time.Second) // the next test must not meet the changed one
	})
	assert.False(t, arrives(), "a change is not served before it is deployed")
	deploy(t.Context())
	require.Eventually(t, arrives, 30*time.Second, 250*time.Millisecond)
	assert.JSONEq(t, string(replacement), payload(t, db, id))
}

func TestASecondDeployOfTheSameCommitChangesNothing(t *testing.T) {
	onlyLocal(t)
	deploy := exec.Command("node_modules/.bin/cdk", "deploy", "--all", "-c", "env=local", "--require-approval", "never",
		"--output", ".millrace/cdk.out.again", "--no-color", "--ci")
	deploy.Dir = root
	output, err := deploy.CombinedOutput()
	require.NoError(t, err, "%s", output)
	assert.Equal(t, 2, strings.Count(string(output), "(no changes)"), "%s", output)
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
