// Package load defines how a stream's events become rows of a database.
package load

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/database"
	"github.com/millrace-cdk/millrace/constructs/gofunc"
	"github.com/millrace-cdk/millrace/constructs/stream"
	"github.com/millrace-cdk/millrace/spec"
)

// The functions' main packages.
const (
	loaderPackage   = "github.com/millrace-cdk/millrace/lambdas/loader/cmd"
	migratorPackage = "github.com/millrace-cdk/millrace/lambdas/migrator/cmd"
)

// failuresFolder is where Lambda puts failed batches, in a folder for each
// mapping. It is not for us to choose.
// https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
const failuresFolder = "aws/lambda/"

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
	l.Mapping = l.mapping(p)
	return l
}

// FailuresPrefix is the folder of OnFailure that this loader's failed batches are in.
func (l *PostgresLoader) FailuresPrefix() *string {
	return jsii.String(failuresFolder + *l.Mapping.Ref() + "/")
}

func (l *PostgresLoader) bucket(p *PostgresLoaderProps) awss3.IBucket {
	if p.OnFailure != nil {
		return p.OnFailure
	}
	props := &awss3.BucketProps{
		BlockPublicAccess: awss3.BlockPublicAccess_BLOCK_ALL(),
		ObjectOwnership:   awss3.ObjectOwnership_BUCKET_OWNER_ENFORCED,
		EnforceSSL:        jsii.Bool(true),
		MinimumTLSVersion: jsii.Number(1.2),
		Encryption:        awss3.BucketEncryption_S3_MANAGED,
		Versioned:         jsii.Bool(true),
		RemovalPolicy:     p.RemovalPolicy,
	}
	// The batches are the stream's data: whoever may not decrypt that may not read them either.
	if key := p.Source.EncryptionKey(); key != nil {
		props.Encryption, props.EncryptionKey, props.BucketKeyEnabled = awss3.BucketEncryption_KMS, key, jsii.Bool(true)
	}
	return awss3.NewBucket(l, jsii.String("OnFailure"), props)
}

// migrator has all the time that Lambda gives: a migration of a large table is slow.
func (l *PostgresLoader) migrator(p *PostgresLoaderProps) awslambda.Function {
	group := database.NewClosedGroup(l, "MigratorSecurityGroup", p.Database.Vpc(), "The migrator of "+*l.Node().Path())
	// Its answer to CloudFormation goes to S3, whose addresses (a prefix list) are
	// not known without a look-up. In isolated subnets no address leads anywhere
	// but to S3's endpoint, and that to CloudFormation's bucket alone.
	group.AddEgressRule(awsec2.Peer_AnyIpv4(), awsec2.Port_HTTPS(), jsii.String("CloudFormation's bucket for answers"), nil)

	function := gofunc.NewGoFunction(l, "Migrator", &gofunc.GoFunctionProps{
		Package:        migratorPackage,
		Description:    "Brings the tables up to date during a deploy",
		Architecture:   p.Architecture,
		Environment:    environment(l, spec.Migrator{Database: address(p.Database), SecretARN: *p.Database.Secret().SecretArn()}),
		Timeout:        awscdk.Duration_Minutes(jsii.Number(15)),
		Vpc:            p.Database.Vpc(),
		VpcSubnets:     p.Database.Subnets(),
		SecurityGroups: []awsec2.ISecurityGroup{group},
		LogRetention:   p.LogRetention,
		RemovalPolicy:  p.RemovalPolicy,
	}).Function
	p.Database.GrantMaster(function)
	return function
}

// migration runs the migrator whenever its code, and with it the migrations
// inside, or the database has changed.
func (l *PostgresLoader) migration(p *PostgresLoaderProps) awscdk.CustomResource {
	migration := awscdk.NewCustomResource(l, jsii.String("Migration"), &awscdk.CustomResourceProps{
		ResourceType: jsii.String("Custom::MillraceMigration"),
		ServiceToken: l.Migrator.FunctionArn(),
		// A minute more than the function: what kills it must not leave the deploy waiting for an hour.
		ServiceTimeout: awscdk.Duration_Minutes(jsii.Number(16)),
		Properties: &map[string]any{
			"Code":     l.Migrator.Node().DefaultChild().(awslambda.CfnFunction).Code(),
			"Host":     p.Database.Host(),
			"Database": p.Database.Name(),
		},
	})
	// Its way to the database and back must be open, and stay so until it is deleted:
	// the rules are the children of these, in one stack or in two.
	migration.Node().AddDependency(p.Database, l.Node().FindChild(jsii.String("MigratorSecurityGroup")))
	return migration
}

// function needs no endpoint: its IAM token is a signature made inside it, and
// what it logs and what failed are sent by Lambda from outside the VPC.
func (l *PostgresLoader) function(p *PostgresLoaderProps) awslambda.Function {
	group := database.NewClosedGroup(l, "LoaderSecurityGroup", p.Database.Vpc(), "The loader of "+*l.Node().Path())
	loader := gofunc.NewGoFunction(l, "Loader", &gofunc.GoFunctionProps{
		Package:        loaderPackage,
		Description:    "Writes events into Postgres",
		Architecture:   p.Architecture,
		Environment:    environment(l, spec.Loader{Database: address(p.Database), User: spec.LoaderRole}),
		MemoryMiB:      p.MemoryMiB,
		Timeout:        p.Timeout,
		Vpc:            p.Database.Vpc(),
		VpcSubnets:     p.Database.Subnets(),
		SecurityGroups: []awsec2.ISecurityGroup{group},
		LogRetention:   p.LogRetention,
		RemovalPolicy:  p.RemovalPolicy,
		Configure:      p.Configure,
	})
	p.Database.GrantConnect(loader.Function, spec.LoaderRole)
	l.grantPolling(loader.Role, p.Source)
	// A new loader must not meet old tables.
	loader.Function.Node().AddDependency(l.Migration)
	return loader.Function
}

func (l *PostgresLoader) mapping(p *PostgresLoaderProps) awslambda.CfnEventSourceMapping {
	mapping := awslambda.NewCfnEventSourceMapping(l, jsii.String("Mapping"), &awslambda.CfnEventSourceMappingProps{
		EventSourceArn:   p.Source.StreamArn(),
		FunctionName:     l.Function.FunctionName(),
		StartingPosition: jsii.String("TRIM_HORIZON"), // nothing that the stream has is left out

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
	})
	// Before its way to the database is open, every batch would cost attempts.
	mapping.Node().AddDependency(l.Migration, l.Node().FindChild(jsii.String("LoaderSecurityGroup")))
	return mapping
}

func address(db database.Database) spec.Database {
	return spec.Database{Host: *db.Host(), Port: *db.Port(), Name: db.Name(), CABundle: db.CABundle()}
}

func environment(l *PostgresLoader, s any) map[string]string {
	text, err := spec.Encode(s)
	if err != nil {
		panic(fmt.Errorf("load: %s: %w", *l.Node().Path(), err))
	}
	return map[string]string{spec.Variable: text}
}
