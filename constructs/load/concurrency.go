package load

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"
)

// AssumedShards is how many shards a source is taken to have of which that is
// not known at synth: one on demand, or one that was not made in this CDK app.
// An on-demand stream begins with 4 MB/s, which is 4 shards, and doubles as it is written more.
// https://docs.aws.amazon.com/streams/latest/dev/how-do-i-size-a-stream.html
const AssumedShards = 16

// ConnectionsPercent is how much of the database's connections a loader should
// take at most; the rest is for the master, for people and for other clients.
const ConnectionsPercent = 80

// shards is how many shards the source has; 0 if that is not known at synth.
func (p *PostgresLoaderProps) shards() int {
	stream, made := p.Source.Node().DefaultChild().(awskinesis.CfnStream)
	if !made {
		return 0
	}
	count := stream.ShardCount()
	if count == nil || *awscdk.Token_IsUnresolved(count) {
		return 0
	}
	return int(*count)
}

// lanes is how many batches there may be at a time, and whether it is known.
// https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-scaling.html
func (p *PostgresLoaderProps) lanes() (n int, known bool) {
	if shards := p.shards(); shards > 0 {
		return shards * p.ParallelizationFactor, true
	}
	return AssumedShards * p.ParallelizationFactor, false
}

// reserved is the function's reserved concurrency; nil for none.
func (p *PostgresLoaderProps) reserved() *float64 {
	if p.SkipReservedConcurrency {
		return nil
	}
	n := p.ReservedConcurrency
	if n == 0 {
		n, _ = p.lanes()
	}
	return jsii.Number(n)
}

// sayConcurrency holds the invocations there may be at a time against the
// database's connections, of which each holds one.
func (l *PostgresLoader) sayConcurrency(p *PostgresLoaderProps) {
	lanes, known := p.lanes()
	invocations := lanes
	// What the function has in the end, Configure included.
	if reserved := l.Function.Node().DefaultChild().(awslambda.CfnFunction).ReservedConcurrentExecutions(); reserved != nil {
		invocations = int(*reserved)
		if known {
			invocations = min(invocations, lanes)
		}
	}
	say := awscdk.Annotations_Of(l)
	switch {
	case !known:
		say.AddInfoV2(jsii.String("millrace:loader-shards"), jsii.Sprintf(
			"how many shards the source has is not known here: %d are assumed, of %d batches at a time each, and there are up to %d invocations at a time. "+
				"If it has more, batches wait for each other: then raise ReservedConcurrency", AssumedShards, p.ParallelizationFactor, invocations))
	case invocations < lanes:
		say.AddInfoV2(jsii.String("millrace:loader-turns"), jsii.Sprintf(
			"%d shards of %d batches at a time each, and %d invocations at a time: %d batches wait for each other, which Lambda counts as throttles",
			p.shards(), p.ParallelizationFactor, invocations, lanes-invocations))
	}

	// A proxy has those wait who find no connection; without one they are refused.
	if p.Database.Proxied() || p.Database.MaxConnections() == 0 {
		return
	}
	if most := p.Database.MaxConnections() * ConnectionsPercent / 100; 2*invocations > most {
		say.AddWarningV2(jsii.String("millrace:loader-connections"), jsii.Sprintf(
			"%d invocations at a time hold %d connections, and a deploy doubles them until Lambda has let go of the old function: %d, of which a loader should take %d at most, "+
				"%d %% of the database's %d. Above that it is refused, and loading stalls: lower ParallelizationFactor or ReservedConcurrency, take a larger instance, or put a proxy before it",
			invocations, invocations, 2*invocations, most, ConnectionsPercent, p.Database.MaxConnections()))
	}
}
