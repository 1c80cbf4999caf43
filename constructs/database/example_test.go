package database_test

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/database"
)

func ExampleNewPrivateRds() {
	stack := awscdk.NewStack(awscdk.NewApp(nil), jsii.String("Orders"), nil)
	db := database.NewPrivateRds(stack, "Database", &database.PrivateRdsProps{
		AvailabilityZones: []string{"eu-west-1a", "eu-west-1b"},
		MultiAz:           true,
	})

	reports := awslambda.NewFunction(stack, jsii.String("Reports"), &awslambda.FunctionProps{
		Runtime:        awslambda.Runtime_PROVIDED_AL2023(),
		Handler:        jsii.String("bootstrap"),
		Code:           awslambda.Code_FromAsset(jsii.String("build/reports"), nil),
		Vpc:            db.Vpc(),
		VpcSubnets:     db.Subnets(),
		SecurityGroups: &[]awsec2.ISecurityGroup{database.NewClosedGroup(stack, "ReportsGroup", db.Vpc(), "The reports")},
	})
	db.GrantConnect(reports, "report_reader")
}

func ExampleRequireUnreachable() {
	app := awscdk.NewApp(nil)
	database.RequireUnreachable(app)
	database.NewPrivateRds(awscdk.NewStack(app, jsii.String("Orders"), nil), "Database", nil)
	app.Synth(nil) // fails, and names the way, once something leads to the database
}
