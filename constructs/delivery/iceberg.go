package delivery

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awscloudwatch"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsglue"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesisfirehose"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/iam"
)

// FirehoseToIcebergProps says what is delivered, and to what Apache Iceberg table of AWS Glue.
// Firehose takes a column's value from the member of its name.
// https://docs.aws.amazon.com/firehose/latest/dev/apache-iceberg-considerations.html
type FirehoseToIcebergProps struct {
	DeliveryProps
	// Database is the Glue database's name: lower-case letters, digits and _. With Columns it is made. Required.
	Database string
	// Table is the table's name, of the same characters.
	//
	// Default: [DefaultTable].
	Table string
	// Columns are the table's, beside the one of our metadata, _millrace.
	//
	// Default: none; the table is there already.
	Columns []Column
	// UniqueKeys are the columns that tell one row from another: an event updates the row that has its
	// values. So a table whose key is event_id has each event once, if each has an event_id.
	// Otherwise every record is a row more. They are taken from the record by JQ.
	//
	// Default: none; every record is inserted.
	UniqueKeys []string
	// Warehouse is the bucket of the table's data, under Database/Table/.
	// Required without Columns: Firehose must be let to write to it.
	//
	// Default: the bucket of what failed.
	Warehouse awss3.IBucket
	// RetryDuration is how long Firehose tries again, 0 to 7,200 seconds. What is left is in Bucket then.
	//
	// Default: [DefaultRetryDuration] seconds.
	RetryDuration awscdk.Duration
	// BackupAll writes all records to Bucket, and not only those that failed.
	//
	// Default: false.
	BackupAll bool
}

// Validate reports every problem of the props in one error.
func (p *FirehoseToIcebergProps) Validate() error {
	p = p.withDefaults()
	errs := []error{
		validatePrefixes(backupPrefix, p.ErrorPrefix, partitionKeys{}),
		p.validate(s3Buffers()),
		validateRetry("retry duration", p.RetryDuration),
	}
	say := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if !glueName.MatchString(p.Database) {
		say("database must be lower-case letters, digits and _, got %q", p.Database)
	}
	if !glueName.MatchString(p.Table) {
		say("table must be lower-case letters, digits and _, got %q", p.Table)
	}
	if len(p.Columns) == 0 && p.Warehouse == nil {
		say("warehouse is required for a table that is there already: pass the bucket of its data")
	}
	seen := map[string]bool{metadataMember: true}
	for _, c := range p.Columns {
		if !columnName.MatchString(c.Name) || seen[c.Name] {
			say("column must be named in lower-case letters, digits and _, once, got %q", c.Name)
		}
		seen[c.Name] = true
		if rest, ok := hiveType(c.Type); !ok || rest != "" || strings.Contains(c.Type, "tinyint") || strings.Contains(c.Type, "smallint") {
			say("column %s: type must be one of Hive's that Iceberg has, got %q", c.Name, c.Type)
		}
		if c.Member != "" && c.Member != c.Name {
			say("column %s: Firehose takes it from the member of its name, got %q", c.Name, c.Member)
		}
	}
	for _, key := range p.UniqueKeys {
		if len(p.Columns) > 0 && !slices.ContainsFunc(p.Columns, func(c Column) bool { return c.Name == key }) {
			say("unique key %q is not among the columns", key)
		}
	}
	if p.Transform != nil && p.Transform.CloudWatchLogs != nil {
		say("transform must not unpack CloudWatch Logs: a record would be several rows, and Firehose writes one")
	}
	if names := p.partitionKeys(); len(names) > 0 {
		say("transform must not set partition keys, which only S3 is delivered by")
	}
	return errors.Join(errs...)
}

func (p *FirehoseToIcebergProps) withDefaults() *FirehoseToIcebergProps {
	q := FirehoseToIcebergProps{}
	if p != nil {
		q = *p
	}
	q.DeliveryProps = *q.DeliveryProps.withDefaults()
	q.Table = cmp.Or(q.Table, DefaultTable)
	return &q
}

// FirehoseToIceberg delivers records as rows of an Apache Iceberg table.
type FirehoseToIceberg struct {
	constructs.Construct
	*Delivery

	Warehouse awss3.IBucket
	Table     awsglue.CfnTable // nil when it was there already
}

// NewFirehoseToIceberg defines a FirehoseToIceberg in scope. It panics on
// invalid props (see [FirehoseToIcebergProps.Validate]).
func NewFirehoseToIceberg(scope constructs.Construct, id string, props *FirehoseToIcebergProps) *FirehoseToIceberg {
	if err := props.Validate(); err != nil {
		panic(fmt.Errorf("delivery: %s: %w", id, err))
	}
	p := props.withDefaults()

	f := &FirehoseToIceberg{Delivery: new(Delivery)}
	constructs.NewConstruct_Override(f, scope, &id)
	f.prepareBackup(f, &p.DeliveryProps)
	f.Warehouse = f.warehouse(p)
	f.Table = f.table(p)
	f.allowTable(p)
	f.deliver("DeliveryStream", &awskinesisfirehose.CfnDeliveryStreamProps{IcebergDestinationConfiguration: f.destination(p)})
	if f.Table != nil {
		f.Resource.Node().AddDependency(f.Table)
	}
	f.watch(watched{freshness: "DeliveryToIceberg", success: "DeliveryToIceberg", counts: true})
	if !p.SkipAlarms {
		f.alarm("FailedRows", "rows are not written", "They are in the backup bucket, from where millrace replay sends them again once the reason is mended.",
			above(f.MetricFailedRows(nil), 0, 1))
	}
	return f
}

