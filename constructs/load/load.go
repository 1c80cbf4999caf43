// Package load defines how a stream's events become rows of a database.
package load

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/database"
	"github.com/millrace-cdk/millrace/constructs/gofunc"
	"github.com/millrace-cdk/millrace/constructs/internal/suppress"
	"github.com/millrace-cdk/millrace/constructs/rollout"
	"github.com/millrace-cdk/millrace/constructs/stream"
	"github.com/millrace-cdk/millrace/spec"
)

// The functions' main packages.
const (
	loaderPackage   = "github.com/millrace-cdk/millrace/lambdas/loader/cmd"
	migratorPackage = "github.com/millrace-cdk/millrace/lambdas/migrator/cmd"
)

// PostgresLoader is a function that writes a stream's events into a database,
// each once however often it comes, and another one that brings the tables up
// to date first, during the deploy.
type PostgresLoader struct {
	constructs.Construct

	Function  awslambda.Function              // writes the rows
	Migrator  awslambda.Function              // makes and changes the tables
	Migration awscdk.CustomResource           // the migrator's run during a deploy
	Mapping   awslambda.CfnEventSourceMapping // from the stream to the function
	OnFailure awss3.IBucket                   // keeps the batches that could not be loaded
	Rollout   *rollout.Rollout                // of the function; nil unless it is asked for

	alarms []awscloudwatch.Alarm
}

// NewPostgresLoader defines a PostgresLoader in scope. It panics on invalid props
// (see [PostgresLoaderProps.Validate]).
func NewPostgresLoader(scope constructs.Construct, id string, props *PostgresLoaderProps) *PostgresLoader {
	if err := props.Validate(); err != nil {
		panic(fmt.Errorf("load: %s: %w", id, err))
	}
	p := props.withDefaults()

	l := new(PostgresLoader)
	constructs.NewConstruct_Override(l, scope, &id)
	stream.RecordsFitLambda(l, p.Source, "the loader")
	l.OnFailure = l.bucket(p)
	l.Migrator = l.migrator(p)
	l.Migration = l.migration(p)
	l.Function = l.function(p)
	l.Rollout = l.rollOut(p)
	l.Mapping = l.mapping(p)
	l.sayConcurrency(p)
	l.watch(p)
	l.watchRollout()
	return l
}

// function needs no endpoint: its IAM token is a signature made inside it, and
// what it logs and what failed are sent by Lambda from outside the VPC.
func (l *PostgresLoader) function(p *PostgresLoaderProps) awslambda.Function {
	group := database.NewClosedGroup(l, "LoaderSecurityGroup", p.Database.Vpc(), "The loader of "+*l.Node().Path())
	loader := gofunc.NewGoFunction(l, "Loader", &gofunc.GoFunctionProps{
		Package:        loaderPackage,
		Description:    "Writes events into Postgres",
		Architecture:   p.Architecture,
		Environment:    environment(l, spec.Loader{Database: address(p.Database), User: spec.LoaderRole, Tables: p.Tables}),
		MemoryMiB:      p.MemoryMiB,
		Timeout:        p.Timeout,
		Vpc:            p.Database.Vpc(),
		VpcSubnets:     p.Database.Subnets(),
		SecurityGroups: []awsec2.ISecurityGroup{group},
		LogRetention:   p.LogRetention,
		RemovalPolicy:  p.RemovalPolicy,
		Configure: func(props *awslambda.FunctionProps) {
			props.ReservedConcurrentExecutions = p.reserved()
			if p.Configure != nil {
				p.Configure(props)
			}
		},
	})
	accept(loader, "Lambda reads the stream for it and keeps what it gives up in OnFailure; a dead-letter queue is for asynchronous events")
	p.Database.GrantConnect(loader.Function, spec.LoaderRole)
	l.grantPolling(loader.Role, p.Source)
	// A new loader must not meet old tables.
	loader.Function.Node().AddDependency(l.Migration)
	return loader.Function
}

func (l *PostgresLoader) mapping(p *PostgresLoaderProps) awslambda.CfnEventSourceMapping {
	props := &awslambda.CfnEventSourceMappingProps{
		EventSourceArn:   p.Source.StreamArn(),
		FunctionName:     l.invoked(),
		StartingPosition: jsii.String(string(p.StartingPosition)),

		BatchSize:                      jsii.Number(p.BatchSize),
		MaximumBatchingWindowInSeconds: p.BatchWindow.ToSeconds(nil),
		ParallelizationFactor:          jsii.Number(p.ParallelizationFactor),

		FunctionResponseTypes:      jsii.Strings("ReportBatchItemFailures"),
		BisectBatchOnFunctionError: jsii.Bool(true),
		MaximumRetryAttempts:       jsii.Number(p.RetryAttempts),
		MaximumRecordAgeInSeconds:  p.MaxRecordAge.ToSeconds(nil),
		// S3 and not SQS or SNS, which would get the batch's place in the stream but not its records.
		DestinationConfig: &awslambda.CfnEventSourceMapping_DestinationConfigProperty{
			OnFailure: &awslambda.CfnEventSourceMapping_OnFailureProperty{Destination: l.OnFailure.BucketArn()},
		},
		// Without it Lambda does not say what it gave up.
		MetricsConfig: &awslambda.CfnEventSourceMapping_MetricsConfigProperty{
			Metrics: jsii.Strings("EventCount"),
		},
	}
	if !p.StartAt.IsZero() {
		props.StartingPositionTimestamp = jsii.Number(p.StartAt.Unix())
	}
	if p.Disabled {
		props.Enabled = jsii.Bool(false)
	}
	mapping := awslambda.NewCfnEventSourceMapping(l, jsii.String("Mapping"), props)
	// Before its way to the database is open, every batch would cost attempts.
	mapping.Node().AddDependency(l.Migration, l.Node().FindChild(jsii.String("LoaderSecurityGroup")))
	return mapping
}

// accept says which rules of the scanners both functions break, and why: queue is why there is no dead-letter queue.
func accept(f *gofunc.GoFunction, queue string) {
	suppress.Rules(f.LogGroup, "CloudWatch Logs encrypts it with a key of its own; no row and no credential is logged", "CKV_AWS_158")
	suppress.Rules(f.Function, queue, "CKV_AWS_116")
	suppress.Rules(f.Function, "Its environment is names and addresses: the loader has no secret, and the migrator reads it from the secret", "CKV_AWS_173")
}

// address is where the loader connects to: the proxy, if there is one.
func address(db database.Database) spec.Database {
	at := spec.Database{Host: *db.Host(), Port: *db.Port(), Name: db.Name(), Proxied: db.Proxied()}
	if !at.Proxied {
		at.CABundle = db.CABundle() // which is the server's, and not the proxy's
	}
	return at
}

func environment(l *PostgresLoader, s any) map[string]string {
	text, err := spec.Encode(s)
	if err != nil {
		panic(fmt.Errorf("load: %s: %w", *l.Node().Path(), err))
	}
	return map[string]string{spec.Variable: text}
}
