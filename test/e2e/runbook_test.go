package e2e

import (
	"context"
	"slices"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/cmd/millrace/fault"
	"github.com/millrace-cdk/millrace/cmd/millrace/line"
	"github.com/millrace-cdk/millrace/cmd/millrace/runbook"
	"github.com/millrace-cdk/millrace/cmd/millrace/status"
	"github.com/millrace-cdk/millrace/docs"
	"github.com/millrace-cdk/millrace/local/cloud"
)

func TestEveryQueryOfTheRunbookRuns(t *testing.T) {
	db, count := database(t), 0
	for _, section := range runbook.Sections(docs.Runbook()) {
		for _, look := range section.Looks {
			if look.Language == "sql" {
				count++
				rows, err := db.Query(t.Context(), look.Code)
				require.NoError(t, err, section.Title)
				rows.Close()
				assert.NoError(t, rows.Err(), section.Title)
			}
		}
	}
	assert.NotZero(t, count)
}

// The fifth fault, the transformer's, shows in what it counts, which other tests have made it count too.
func TestStatusNamesEachFaultAndNoneOnceItIsMended(t *testing.T) {
	onlyLocal(t)
	environment, err := cloud.ReadEnvironment(root)
	require.NoError(t, err)
	names, err := line.Find(t.Context(), cloudformation.NewFromConfig(environment.AWS()), "local")
	require.NoError(t, err)
	what := fault.Line{AWS: environment.AWS(), Names: names, DatabaseURL: environment.DatabaseURL}
	red := func() []string {
		var found []string
		for _, c := range status.Run(t.Context(), status.Config{
			AWS: what.AWS, Names: names, Local: true, APIURL: environment.APIURL, Health: "/health", DatabaseURL: what.DatabaseURL,
		}).Checks {
			if c.State == status.Red {
				found = append(found, c.Stage+" "+c.Name)
			}
		}
		return found
	}
	for kind, check := range map[fault.Kind]string{
		fault.Database: "database Postgres", fault.Mapping: "loader mapping", fault.Bucket: "lake bucket", fault.Key: "ingest API key",
	} {
		t.Run(string(kind), func(t *testing.T) {
			broken, err := fault.Look(t.Context(), what, kind)
			require.NoError(t, err)
			t.Cleanup(func() { assert.NoError(t, broken.Mend(context.WithoutCancel(t.Context()), what)) }) // once more
			require.NotContains(t, red(), check)
			require.NoError(t, broken.Break(t.Context(), what))
			assert.Contains(t, red(), check)
			require.NoError(t, broken.Mend(t.Context(), what))
			assert.False(t, slices.Contains(red(), check), check)
		})
	}
}
