package delivery

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/iam"
	"github.com/millrace-cdk/millrace/constructs/internal/suppress"
)

// StreamToRedshiftProps says what stream a warehouse reads, and by what names.
type StreamToRedshiftProps struct {
	// Source is the stream. Required.
	Source awskinesis.IStream
	// Schema is the external schema's name, for the streams that the role reads.
	//
	// Default: [DefaultSchema].
	Schema string
	// View is the materialized view's name, with its schema if not public. VIEW_once shows each event once.
	//
	// Default: [DefaultTable].
	View string
}

// DefaultSchema is the external schema of [StreamToRedshiftProps].
const DefaultSchema = "millrace"

// Validate reports every problem of the props in one error.
func (p *StreamToRedshiftProps) Validate() error {
	p = p.withDefaults()
	var errs []error
	if p.Source == nil {
		errs = append(errs, errors.New("source is required: pass the stream that the warehouse reads"))
	}
	if !sqlName.MatchString(p.Schema) || strings.Contains(p.Schema, ".") {
		errs = append(errs, fmt.Errorf("schema must be a name without quotes, got %q", p.Schema))
	}
	if !sqlName.MatchString(p.View) {
		errs = append(errs, fmt.Errorf("view must be a name without quotes, with or without a schema, got %q", p.View))
	}
	return errors.Join(errs...)
}

func (p *StreamToRedshiftProps) withDefaults() *StreamToRedshiftProps {
	q := StreamToRedshiftProps{}
	if p != nil {
		q = *p
	}
	q.Schema = cmp.Or(q.Schema, DefaultSchema)
	q.View = cmp.Or(q.View, DefaultTable)
	return &q
}

// StreamToRedshift lets a warehouse read a stream by itself: Redshift's streaming
// ingestion, which needs neither Firehose nor a public endpoint. It makes the role, which must be
// associated with the cluster or namespace, and writes the SQL, which an administrator of the warehouse runs once.
// https://docs.aws.amazon.com/redshift/latest/dg/materialized-view-streaming-ingestion.html
//
// It does not run the SQL while it is deployed. The Redshift Data API answers
// before a statement has run, so that a deploy would succeed whether or not the
// view is there; and CREATE MATERIALIZED VIEW cannot be repeated.
//
// Records are those of the stream, without a transformer: what is not JSON is left out of the view.
type StreamToRedshift struct {
	constructs.Construct

	Role awsiam.Role // what the warehouse assumes
	SQL  string      // the statements, which the stack's output has too
}

// NewStreamToRedshift defines a StreamToRedshift in scope. It panics on invalid
// props (see [StreamToRedshiftProps.Validate]).
func NewStreamToRedshift(scope constructs.Construct, id string, props *StreamToRedshiftProps) *StreamToRedshift {
	if err := props.Validate(); err != nil {
		panic(fmt.Errorf("delivery: %s: %w", id, err))
	}
	p := props.withDefaults()

	s := new(StreamToRedshift)
	constructs.NewConstruct_Override(s, scope, &id)
	s.Role = s.role(p)
	s.SQL = s.statements(p)
	awscdk.NewCfnOutput(s, jsii.String("Sql"), &awscdk.CfnOutputProps{
		Value:       &s.SQL,
		Description: jsii.String("Run once in the warehouse, when the role is associated with it."),
	})
	return s
}

// Grantee is who reads the stream: for more that the role may read.
func (s *StreamToRedshift) Grantee() awsiam.IGrantable { return s.Role }

// https://docs.aws.amazon.com/redshift/latest/dg/materialized-view-streaming-ingestion-getting-started.html
func (s *StreamToRedshift) role(p *StreamToRedshiftProps) awsiam.Role {
	role := awsiam.NewRole(s, jsii.String("Role"), &awsiam.RoleProps{
		AssumedBy: awsiam.NewCompositePrincipal(
			awsiam.NewServicePrincipal(jsii.String("redshift.amazonaws.com"), nil),
			awsiam.NewServicePrincipal(jsii.String("redshift-serverless.amazonaws.com"), nil)),
	})
	p.Source.Grant(role, *jsii.Strings("kinesis:DescribeStreamSummary", "kinesis:DescribeStream", "kinesis:GetShardIterator", "kinesis:GetRecords", "kinesis:ListShards")...)
	if key := p.Source.EncryptionKey(); key != nil {
		key.Grant(role, jsii.String("kms:Decrypt"))
	}
	iam.Allow(role, "*", "kinesis:ListStreams")
	suppress.Rules(suppress.Policy(role), "Kinesis knows no narrower resource for ListStreams", "AwsSolutions-IAM5[Resource::*]")
	return role
}

func (s *StreamToRedshift) statements(p *StreamToRedshiftProps) string {
	return fmt.Sprintf(`CREATE EXTERNAL SCHEMA IF NOT EXISTS %[1]s FROM KINESIS IAM_ROLE '%[2]s';

CREATE MATERIALIZED VIEW %[3]s AUTO REFRESH YES AS
SELECT approximate_arrival_timestamp, partition_key, shard_id, sequence_number, refresh_time, JSON_PARSE(kinesis_data) AS payload
FROM %[1]s."%[4]s"
WHERE CAN_JSON_PARSE(kinesis_data);

CREATE VIEW %[3]s_once AS
SELECT approximate_arrival_timestamp, payload
FROM (
  SELECT *, ROW_NUMBER() OVER (
    PARTITION BY COALESCE(payload.event_id::VARCHAR, shard_id || '/' || sequence_number)
    ORDER BY approximate_arrival_timestamp
  ) AS millrace_copy
  FROM %[3]s
)
WHERE millrace_copy = 1;
`, p.Schema, *s.Role.RoleArn(), p.View, *p.Source.StreamName())
}
