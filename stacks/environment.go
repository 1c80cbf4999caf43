package stacks

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"

	"github.com/millrace-cdk/millrace/constructs/delivery"
	"github.com/millrace-cdk/millrace/constructs/ingest"
	"github.com/millrace-cdk/millrace/constructs/observe"
	"github.com/millrace-cdk/millrace/constructs/rollout"
)

// Environment is one deployment of millrace: everything in which environments
// differ is a value here, so that they share every line of code. A zero value is
// not an environment; take one from [EnvironmentNamed], or fill in your own.
type Environment struct {
	// Name stands in the stacks' names, Millrace-NAME-Foundation and so on:
	// lower-case letters, digits and hyphens.
	Name string
	// Account is the AWS account to deploy to. Default: that of whoever deploys, so that the templates
	// are the same for all.
	Account string
	// Region is the AWS region to deploy to.
	Region string
	// CheckedBy is the ARN of a role, of any account, that may check the environment after a deploy:
	// the release's. It gets an API key of its own, or may sign; it reads the lake. Default: nobody.
	CheckedBy string
	// AvailabilityZones are the zones of Region that the database's network
	// spans, at least two. They are values and no lookup, so that synth gives the
	// same with credentials and without.
	AvailabilityZones []string
	// Architecture is the processor of the Lambda functions.
	Architecture Architecture
	// Disposable says that the stacks may be deleted together with their data:
	// no termination protection, no retained resources. Default: false.
	Disposable bool
	// LogRetention is how long every log group keeps its events. For ever is not
	// a value: logs that nobody deletes are a cost that nobody sees.
	LogRetention awslogs.RetentionDays

	// Rollout is how a change of the transformers and the loader takes over.
	//
	// Default: at once, when it is deployed, and without a check.
	Rollout *rollout.Options

	API      API
	Stream   Stream
	Delivery Delivery
	Database Database
	Recovery Recovery
	// Operation is how it is watched over.
	Operation Operation

	// Omit are the CloudFormation types that the target does not know: resources
	// of these types are left out of the templates. It is for emulators; on AWS
	// it stays empty. A reference to an omitted resource fails the synth.
	Omit []string
}

// Architecture is a Lambda processor, named as Go names it.
type Architecture string

// The processors that Lambda has.
const (
	ARM64 Architecture = "arm64"
	AMD64 Architecture = "amd64"
)

// API is an environment's front door.
type API struct {
	// Auth is how clients prove who they are.
	Auth ingest.Auth
	// RateLimit caps the steady rate, in requests per second.
	RateLimit int
	// BurstLimit caps a burst, in requests.
	BurstLimit int
	// Waf puts a web application firewall before the API, which AWS bills by the month and by
	// request. Default: false.
	Waf bool
	// AccountHasLogRole says that the account's API Gateway already has its role
	// for writing logs (AWS::ApiGateway::Account, one per account and region), so
	// that the stack leaves it alone. Default: false, the stack makes it.
	AccountHasLogRole bool
}

// Stream is an environment's Kinesis data stream.
type Stream struct {
	// Shards is the number of provisioned shards. Default: 0, on demand.
	Shards int
	// RetentionHours is how long the stream keeps a record, 24 to 8760 hours:
	// https://docs.aws.amazon.com/streams/latest/dev/kinesis-extended-retention.html
	RetentionHours int
	// ShardMetrics measures each shard, at the price of two custom metrics a shard, so that there is an
	// alarm for a hot one before it refuses anything. Default: false.
	ShardMetrics bool
}

func (s Stream) shardLevelMetrics() []awskinesis.ShardLevelMetrics {
	if !s.ShardMetrics {
		return nil
	}
	return []awskinesis.ShardLevelMetrics{awskinesis.ShardLevelMetrics_INCOMING_BYTES, awskinesis.ShardLevelMetrics_INCOMING_RECORDS}
}

// Delivery is an environment's delivery to the lake.
type Delivery struct {
	// BufferSeconds and BufferMiB bound an object of the lake, whichever comes first: 0 to 900 s, 1 to 128 MiB.
	// With Parquet they are at least 60 s and 64 MiB.
	BufferSeconds int
	BufferMiB     int
	// Parquet are the columns of a second delivery, which writes Apache Parquet by type and hour into
	// a bucket of its own, with a table for Athena. What has no column is in the first one alone.
	//
	// Default: none; there is no second delivery.
	Parquet []delivery.Column
}

// Database is an environment's Postgres.
type Database struct {
	// InstanceType is the RDS instance class without its prefix: "t4g.small".
	InstanceType string
	// MultiAz keeps a standby in a second zone.
	MultiAz bool
	// StorageGiB is the allocated storage; 20 GiB is gp3's least.
	StorageGiB int
	// BackupDays is how long automated backups are kept, 1 to 35 days.
	BackupDays int
	// Port is the server's TCP port.
	Port int
	// CABundle is the PEM of who signs the server's certificate. Default: RDS's own.
	CABundle string
	// SkipRotation leaves the master secret unrotated. Default: false.
	SkipRotation bool
}

