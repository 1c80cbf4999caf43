package drill

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/firehose"
	firehosetypes "github.com/aws/aws-sdk-go-v2/service/firehose/types"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/rds"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/jackc/pgx/v5"

	"github.com/millrace-cdk/millrace/cmd/millrace/atrest"
	"github.com/millrace-cdk/millrace/local/cloud"
)

// line is the deployed line, as drills reach it.
type line struct {
	Config
	*cloud.Environment

	api      *apigateway.Client
	delivery *firehose.Client
	database *rds.Client
	function *lambda.Client
	stream   *kinesis.Client
	bucket   *s3.Client
	lake     *atrest.Lake

	key atomic.Pointer[string] // that clients post with
}

func newLine(c Config) *line {
	reach := c.Environment.AWS()
	l := &line{
		Config: c, Environment: c.Environment,
		api: apigateway.NewFromConfig(reach), delivery: firehose.NewFromConfig(reach), database: rds.NewFromConfig(reach),
		function: lambda.NewFromConfig(reach), stream: kinesis.NewFromConfig(reach),
		bucket: s3.NewFromConfig(reach, func(o *s3.Options) { o.UsePathStyle = true }),
	}
	l.lake = atrest.NewLake(l.bucket, c.Environment.LakeBucket)
	l.key.Store(&c.Environment.APIKey)
	return l
}

func (l *line) apiKey() string { return *l.key.Load() }

// toLake is the delivery stream that writes to the lake.
func (l *line) toLake(ctx context.Context) (*firehosetypes.DeliveryStreamDescription, error) {
	list, err := l.delivery.ListDeliveryStreams(ctx, &firehose.ListDeliveryStreamsInput{Limit: aws.Int32(100)})
	if err != nil {
		return nil, fmt.Errorf("listing delivery streams: %w", err)
	}
	for _, name := range list.DeliveryStreamNames {
		output, err := l.delivery.DescribeDeliveryStream(ctx, &firehose.DescribeDeliveryStreamInput{DeliveryStreamName: &name})
		if err != nil {
			return nil, fmt.Errorf("describing %s: %w", name, err)
		}
		d := output.DeliveryStreamDescription
		if len(d.Destinations) == 1 && strings.HasSuffix(aws.ToString(d.Destinations[0].ExtendedS3DestinationDescription.BucketARN), ":"+l.LakeBucket) {
			return d, nil
		}
	}
	return nil, fmt.Errorf("no delivery stream writes to %s", l.LakeBucket)
}

// instance is the deployed database instance.
func (l *line) instance(ctx context.Context) (*string, error) {
	found, err := l.database.DescribeDBInstances(ctx, &rds.DescribeDBInstancesInput{})
	if err != nil {
		return nil, fmt.Errorf("describing database instances: %w", err)
	}
	if len(found.DBInstances) != 1 {
		return nil, fmt.Errorf("%d database instances are deployed, expected 1", len(found.DBInstances))
	}
	return found.DBInstances[0].DBInstanceIdentifier, nil
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
