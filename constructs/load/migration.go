package load

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/database"
	"github.com/millrace-cdk/millrace/constructs/gofunc"
	"github.com/millrace-cdk/millrace/constructs/internal/suppress"
	"github.com/millrace-cdk/millrace/spec"
)

// maxMigrationBytes bounds the texts of all migrations. They travel in the
// template, which may have 1 MB, and in the migrator's event, which on an
// update has the old ones too and is sent as an asynchronous invocation.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const maxMigrationBytes = 100_000

// migrationName is what the generator calls its files. Their order is that of their names.
var migrationName = regexp.MustCompile(`^\d{5}_[a-z0-9_]+\.sql$`)

// migrations reads the files of Migrations, by name.
func (p *PostgresLoaderProps) migrations() (map[string]string, error) {
	if p.Migrations == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(p.Migrations)
	if err != nil {
		return nil, fmt.Errorf("reading migrations: %w", err)
	}
	var errs []error
	files, size := map[string]string{}, 0
	for _, entry := range entries {
		if filepath.Ext(entry.Name()) != ".sql" {
			continue
		}
		if !migrationName.MatchString(entry.Name()) {
			errs = append(errs, fmt.Errorf("migrations must be named like 00001_expand.sql, got %s", entry.Name()))
		}
		text, err := os.ReadFile(filepath.Join(p.Migrations, entry.Name()))
		if err != nil {
			errs = append(errs, fmt.Errorf("reading migrations: %w", err))
		}
		files[entry.Name()] = string(text)
		size += len(text)
	}
	if len(files) == 0 {
		errs = append(errs, fmt.Errorf("migrations must be a folder of .sql files, found none in %s", p.Migrations))
	}
	if size > maxMigrationBytes {
		errs = append(errs, fmt.Errorf("migrations must be at most %d bytes in all, got %d", maxMigrationBytes, size))
	}
	return files, errors.Join(errs...)
}

// migrator has all the time that Lambda gives: a migration of a large table is slow.
func (l *PostgresLoader) migrator(p *PostgresLoaderProps) awslambda.Function {
	group := database.NewClosedGroup(l, "MigratorSecurityGroup", p.Database.Vpc(), "The migrator of "+*l.Node().Path())
	// Its answer to CloudFormation goes to S3, whose addresses (a prefix list) are
	// not known without a look-up. In isolated subnets no address leads anywhere
	// but to S3's endpoint, and that to CloudFormation's bucket alone.
	group.AddEgressRule(awsec2.Peer_AnyIpv4(), awsec2.Port_HTTPS(), jsii.String("CloudFormation's bucket for answers"), nil)

	migrator := gofunc.NewGoFunction(l, "Migrator", &gofunc.GoFunctionProps{
		Package:        migratorPackage,
		Description:    "Brings the tables up to date during a deploy",
		Architecture:   p.Architecture,
		Environment:    environment(l, spec.Migrator{Database: directAddress(p.Database), SecretARN: *p.Database.Secret().SecretArn()}),
		Timeout:        awscdk.Duration_Minutes(jsii.Number(15)),
		Vpc:            p.Database.Vpc(),
		VpcSubnets:     p.Database.Subnets(),
		SecurityGroups: []awsec2.ISecurityGroup{group},
		LogRetention:   p.LogRetention,
		RemovalPolicy:  p.RemovalPolicy,
	})
	accept(migrator, "CloudFormation waits for its answer and rolls back without one")
	suppress.Rules(migrator.Function, "CloudFormation calls it once in a deploy, and the migrations take a lock", "CKV_AWS_115")
	function := migrator.Function
	p.Database.GrantMaster(function)
	return function
}

// directAddress is the server itself: the migrator's lock is a session's, which
// a proxy would pin, and a migration may take longer than a proxy lets a client idle.
func directAddress(db database.Database) spec.Database {
	return spec.Database{Host: *db.DirectHost(), Port: *db.DirectPort(), Name: db.Name(), CABundle: db.CABundle()}
}

// migration runs the migrator whenever its code, and with it the migrations
// inside, those of the declared tables, or the database has changed.
func (l *PostgresLoader) migration(p *PostgresLoaderProps) awscdk.CustomResource {
	properties := map[string]any{
		"Code":     l.Migrator.Node().DefaultChild().(awslambda.CfnFunction).Code(),
		"Host":     p.Database.DirectHost(),
		"Database": p.Database.Name(),
	}
	files, err := p.migrations()
	if err != nil {
		panic(fmt.Errorf("load: %s: %w", *l.Node().Path(), err))
	}
	// Their whole text and no hash of it: it is what the migrator applies. No
	// change of the tables can leave it alone (see spec.CheckMigrations).
	if len(files) > 0 {
		properties["Migrations"] = files
	}
	migration := awscdk.NewCustomResource(l, jsii.String("Migration"), &awscdk.CustomResourceProps{
		ResourceType: jsii.String("Custom::MillraceMigration"),
		ServiceToken: l.Migrator.FunctionArn(),
		// A minute more than the function: what kills it must not leave the deploy waiting for an hour.
		ServiceTimeout: awscdk.Duration_Minutes(jsii.Number(16)),
		Properties:     &properties,
	})
	// Its way to the database and back must be open, and stay so until it is deleted:
	// the rules are the children of these, in one stack or in two.
	migration.Node().AddDependency(p.Database, l.Node().FindChild(jsii.String("MigratorSecurityGroup")))
	return migration
}
