package status

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/millrace-cdk/millrace/cmd/millrace/line"

	deployed "github.com/millrace-cdk/millrace/cmd/millrace/alarm"
)

// Config says which line is looked at, and how.
type Config struct {
	AWS   aws.Config
	Names line.Names
	// Local says that buckets are named by path.
	Local bool
	// APIURL is where the API answers; Health the path of its health check.
	APIURL, Health string
	// DatabaseURL reaches the environment's Postgres. Default: nobody asks it, which is said.
	DatabaseURL string
}

// patience is how long one look may take. What does not answer within it is in no state to serve.
const patience = 5 * time.Second

// aside is how far back what was put aside is of today's trouble.
const aside = time.Hour

type looker struct {
	Config
	now        time.Time
	cloudwatch *cloudwatch.Client
	gateway    *apigateway.Client
	kinesis    *kinesis.Client
	firehose   *firehose.Client
	lambda     *lambda.Client
	rds        *rds.Client
	s3         *s3.Client
}

// The stages, in the data's order.
const (
	ingest   = "ingest"
	stream   = "stream"
	lake     = "lake"
	parquet  = "parquet"
	loader   = "loader"
	database = "database"
	symptoms = "symptoms"
)

// Run looks at all of it. A look that fails is in the report, as unknown or as red, and is no error.
func Run(ctx context.Context, config Config) Report {
	l := &looker{
		Config: config, now: time.Now(),
		cloudwatch: cloudwatch.NewFromConfig(config.AWS), gateway: apigateway.NewFromConfig(config.AWS), kinesis: kinesis.NewFromConfig(config.AWS),
		firehose: firehose.NewFromConfig(config.AWS), lambda: lambda.NewFromConfig(config.AWS), rds: rds.NewFromConfig(config.AWS),
		s3: s3.NewFromConfig(config.AWS, func(o *s3.Options) { o.UsePathStyle = config.Local }),
	}
	env := config.Names["ENV"]
	found, composites, err := alarms(ctx, l.cloudwatch, env, l.now)
	var checks []Check
	for _, c := range composites {
		state := map[string]State{"OK": OK, "ALARM": Red}[string(c.StateValue)]
		if state == "" {
			state = Unknown
		}
		name := aws.ToString(c.AlarmName)
		checks = append(checks, Check{symptoms, name[strings.LastIndex(name, "-")+1:], state, string(c.StateValue), deployed.Section(c.AlarmDescription)})
	}
	if err != nil {
		checks = append(checks, Check{Stage: symptoms, Name: "alarms", State: Unknown, Value: err.Error()})
	}
	of := func(prefix string) []alarm {
		return slices.DeleteFunc(slices.Clone(found), func(a alarm) bool { return !strings.HasPrefix(a.short(), prefix+"-") })
	}
	checks = slices.Concat(checks,
		l.look(ctx, l.health, l.key), alarmChecks(ingest, of("Ingest")),
		l.look(ctx, l.stream), alarmChecks(stream, of("Core")),
		l.delivered(ctx, lake, "DELIVERY", "TRANSFORMER"), alarmChecks(lake, of("Lake")),
	)
	if config.Names["PARQUET_DELIVERY"] != "" || len(of("ParquetLake")) > 0 {
		checks = slices.Concat(checks, l.delivered(ctx, parquet, "PARQUET_DELIVERY", "PARQUET_TRANSFORMER"), alarmChecks(parquet, of("ParquetLake")))
	}
	checks = slices.Concat(checks,
		l.look(ctx, l.mapping, l.function(loader, "LOADER"), l.kept), alarmChecks(loader, of("Loader")),
		l.look(ctx, l.instance, l.sql), alarmChecks(database, of("Database")),
	)
	return Report{Environment: env, At: l.now, Checks: checks}
}

// look gives each its own patience.
func (l *looker) look(ctx context.Context, looks ...func(context.Context) []Check) []Check {
	var checks []Check
	for _, one := range looks {
		within, cancel := context.WithTimeout(ctx, patience)
		checks = append(checks, one(within)...)
		cancel()
	}
	return checks
}

// unknown is what a look says that could not look.
func unknown(stage, name string, err error) []Check {
	return []Check{{Stage: stage, Name: name, State: Unknown, Value: err.Error()}}
}

// one is the only check of a look.
func one(stage, name string, good bool, value, runbook string) []Check {
	state := OK
	if !good {
		state = Red
	}
	return []Check{{stage, name, state, value, runbook}}
}