// Operation is how an environment is watched over.
type Operation struct {
	// PageTo are woken by what is critical, TicketTo are told of every alarm: e-mail addresses and
	// https:// URLs. Default: nobody.
	PageTo, TicketTo []string
	// Severities are those that differ from the alarms' own, by the anchor of the
	// alarm's section in the runbook: "ingest-clienterrors". Default: none.
	Severities map[string]observe.Severity
	// Runbook is where the runbook is read. Default: [observe.DefaultRunbook].
	Runbook string
	// Prices are what the dashboard computes the cost of a million events of.
	Prices observe.Prices
	// SkipSymptoms leaves out the composite alarms, and SkipMathAlarms the alarms on metric math,
	// which an emulator rejects. Default: false.
	SkipSymptoms, SkipMathAlarms bool
}

var (
	environmentName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,30}$`)
	accountID       = regexp.MustCompile(`^\d{12}$`)
	roleARN         = regexp.MustCompile(`^arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+$`)
	regionName      = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-\d$`)
	instanceType    = regexp.MustCompile(`^[a-z0-9]+\.[a-z0-9]+$`)
)

// Validate reports all that is wrong with e at once, a line a problem.
func (e Environment) Validate() error {
	var errs []error
	problem := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	between := func(what string, got, low, high int, unit string) {
		problem(got < low || got > high, "%s must be %d to %d %s, got %d", what, low, high, unit, got)
	}

	problem(!environmentName.MatchString(e.Name), "Name must be lower-case letters, digits and hyphens, got %q", e.Name)
	problem(e.Account != "" && !accountID.MatchString(e.Account), "Account must be the twelve digits of an AWS account, got %q", e.Account)
	problem(e.CheckedBy != "" && !roleARN.MatchString(e.CheckedBy), "CheckedBy must be the ARN of a role, got %q", e.CheckedBy)
	problem(!regionName.MatchString(e.Region), "Region must be an AWS region such as eu-west-1, got %q", e.Region)
	problem(len(e.AvailabilityZones) < 2, "AvailabilityZones must be two or more, got %d: a database's subnet group needs two", len(e.AvailabilityZones))
	for i, zone := range e.AvailabilityZones {
		problem(len(zone) != len(e.Region)+1 || !strings.HasPrefix(zone, e.Region), "AvailabilityZones must be zones of %s, got %q", e.Region, zone)
		problem(slices.Index(e.AvailabilityZones, zone) != i, "AvailabilityZones must differ, got %q twice", zone)
	}
	problem(e.Architecture != ARM64 && e.Architecture != AMD64, "Architecture must be %q or %q, got %q", ARM64, AMD64, e.Architecture)
	problem(e.LogRetention == "" || e.LogRetention == awslogs.RetentionDays_INFINITE, "LogRetention must be a number of days such as RetentionDays_ONE_MONTH, got %q", e.LogRetention)
	problem(e.API.Auth != ingest.AuthIAM && e.API.Auth != ingest.AuthAPIKey, "API.Auth must be AuthIAM or AuthAPIKey, got %v", e.API.Auth)
	between("API.RateLimit", e.API.RateLimit, 1, 10_000, "requests a second")
	between("API.BurstLimit", e.API.BurstLimit, 1, 5_000, "requests")
	between("Stream.Shards", e.Stream.Shards, 0, 10_000, "shards, 0 being on demand")
	between("Stream.RetentionHours", e.Stream.RetentionHours, 24, 8760, "hours")
	leastSeconds, leastMiB, with := 0, 1, ""
	if len(e.Delivery.Parquet) > 0 {
		leastSeconds, leastMiB, with = 60, 64, " with Parquet"
	}
	between("Delivery.BufferSeconds", e.Delivery.BufferSeconds, leastSeconds, 900, "seconds"+with)
	between("Delivery.BufferMiB", e.Delivery.BufferMiB, leastMiB, 128, "MiB"+with)
	problem(!instanceType.MatchString(e.Database.InstanceType), "Database.InstanceType must be a class without its prefix, such as t4g.small, got %q", e.Database.InstanceType)
	between("Database.StorageGiB", e.Database.StorageGiB, 20, 65_536, "GiB")
	between("Database.BackupDays", e.Database.BackupDays, 1, 35, "days")
	between("Database.Port", e.Database.Port, 1150, 65_535, "")
	errs = append(errs, e.Recovery.validate(e))
	if err := (&observe.AlertsProps{
		PageTo: e.Operation.PageTo, TicketTo: e.Operation.TicketTo, Severities: e.Operation.Severities, Runbook: e.Operation.Runbook,
	}).Validate(); err != nil {
		errs = append(errs, fmt.Errorf("Operation: %w", err))
	}
	problem(e.Operation.Prices == (observe.Prices{}), "Operation.Prices must be given: the dashboard computes the cost of them")
	problem(!e.Disposable && (e.Operation.SkipSymptoms || e.Operation.SkipMathAlarms), "Operation must skip no alarms where data is kept: it is for emulators")
	problem(!e.Disposable && len(e.Omit) > 0, "Omit must be empty where data is kept: it is for emulators, got %v", e.Omit)

	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("environment %q:\n%w", e.Name, err)
	}
	return nil
}
