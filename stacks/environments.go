package stacks

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"

	"github.com/millrace-cdk/millrace/constructs/delivery"
	"github.com/millrace-cdk/millrace/constructs/ingest"
	"github.com/millrace-cdk/millrace/constructs/observe"
	"github.com/millrace-cdk/millrace/constructs/rollout"
	"github.com/millrace-cdk/millrace/internal/prices"
)

// The variables by which `millrace up` tells Local where the laptop's Postgres is.
const (
	// LocalDatabasePort is the port that the laptop's Postgres listens on.
	LocalDatabasePort = "MILLRACE_LOCAL_DATABASE_PORT"
	// LocalDatabaseCA is the path of the PEM file of the authority that signed its certificate.
	LocalDatabaseCA = "MILLRACE_LOCAL_DATABASE_CA"
)

// EnvironmentNames are the environments that [EnvironmentNamed] knows.
var environmentNames = []string{"local", "dev", "staging", "prod", "recovery"}

// EnvironmentNamed returns the environment of that name: local, dev, staging,
// prod or recovery. The values of local come partly from what `millrace up` started, by way
// of getenv; the others depend on nothing but the name.
func EnvironmentNamed(name string, getenv func(string) string) (Environment, error) {
	switch name {
	case "local":
		return local(getenv)
	case "dev":
		return dev(), nil
	case "staging":
		return staging(), nil
	case "prod":
		return prod(), nil
	case "recovery":
		return secondRegion(), nil
	}
	return Environment{}, fmt.Errorf("env must be one of %s or %s, got %q: say -c env=dev", strings.Join(environmentNames, ", "), ReleaseName, name)
}

// prod is what the others are measured against.
func prod() Environment {
	e := Environment{
		Name:              "prod",
		Region:            "eu-west-1",
		AvailabilityZones: []string{"eu-west-1a", "eu-west-1b"},
		Architecture:      ARM64,
		LogRetention:      awslogs.RetentionDays_ONE_YEAR,
		Rollout:           &rollout.Options{}, // a tenth of the invocations, for half an hour
		API:               API{Auth: ingest.AuthIAM, RateLimit: 1000, BurstLimit: 2000, Waf: true},
		Stream:            Stream{RetentionHours: 7 * 24, ShardMetrics: true},
		Delivery:          Delivery{BufferSeconds: 300, BufferMiB: 64, Parquet: columns()},
		Database:          Database{InstanceType: "m7g.large", MultiAz: true, StorageGiB: 100, BackupDays: 35, Port: 5433},
		Recovery:          Recovery{BackupDays: 35, LockDays: 7, CopyTo: "recovery", CopyRegion: recoveryRegion},
	}
	e.Operation.Prices = e.prices()
	return e
}

// prices are those of package prices that grow with the events or run without them, for the dashboard's estimate:
// put those of your region and of your contract into its table.
func (e Environment) prices() observe.Prices {
	const recordsGB = 5 * 1024 * 1e6 / 1e9 // of a million records of 5 KiB, to which Firehose rounds each up
	usd := prices.Listed().First
	zones := 1.0
	if e.Database.MultiAz {
		zones = 2
	}
	deliveries := 1.0
	if len(e.Delivery.Parquet) > 0 {
		deliveries++
	}
	all := observe.Prices{
		MillionRequests: usd("apigateway.requests"),
		MillionRecords:  deliveries * usd("firehose.in") * recordsGB,
		GB:              usd("kinesis.ondemand.in") + (deliveries+1)*usd("kinesis.ondemand.out"), // the loader reads too
		Hour:            usd("kinesis.ondemand.hour") + zones*usd("rds.db."+e.Database.InstanceType),
	}
	if e.API.Waf {
		all.MillionRequests += usd("waf.requests")
	}
	return all
}

// recoveryRegion is where prod is brought back if its own region is lost.
const recoveryRegion = "eu-central-1"

// secondRegion is prod once more, in another region, as a pilot light: Foundation stands
// ready and receives prod's copies, with a small database; Pipeline is deployed when it is needed
// (docs/disaster-recovery.md). It depends on nothing in prod's region.
func secondRegion() Environment {
	e := prod()
	e.Name = "recovery"
	e.Region = recoveryRegion
	e.AvailabilityZones = []string{recoveryRegion + "a", recoveryRegion + "b"}
	e.Database.InstanceType = "t4g.medium"
	e.Recovery = Recovery{Receiving: true, LockDays: 7}
	e.Operation.Prices = e.prices()
	return e
}

