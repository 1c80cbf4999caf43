package load_test

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"

	"github.com/millrace-cdk/millrace/constructs/database"
	"github.com/millrace-cdk/millrace/constructs/load"
	"github.com/millrace-cdk/millrace/constructs/stream"
)

// sized returns a stack with nothing in it but a loader of these props, from a
// stream of that many shards, 0 for one on demand, into a database of these props.
func sized(shards int, db *database.PrivateRdsProps, props load.PostgresLoaderProps) awscdk.Stack {
	g, stack := newStacks()
	db.SkipRotation = true
	props.Source = stream.NewStreamingCore(g.stack, "Sized", &stream.StreamingCoreProps{Shards: shards}).Stream
	props.Database = database.NewPrivateRds(g.stack, "SizedDatabase", db)
	load.NewPostgresLoader(stack, "Loader", &props)
	return stack
}

// notes are what the synth says about the stack's Loader.
func notes(stack awscdk.Stack) (infos, warnings []string) {
	for _, entry := range *stack.Node().FindChild(jsii.String("Loader")).Node().Metadata() {
		switch *entry.Type {
		case "aws:cdk:info":
			infos = append(infos, entry.Data.(string))
		case "aws:cdk:warning":
			warnings = append(warnings, entry.Data.(string))
		}
	}
	return infos, warnings
}

func reserved(t *testing.T, stack awscdk.Stack) any {
	t.Helper()
	_, function := one(t, stack, "AWS::Lambda::Function", "LoaderFunction")
	return properties(function)["ReservedConcurrentExecutions"]
}

func TestConcurrencyIsReservedForEveryBatchThatThereMayBeAtATime(t *testing.T) {
	for name, c := range map[string]struct {
		shards int
		props  load.PostgresLoaderProps
		want   any
	}{
		"a shard has one batch":     {3, load.PostgresLoaderProps{}, 3.0},
		"or several":                {3, load.PostgresLoaderProps{ParallelizationFactor: 4}, 12.0},
		"on demand, 16 are assumed": {0, load.PostgresLoaderProps{ParallelizationFactor: 2}, 32.0},
		"given":                     {3, load.PostgresLoaderProps{ReservedConcurrency: 7}, 7.0},
		"skipped":                   {3, load.PostgresLoaderProps{SkipReservedConcurrency: true}, nil},
		"configured": {3, load.PostgresLoaderProps{
			Configure: func(p *awslambda.FunctionProps) { p.ReservedConcurrentExecutions = jsii.Number(9) },
		}, 9.0},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, c.want, reserved(t, sized(c.shards, &database.PrivateRdsProps{}, c.props)))
		})
	}
}

func TestTheMigratorReservesNothing(t *testing.T) {
	_, migrator := one(t, with(load.PostgresLoaderProps{}), "AWS::Lambda::Function", "LoaderMigrator")
	assert.NotContains(t, properties(migrator), "ReservedConcurrentExecutions")
}

func TestNothingIsSaidWhereTheConnectionsSuffice(t *testing.T) {
	infos, warnings := notes(sized(4, &database.PrivateRdsProps{}, load.PostgresLoaderProps{}))
	assert.Empty(t, infos)
	assert.Empty(t, warnings)

	_, warnings = notes(sized(4, &database.PrivateRdsProps{MaxConnections: 100}, load.PostgresLoaderProps{ParallelizationFactor: 10}))
	assert.Empty(t, warnings, "2 x 40 are 80 %% of 100")
}

func TestAWarningSaysInNumbersThatTheConnectionsDoNotSuffice(t *testing.T) {
	small := &database.PrivateRdsProps{MaxConnections: 100}
	_, warnings := notes(sized(41, small, load.PostgresLoaderProps{}))
	assert.Equal(t, []string{
		"41 invocations at a time hold 41 connections, and a deploy doubles them until Lambda has let go of the old function: 82, of which a loader should take 80 at most, " +
			"80 % of the database's 100. Above that it is refused, and loading stalls: lower ParallelizationFactor or ReservedConcurrency, take a larger instance, or put a proxy before it " +
			"[ack: millrace:loader-connections]",
	}, warnings)

	_, warnings = notes(sized(41, small, load.PostgresLoaderProps{ReservedConcurrency: 40}))
	assert.Empty(t, warnings, "what is reserved bounds the connections")
	_, warnings = notes(sized(2, small, load.PostgresLoaderProps{ReservedConcurrency: 1_000}))
	assert.Empty(t, warnings, "there are no more batches than shards have")
	_, warnings = notes(sized(41, small, load.PostgresLoaderProps{SkipReservedConcurrency: true}))
	assert.Len(t, warnings, 1)
	_, warnings = notes(sized(41, small, load.PostgresLoaderProps{
		Configure: func(p *awslambda.FunctionProps) { p.ReservedConcurrentExecutions = jsii.Number(4) },
	}))
	assert.Empty(t, warnings, "Configure has the last word")
}

func TestAProxyHasBatchesWaitForConnections(t *testing.T) {
	_, warnings := notes(sized(41, &database.PrivateRdsProps{MaxConnections: 100, Proxy: &database.ProxyProps{}}, load.PostgresLoaderProps{}))
	assert.Empty(t, warnings)
}

func TestWhatIsAssumedOfAStreamIsSaid(t *testing.T) {
	infos, _ := notes(sized(0, &database.PrivateRdsProps{}, load.PostgresLoaderProps{ParallelizationFactor: 2}))
	assert.Equal(t, []string{
		"how many shards the source has is not known here: 16 are assumed, of 2 batches at a time each, and there are up to 32 invocations at a time. " +
			"If it has more, batches wait for each other: then raise ReservedConcurrency [ack: millrace:loader-shards]",
	}, infos)

	g, stack := newStacks()
	theirs := awskinesis.Stream_FromStreamArn(stack, jsii.String("Theirs"), jsii.String("arn:aws:kinesis:eu-west-1:111122223333:stream/theirs"))
	load.NewPostgresLoader(stack, "Loader", &load.PostgresLoaderProps{Source: theirs, Database: g.db})
	infos, _ = notes(stack)
	assert.Len(t, infos, 1, "nor is it of a stream of another app")
}

func TestBatchesThatWaitForEachOtherAreSaid(t *testing.T) {
	infos, _ := notes(sized(4, &database.PrivateRdsProps{}, load.PostgresLoaderProps{ParallelizationFactor: 10, ReservedConcurrency: 8}))
	assert.Equal(t, []string{
		"4 shards of 10 batches at a time each, and 8 invocations at a time: 32 batches wait for each other, which Lambda counts as throttles [ack: millrace:loader-turns]",
	}, infos)
}
