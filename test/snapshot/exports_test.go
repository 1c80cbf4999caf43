package snapshot

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/stacks"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

// deployed is the templates that CloudFormation has, by the stack.
type deployed map[string]object

const foundationStack, pipelineStack = "Foundation", "Pipeline"

// without synthesizes env without those consumers, as if their statements were not in pipeline.go.
func without(t *testing.T, env stacks.Environment, consumers ...string) deployed {
	t.Helper()
	millrace := stacks.NewMillrace(app(t), env)
	pipeline := millrace.Pipeline.Stack
	for _, child := range *pipeline.Node().Children() {
		_, isOutput := child.(awscdk.CfnOutput) // some of them are of the consumer
		if id := *child.Node().Id(); slices.Contains(consumers, id) || len(consumers) > 0 && isOutput {
			require.True(t, *pipeline.Node().TryRemoveChild(&id))
		}
	}
	return deployed{
		foundationStack: *cdktest.Template(millrace.Foundation.Stack).ToJSON(),
		pipelineStack:   *cdktest.Template(pipeline).ToJSON(),
	}
}

// exports are the template's, by name.
func exports(template object) map[string]any {
	all := map[string]any{}
	outputs, _ := template["Outputs"].(object)
	for _, output := range outputs {
		if export, exported := output.(object)["Export"].(object); exported {
			all[export["Name"].(string)] = output.(object)["Value"]
		}
	}
	return all
}

// imports are the names that value imports.
func imports(value any) []string {
	var names []string
	switch value := value.(type) {
	case object:
		if name, imported := value["Fn::ImportValue"].(string); imported {
			names = append(names, name)
		}
		for _, member := range value {
			names = append(names, imports(member)...)
		}
	case []any:
		for _, member := range value {
			names = append(names, imports(member)...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// refusals are why CloudFormation would not update a stack to next: an export that
// another stack as it is deployed imports may neither go nor change, and what next
// imports must be exported.
func refusals(d deployed, stack string, next object) []string {
	var why []string
	for name, template := range d {
		if name == stack {
			continue
		}
		has, was, will := exports(template), exports(d[stack]), exports(next)
		for _, imported := range imports(next) {
			if has[imported] == nil {
				why = append(why, "No export named "+imported)
			}
		}
		for _, imported := range imports(template) {
			if was[imported] != nil && text(was[imported]) != text(will[imported]) {
				why = append(why, fmt.Sprintf("Export %s cannot be deleted or changed as it is in use by %s", imported, name))
			}
		}
	}
	return why
}

// deploy updates the stacks in an order, and returns why it was refused.
func deploy(before, after deployed, order ...string) []string {
	now := maps.Clone(before)
	for _, stack := range order {
		if why := refusals(now, stack, after[stack]); len(why) > 0 {
			return why
		}
		now[stack] = after[stack]
	}
	return nil
}

var orders = [][]string{{foundationStack, pipelineStack}, {pipelineStack, foundationStack}}

func TestAConsumerGoesAndComesBackInOneDeployInEitherOrderOfTheStacks(t *testing.T) {
	for _, name := range stacks.EnvironmentNames() {
		env := environment(t, name)
		before := without(t, env)
		plain := env
		plain.Delivery.Parquet = nil
		afters := map[string]deployed{
			"API": without(t, env, "Ingest"), "lake": without(t, env, "Lake"), "loader": without(t, env, "Loader"),
			"all": without(t, env, "Ingest", "Lake", "ParquetLake", "Loader"),
		}
		if len(env.Delivery.Parquet) > 0 {
			afters["Parquet"] = without(t, plain)
		}
		for consumer, after := range afters {
			t.Run(name+" "+consumer, func(t *testing.T) {
				require.Less(t, len(imports(after[pipelineStack])), len(imports(before[pipelineStack])), "it imports less")
				for _, order := range orders {
					assert.Empty(t, deploy(before, after, order...), "away, %s", strings.Join(order, " first, then "))
					assert.Empty(t, deploy(after, before, order...), "back, %s", strings.Join(order, " first, then "))
				}
				assert.Equal(t, text(before[foundationStack]), text(after[foundationStack]), "Foundation does not know who reads from it")
			})
		}
	}
}

func TestAnExportThatGoesWithItsConsumerIsADeadlock(t *testing.T) {
	env := environment(t, "prod")
	before, after := without(t, env), without(t, env, "Loader")
	var only string // imported by the loader alone
	for _, name := range imports(before[pipelineStack]) {
		if !slices.Contains(imports(after[pipelineStack]), name) {
			only = name
		}
	}
	require.NotEmpty(t, only)
	outputs := after[foundationStack]["Outputs"].(object)
	maps.DeleteFunc(outputs, func(_ string, output any) bool {
		export, _ := output.(object)["Export"].(object)
		return export["Name"] == only
	})
	assert.Equal(t, []string{"Export " + only + " cannot be deleted or changed as it is in use by Pipeline"}, deploy(before, after, orders[0]...))
	assert.Empty(t, deploy(before, after, orders[1]...))
	assert.Equal(t, []string{"No export named " + only}, deploy(after, before, orders[1]...))
}
