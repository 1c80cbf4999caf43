package delivery

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesisfirehose"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/aws-cdk-go/awscdk/v2/regioninfo"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"
)

// PublicEndpointReason says why a warehouse that [FirehoseToRedshift] delivers to is public:
// for the suppression of a rule that forbids it, and in the description of the
// one rule that lets anything in. It has at most the 255 characters that EC2 takes.
const PublicEndpointReason = "Firehose reaches Redshift by a public endpoint alone. Only the addresses that Firehose uses in this region are let in, by TLS, with a secret."

// FirehoseToRedshiftProps says what is delivered, and to what table.
//
// Firehose reaches only a warehouse with a public endpoint
// (https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-rs-vpc). For a private one take [NewStreamToRedshift].
type FirehoseToRedshiftProps struct {
	DeliveryProps
	// URL is the warehouse's: jdbc:redshift://HOST:PORT/DATABASE. Required.
	URL string
	// Secret holds username and password, as JSON members of these names. Required.
	Secret awssecretsmanager.ISecret
	// Table is the table's name, with its schema if not public. It must be there. Required.
	Table string
	// Columns are those of Table that are filled, in this order.
	//
	// Default: all.
	Columns []string
	// CopyOptions are those of the COPY command. They must suit JSON lines in GZIP.
	//
	// Default: [DefaultCopyOptions].
	CopyOptions string
	// SecurityGroup is the warehouse's. It is made to let Firehose in at Port, and nobody else.
	//
	// Default: none; the warehouse lets Firehose in already.
	SecurityGroup awsec2.ISecurityGroup
	// Port is the warehouse's.
	//
	// Default: [DefaultRedshiftPort].
	Port int
	// RetryDuration is how long Firehose repeats a COPY that fails, 0 to 7,200 seconds. Objects that were
	// not loaded stay in Bucket, and a manifest of them under errors/.
	//
	// Default: [DefaultCopyRetryDuration] seconds.
	RetryDuration awscdk.Duration
}

// Defaults of [FirehoseToRedshiftProps].
const (
	// DefaultCopyOptions read millrace's lines by the names of their members, of whatever case.
	DefaultCopyOptions       = "FORMAT AS JSON 'auto ignorecase' GZIP TIMEFORMAT 'auto'"
	DefaultRedshiftPort      = 5439
	DefaultCopyRetryDuration = 3_600 // seconds
)

// loadPrefix is where objects wait for COPY.
const loadPrefix = "redshift/" + hourly