// MetricFailedRows is how many rows went to the backup bucket instead, by default their sum in five minutes.
// https://docs.aws.amazon.com/firehose/latest/dev/apache-iceberg-metric.html
func (f *FirehoseToIceberg) MetricFailedRows(options *awscloudwatch.MetricOptions) awscloudwatch.Metric {
	return f.metric("DeliveryToIceberg.FailedRowCount", awscloudwatch.Stats_SUM(), options)
}

func (f *FirehoseToIceberg) warehouse(p *FirehoseToIcebergProps) awss3.IBucket {
	if p.Warehouse == nil {
		return f.Bucket
	}
	allowBucket(f.Role, p.Warehouse)
	allowKey(f.Role, p.Warehouse.EncryptionKey())
	return p.Warehouse
}

func (f *FirehoseToIceberg) table(p *FirehoseToIcebergProps) awsglue.CfnTable {
	if len(p.Columns) == 0 {
		return nil
	}
	database := awsglue.NewCfnDatabase(f, jsii.String("Database"), &awsglue.CfnDatabaseProps{
		CatalogId:     awscdk.Aws_ACCOUNT_ID(),
		DatabaseInput: &awsglue.CfnDatabase_DatabaseInputProperty{Name: &p.Database},
	})
	columns := []*awsglue.CfnTable_ColumnProperty{}
	for _, c := range append(slices.Clone(p.Columns), Column{Name: metadataMember, Type: metadataType, Comment: "The event's identity, and when it first came in"}) {
		column := &awsglue.CfnTable_ColumnProperty{Name: jsii.String(c.Name), Type: jsii.String(c.Type)}
		if c.Comment != "" {
			column.Comment = jsii.String(c.Comment)
		}
		columns = append(columns, column)
	}
	return awsglue.NewCfnTable(f, jsii.String("Table"), &awsglue.CfnTableProps{
		CatalogId:    awscdk.Aws_ACCOUNT_ID(),
		DatabaseName: database.Ref(),
		OpenTableFormatInput: &awsglue.CfnTable_OpenTableFormatInputProperty{
			IcebergInput: &awsglue.CfnTable_IcebergInputProperty{MetadataOperation: jsii.String("CREATE"), Version: jsii.String("2")},
		},
		TableInput: &awsglue.CfnTable_TableInputProperty{
			Name:      &p.Table,
			TableType: jsii.String("EXTERNAL_TABLE"),
			StorageDescriptor: &awsglue.CfnTable_StorageDescriptorProperty{
				Columns:  &columns,
				Location: f.Warehouse.S3UrlForObject(jsii.String(p.Database + "/" + p.Table)),
			},
		},
	})
}

// allowTable gives the role what AWS's documentation lists: an update of the table is a commit.
// https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-iceberg
func (f *FirehoseToIceberg) allowTable(p *FirehoseToIcebergProps) {
	f.Role.AddToPolicy(iam.Statement(glueARNs(f, p.Database, p.Table), "glue:GetTable", "glue:GetDatabase", "glue:UpdateTable"))
	iam.Allow(f.Role, *f.Warehouse.ArnForObjects(jsii.String("*")), "s3:DeleteObject")
}

func (f *FirehoseToIceberg) destination(p *FirehoseToIcebergProps) any {
	table := &awskinesisfirehose.CfnDeliveryStream_DestinationTableConfigurationProperty{
		DestinationDatabaseName: &p.Database,
		DestinationTableName:    &p.Table,
		S3ErrorOutputPrefix:     &p.ErrorPrefix,
	}
	var routing map[string]string
	if len(p.UniqueKeys) > 0 {
		table.UniqueKeys = jsii.Strings(p.UniqueKeys...)
		// https://docs.aws.amazon.com/firehose/latest/dev/apache-iceberg-format-input-record.html
		routing = map[string]string{"destinationDatabaseName": quoted(p.Database), "destinationTableName": quoted(p.Table), "operation": quoted("update")}
	}
	mode := "FailedDataOnly"
	if p.BackupAll {
		mode = "AllData"
	}
	return &awskinesisfirehose.CfnDeliveryStream_IcebergDestinationConfigurationProperty{
		RoleArn: f.Role.RoleArn(),
		CatalogConfiguration: &awskinesisfirehose.CfnDeliveryStream_CatalogConfigurationProperty{
			CatalogArn: awscdk.Stack_Of(f).FormatArn(&awscdk.ArnComponents{Service: jsii.String("glue"), Resource: jsii.String("catalog")}),
		},
		DestinationTableConfigurationList: &[]*awskinesisfirehose.CfnDeliveryStream_DestinationTableConfigurationProperty{table},
		AppendOnly:                        jsii.Bool(len(p.UniqueKeys) == 0),
		BufferingHints:                    hints(p.BufferInterval, p.BufferSize),
		RetryOptions:                      &awskinesisfirehose.CfnDeliveryStream_RetryOptionsProperty{DurationInSeconds: retry(p.RetryDuration, DefaultRetryDuration)},
		ProcessingConfiguration:           f.processing(routing),
		S3BackupMode:                      &mode,
		S3Configuration:                   f.backupObjects(),
		CloudWatchLoggingOptions:          f.logTo("IcebergDestination"),
	}
}
