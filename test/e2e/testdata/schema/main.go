// Command schema is the app of a user with a table of their own, beside what is
// deployed to env=local: a stream, and a loader into the Postgres that is there
// already. Its context says which release it is:
//
//	streams     the streams' ids, each with a loader of its own
//	tables      the declared tables, as JSON
//	migrations  the folder of their migrations
//	database    the database's name
//	secret      the ARN of its master's secret
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/database"
	"github.com/millrace-cdk/millrace/constructs/load"
	"github.com/millrace-cdk/millrace/constructs/stream"
	"github.com/millrace-cdk/millrace/spec"
	"github.com/millrace-cdk/millrace/stacks"
)

func main() {
	// Trouble is a panic, as CDK reports its own.
	local, err := stacks.EnvironmentNamed("local", os.Getenv)
	if err != nil {
		panic(err)
	}
	app := awscdk.NewApp(nil)
	context := func(name string) string { return fmt.Sprint(app.Node().GetContext(&name)) }
	var tables []spec.Table
	if err := json.Unmarshal([]byte(context("tables")), &tables); err != nil {
		panic(fmt.Errorf("reading the tables: %w", err))
	}

	stack := awscdk.NewStack(app, jsii.String("Schema"), nil)
	server := existing(stack, local.Database, context("database"), context("secret"))
	for id := range strings.SplitSeq(context("streams"), ",") {
		core := stream.NewStreamingCore(stack, id, &stream.StreamingCoreProps{Shards: 2, RemovalPolicy: awscdk.RemovalPolicy_DESTROY})
		loader := load.NewPostgresLoader(stack, id+"Loader", &load.PostgresLoaderProps{
			Source:        core.Stream,
			Database:      server,
			Tables:        tables,
			Migrations:    context("migrations"),
			SkipAlarms:    true, // the emulator takes none on metric math
			Architecture:  map[stacks.Architecture]awslambda.Architecture{stacks.AMD64: awslambda.Architecture_X86_64()}[local.Architecture],
			RemovalPolicy: awscdk.RemovalPolicy_DESTROY,
		})
		awscdk.NewCfnOutput(stack, jsii.String(id+"Stream"), &awscdk.CfnOutputProps{Value: core.Stream.StreamName()})
		awscdk.NewCfnOutput(stack, jsii.String(id+"OnFailure"), &awscdk.CfnOutputProps{Value: loader.OnFailure.BucketName()})
	}
	omit(stack, local.Omit)
	app.Synth(nil)
}

// existing is the laptop's Postgres.
func existing(stack awscdk.Stack, server stacks.Database, name, secret string) *database.Existing {
	vpc := awsec2.NewVpc(stack, jsii.String("Vpc"), &awsec2.VpcProps{
		MaxAzs: jsii.Number(2), NatGateways: jsii.Number(0), RestrictDefaultSecurityGroup: jsii.Bool(false),
		SubnetConfiguration: &[]*awsec2.SubnetConfiguration{{Name: jsii.String("Isolated"), SubnetType: awsec2.SubnetType_PRIVATE_ISOLATED}},
	})
	return database.FromExisting(stack, "Database", &database.ExistingProps{
		Host: "localhost", Port: server.Port, DatabaseName: name, CABundle: server.CABundle,
		ResourceID:     "db-LAPTOP",
		Secret:         awssecretsmanager.Secret_FromSecretCompleteArn(stack, jsii.String("Secret"), &secret),
		Vpc:            vpc,
		SecurityGroups: []awsec2.ISecurityGroup{database.NewClosedGroup(stack, "DatabaseGroup", vpc, "Postgres on the laptop")},
		MaxConnections: 100,
	})
}

// omit takes out what the emulator does not know.
func omit(scope constructs.Construct, types []string) {
	for _, node := range *scope.Node().FindAll(constructs.ConstructOrder_POSTORDER) {
		if resource, ok := node.(awscdk.CfnResource); ok && slices.Contains(types, *resource.CfnResourceType()) {
			node.Node().Scope().Node().TryRemoveChild(node.Node().Id())
		}
	}
}
