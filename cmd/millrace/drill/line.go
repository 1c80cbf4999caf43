package drill

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	firehosetypes "github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/jackc/pgx/v5"

	"github.com/millrace-cdk/millrace/cmd/millrace/atrest"
	"github.com/millrace-cdk/millrace/cmd/millrace/fault"
	parts "github.com/millrace-cdk/millrace/cmd/millrace/line"
	"github.com/millrace-cdk/millrace/local/cloud"
)

// line is the deployed line, as drills reach it.
type line struct {
	Config
	*cloud.Environment
	names parts.Names

	api      *apigateway.Client
	delivery *firehose.Client
	database *rds.Client
	function *lambda.Client
	stream   *kinesis.Client
	bucket   *s3.Client
	lake     *atrest.Lake

	key atomic.Pointer[string] // that clients post with
}

func newLine(ctx context.Context, c Config) (*line, error) {
	reach := c.Environment.AWS()
	names, err := parts.Find(ctx, cloudformation.NewFromConfig(reach), "local")
	if err != nil {
		return nil, err
	}
	l := &line{
		Config: c, Environment: c.Environment, names: names,
		api: apigateway.NewFromConfig(reach), delivery: firehose.NewFromConfig(reach), database: rds.NewFromConfig(reach),
		function: lambda.NewFromConfig(reach), stream: kinesis.NewFromConfig(reach),
		bucket: s3.NewFromConfig(reach, func(o *s3.Options) { o.UsePathStyle = true }),
	}
	l.lake = atrest.NewLake(l.bucket, c.Environment.LakeBucket)
	l.key.Store(&c.Environment.APIKey)
	return l, nil
}

func (l *line) apiKey() string { return *l.key.Load() }

// toLake is the delivery stream that writes to the lake.
func (l *line) toLake(ctx context.Context) (*firehosetypes.DeliveryStreamDescription, error) {
	name := l.names["DELIVERY"]
	output, err := l.delivery.DescribeDeliveryStream(ctx, &firehose.DescribeDeliveryStreamInput{DeliveryStreamName: &name})
	if err != nil {
		return nil, fmt.Errorf("describing %s: %w", name, err)
	}
	return output.DeliveryStreamDescription, nil
}

// faulty is the line as package fault takes it.
func (l *line) faulty() fault.Line {
	return fault.Line{AWS: l.AWS(), Names: l.names, DatabaseURL: l.DatabaseURL}
}

// execute runs statements as the database's master.
func (l *line) execute(ctx context.Context, statements ...string) (err error) {
	db, err := l.connect(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close(context.WithoutCancel(ctx))) }()
	for _, sql := range statements {
		if _, err := db.Exec(ctx, sql); err != nil {
			return fmt.Errorf("running %q: %w", sql, err)
		}
	}
	return nil
}

// tables are the names of all tables in the database.
func (l *line) tables(ctx context.Context) (names []string, err error) {
	db, err := l.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close(context.WithoutCancel(ctx))) }()
	rows, err := db.Query(ctx, "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'")
	if err != nil {
		return nil, fmt.Errorf("listing the tables: %w", err)
	}
	if names, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		return nil, fmt.Errorf("listing the tables: %w", err)
	}
	slices.Sort(names)
	return names, nil
}