var (
	// https://docs.aws.amazon.com/firehose/latest/APIReference/API_RedshiftDestinationConfiguration.html
	jdbcURL = regexp.MustCompile(`^jdbc:(redshift|postgresql)://([A-Za-z0-9-]{1,63}\.)+redshift(-serverless)?\.[a-zA-Z0-9.]+:\d{1,5}/[a-zA-Z0-9_$-]+$`)
	sqlName = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_$]{0,126}\.)?[A-Za-z_][A-Za-z0-9_$]{0,126}$`)
)

// Validate reports every problem of the props in one error.
func (p *FirehoseToRedshiftProps) Validate() error {
	p = p.withDefaults()
	errs := []error{
		validatePrefixes(loadPrefix, p.ErrorPrefix, partitionKeys{}),
		p.validate(s3Buffers()),
		validateRetry("retry duration", p.RetryDuration),
	}
	say := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !jdbcURL.MatchString(p.URL) && !*awscdk.Token_IsUnresolved(p.URL) {
		say("url must be jdbc:redshift://HOST:PORT/DATABASE of a Redshift endpoint, got %q", p.URL)
	}
	if p.Secret == nil {
		say("secret is required: pass the one with username and password")
	}
	if !sqlName.MatchString(p.Table) {
		say("table must be a name without quotes, with or without a schema, got %q", p.Table)
	}
	for _, column := range p.Columns {
		if !sqlName.MatchString(column) || strings.Contains(column, ".") {
			say("column must be a name without quotes, got %q", column)
		}
	}
	if upper := strings.ToUpper(p.CopyOptions); !strings.Contains(upper, "GZIP") {
		say("copy options must have GZIP, as the objects are, got %q", p.CopyOptions)
	}
	if p.Port < 1 || p.Port > 65_535 {
		say("port must be 1 to 65535, got %d", p.Port)
	}
	if names := p.partitionKeys(); len(names) > 0 {
		say("transform must not set partition keys, which only S3 is delivered by")
	}
	return errors.Join(errs...)
}

func (p *FirehoseToRedshiftProps) withDefaults() *FirehoseToRedshiftProps {
	q := FirehoseToRedshiftProps{}
	if p != nil {
		q = *p
	}
	q.DeliveryProps = *q.DeliveryProps.withDefaults()
	q.CopyOptions = cmp.Or(q.CopyOptions, DefaultCopyOptions)
	q.Port = cmp.Or(q.Port, DefaultRedshiftPort)
	return &q
}

// FirehoseToRedshift delivers records to a bucket and from there, by COPY, to a table of Redshift.
type FirehoseToRedshift struct {
	constructs.Construct
	*Delivery
}

// NewFirehoseToRedshift defines a FirehoseToRedshift in scope. It panics on
// invalid props (see [FirehoseToRedshiftProps.Validate]).
func NewFirehoseToRedshift(scope constructs.Construct, id string, props *FirehoseToRedshiftProps) *FirehoseToRedshift {
	if err := props.Validate(); err != nil {
		panic(fmt.Errorf("delivery: %s: %w", id, err))
	}
	p := props.withDefaults()

	f := &FirehoseToRedshift{Delivery: new(Delivery)}
	constructs.NewConstruct_Override(f, scope, &id)
	f.prepareBackup(f, &p.DeliveryProps)
	p.Secret.GrantRead(f.Role, nil)
	f.letIn(p)
	f.deliver("DeliveryStream", &awskinesisfirehose.CfnDeliveryStreamProps{RedshiftDestinationConfiguration: f.destination(p)})
	// Redshift has no freshness of its own: what waits for COPY waits in S3.
	f.watch(watched{freshness: "DeliveryToS3", success: "DeliveryToRedshift"})
	return f
}

func (f *FirehoseToRedshift) destination(p *FirehoseToRedshiftProps) any {
	command := &awskinesisfirehose.CfnDeliveryStream_CopyCommandProperty{
		DataTableName: &p.Table,
		CopyOptions:   &p.CopyOptions,
	}
	if len(p.Columns) > 0 {
		command.DataTableColumns = jsii.String(strings.Join(p.Columns, ","))
	}
	return &awskinesisfirehose.CfnDeliveryStream_RedshiftDestinationConfigurationProperty{
		ClusterJdbcurl: &p.URL,
		CopyCommand:    command,
		RoleArn:        f.Role.RoleArn(),
		SecretsManagerConfiguration: &awskinesisfirehose.CfnDeliveryStream_SecretsManagerConfigurationProperty{
			Enabled: jsii.Bool(true), SecretArn: p.Secret.SecretArn(), RoleArn: f.Role.RoleArn(),
		},
		RetryOptions:            &awskinesisfirehose.CfnDeliveryStream_RedshiftRetryOptionsProperty{DurationInSeconds: retry(p.RetryDuration, DefaultCopyRetryDuration)},
		ProcessingConfiguration: f.processing(nil),
		S3Configuration: f.objects(f.Bucket, f.Key, "S3Destination", &awskinesisfirehose.CfnDeliveryStream_S3DestinationConfigurationProperty{
			Prefix:            jsii.String(loadPrefix),
			CompressionFormat: jsii.String(string(GZIP)),
			BufferingHints:    hints(p.BufferInterval, p.BufferSize),
		}),
		CloudWatchLoggingOptions: f.logTo("RedshiftDestination"),
	}
}

// letIn opens the warehouse to the addresses of Firehose in the stack's region, which CDK knows.
func (f *FirehoseToRedshift) letIn(p *FirehoseToRedshiftProps) {
	if p.SecurityGroup == nil {
		return
	}
	awsec2.NewCfnSecurityGroupIngress(f, jsii.String("FromFirehose"), &awsec2.CfnSecurityGroupIngressProps{
		GroupId:     p.SecurityGroup.SecurityGroupId(),
		IpProtocol:  jsii.String("tcp"),
		CidrIp:      awscdk.Stack_Of(f).RegionalFact(regioninfo.FactName_FIREHOSE_CIDR_BLOCK(), nil),
		FromPort:    jsii.Number(p.Port),
		ToPort:      jsii.Number(p.Port),
		Description: jsii.String(PublicEndpointReason),
	})
}