// columns are what the Parquet lake keeps of an event. Behind the first two they
// are of the data that the demo and the tests send: put yours in their place.
func columns() []delivery.Column {
	return []delivery.Column{
		{Name: "event_id", Type: "string"},
		{Name: "occurred_at", Type: "string"},
		{Name: "feature", Type: "struct<properties:struct<mag:double,place:string>>", Comment: "An earthquake"},
		{Name: "delay", Type: "int", Comment: "Of a flight, in minutes"},
		{Name: "distance", Type: "int", Comment: "Of a flight, in miles"},
		{Name: "time", Type: "double", Comment: "Of a flight's departure, in hours of the day"},
	}
}

// staging is prod at a smaller size: the same protections, so that a release meets them there first.
func staging() Environment {
	e := prod()
	e.Name = "staging"
	e.LogRetention = awslogs.RetentionDays_THREE_MONTHS
	e.Rollout = &rollout.Options{Percent: 50, Minutes: 5}
	e.API.RateLimit, e.API.BurstLimit = 200, 400
	e.Stream.RetentionHours = 48
	e.Database.InstanceType, e.Database.StorageGiB, e.Database.BackupDays = "t4g.medium", 20, 7
	e.Recovery = Recovery{BackupDays: 7, LockDays: 1}
	e.Operation.Prices = e.prices()
	return e
}

// dev may be thrown away, and lets a developer in by an API key.
func dev() Environment {
	e := staging()
	e.Name = "dev"
	e.Disposable = true
	e.LogRetention = awslogs.RetentionDays_TWO_WEEKS
	e.Rollout = &rollout.Options{AllAtOnce: true} // and still not before the hook has passed
	e.API = API{Auth: ingest.AuthAPIKey, RateLimit: 50, BurstLimit: 100}
	e.Stream.RetentionHours, e.Stream.ShardMetrics = 24, false
	e.Delivery.BufferSeconds, e.Delivery.Parquet = 60, nil
	e.Database.MultiAz, e.Database.InstanceType, e.Database.BackupDays = false, "t4g.small", 1
	e.Recovery = Recovery{}
	e.Operation.Prices = e.prices()
	return e
}

// local is dev on the laptop's emulator and Postgres.
func local(getenv func(string) string) (Environment, error) {
	e := dev()
	e.Name = "local"
	e.Architecture = Architecture(runtime.GOARCH)
	// The demo posts as fast as one client can.
	e.API.RateLimit, e.API.BurstLimit = 10_000, 5_000
	// The emulator rejects a template with an alarm on metric math, as that on a drop of requests is, or on alarms.
	e.Operation.SkipMathAlarms, e.Operation.SkipSymptoms = true, true
	// It has no CodeDeploy: `millrace rollout` moves the aliases, by the hooks' own code.
	e.Rollout = &rollout.Options{SkipCodeDeploy: true}
	e.Stream.Shards = 2
	e.Delivery.Parquet = columns()
	// The emulator hangs on the serverless-repo application that rotates.
	e.Database.SkipRotation = true
	// Types that the emulator rejects, and nothing refers to.
	e.Omit = []string{
		"AWS::Athena::NamedQuery",
		"AWS::EC2::FlowLog",
		"AWS::EC2::SecurityGroupEgress",
		"AWS::EC2::SecurityGroupIngress",
	}

	if port := getenv(LocalDatabasePort); port != "" {
		number, err := strconv.Atoi(port)
		if err != nil {
			return Environment{}, fmt.Errorf("%s must be a port number, got %q", LocalDatabasePort, port)
		}
		e.Database.Port = number
	}
	if path := getenv(LocalDatabaseCA); path != "" {
		pem, err := os.ReadFile(path)
		if err != nil {
			return Environment{}, fmt.Errorf("reading %s: %w", LocalDatabaseCA, err)
		}
		e.Database.CABundle = string(pem)
	}
	return e, nil
}

// Releases is the release of millrace: four accounts, of which none is yours, and a
// connection that is not there. Put yours in their place.
func Releases() Release {
	r := Release{
		Account:    "111122223333",
		Region:     "eu-west-1",
		Repository: "millrace-cdk/millrace",
		Connection: "arn:aws:codeconnections:eu-west-1:111122223333:connection/00000000-0000-0000-0000-000000000000",
		Branch:     "main",
		Approve:    []string{"prod"},
	}
	for _, at := range []struct {
		env     Environment
		account string
	}{
		{dev(), "444455556666"},
		{staging(), "777788889999"},
		{prod(), "123456789012"},
	} {
		at.env.Account = at.account
		r.Environments = append(r.Environments, at.env)
	}
	return r
}

// EnvironmentNames lists the names that [EnvironmentNamed] takes.
func EnvironmentNames() []string { return slices.Clone(environmentNames) }
