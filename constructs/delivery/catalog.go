package delivery

import (
	"cmp"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsathena"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsglue"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesisfirehose"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/internal/iam"
)

// Catalog is where the lake is a table.
type Catalog struct {
	Database  awsglue.CfnDatabase
	Table     awsglue.CfnTable
	WorkGroup awsathena.CfnWorkGroup // nil when Athena is skipped
	Results   awss3.IBucket          // of queries; nil when Athena is skipped

	// DatabaseName, TableName and ViewName are how a query spells them. The view is
	// there once its named query has been run.
	DatabaseName, TableName, ViewName string

	f        *FirehoseToS3
	location string // in the bucket
}

// newCatalog makes the table of p, or returns nil.
func newCatalog(f *FirehoseToS3, p *FirehoseToS3Props, lake *LakeBucket) *Catalog {
	if p.Table == nil {
		return nil
	}
	scope := constructs.NewConstruct(f, jsii.String("Catalog"))
	location, partitions, _ := p.Table.layout(p.Prefix) // Validate has taken it apart before
	c := &Catalog{
		DatabaseName: cmp.Or(p.Table.Database, defaultDatabase(f)),
		TableName:    p.Table.Name, ViewName: p.Table.Name + "_once",
		f: f, location: location,
	}
	c.Database = awsglue.NewCfnDatabase(scope, jsii.String("Database"), &awsglue.CfnDatabaseProps{
		CatalogId:     awscdk.Aws_ACCOUNT_ID(),
		DatabaseInput: &awsglue.CfnDatabase_DatabaseInputProperty{Name: &c.DatabaseName},
	})
	c.Table = awsglue.NewCfnTable(scope, jsii.String("Table"), &awsglue.CfnTableProps{
		CatalogId:    awscdk.Aws_ACCOUNT_ID(),
		DatabaseName: c.Database.Ref(),
		TableInput: &awsglue.CfnTable_TableInputProperty{
			Name:              &c.TableName,
			TableType:         jsii.String("EXTERNAL_TABLE"),
			PartitionKeys:     partitionColumns(partitions),
			Parameters:        projection(p, partitions),
			StorageDescriptor: c.storage(p),
		},
	})
	if p.Parquet != nil {
		c.allowSchema()
	}
	if !p.Table.SkipAthena {
		c.athena(scope, p, partitions, lake)
	}
	return c
}

// defaultDatabase tells the databases of an account and region from one another:
// a name of Glue's is not scoped by a stack.
func defaultDatabase(f *FirehoseToS3) string {
	return strings.ToLower(*awscdk.Names_UniqueResourceName(f, &awscdk.UniqueResourceNameOptions{
		MaxLength: jsii.Number(64), Separator: jsii.String("_"), AllowedSpecialCharacters: jsii.String("_"),
	}))
}

func columns(p *FirehoseToS3Props) (all []*awsglue.CfnTable_ColumnProperty) {
	for _, c := range p.Table.Columns {
		column := &awsglue.CfnTable_ColumnProperty{Name: &c.Name, Type: &c.Type}
		if c.Comment != "" {
			column.Comment = &c.Comment
		}
		all = append(all, column)
	}
	return append(all, &awsglue.CfnTable_ColumnProperty{
		Name:    jsii.String(metadataName(p.Parquet)),
		Type:    jsii.String(metadataType),
		Comment: jsii.String("The event's identity, and when it first came in"),
	})
}

// members are the JSON members of the columns that are named otherwise.
func members(p *FirehoseToS3Props) map[string]string {
	of := map[string]string{MetadataColumn: metadataMember}
	for _, c := range p.Table.Columns {
		if c.Member != "" && c.Member != c.Name {
			of[c.Name] = c.Member
		}
	}
	return of
}

func (c *Catalog) storage(p *FirehoseToS3Props) *awsglue.CfnTable_StorageDescriptorProperty {
	all := columns(p)
	storage := &awsglue.CfnTable_StorageDescriptorProperty{
		Columns:  &all,
		Location: c.f.Bucket.S3UrlForObject(&c.location),
	}
	if p.Parquet != nil {
		storage.InputFormat = jsii.String("org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat")
		storage.OutputFormat = jsii.String("org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat")
		storage.SerdeInfo = &awsglue.CfnTable_SerdeInfoProperty{
			SerializationLibrary: jsii.String("org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"),
		}
		return storage
	}
	parameters := map[string]string{"case.insensitive": "true"}
	for column, member := range members(p) {
		parameters["mapping."+column] = member
	}
	storage.InputFormat = jsii.String("org.apache.hadoop.mapred.TextInputFormat")
	storage.OutputFormat = jsii.String("org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat")
	storage.SerdeInfo = &awsglue.CfnTable_SerdeInfoProperty{
		SerializationLibrary: jsii.String("org.openx.data.jsonserde.JsonSerDe"),
		Parameters:           parameters,
	}
	return storage
}

// conversion has Firehose write Parquet of the table's columns; nil without.
func (p *Parquet) conversion(f *FirehoseToS3, props *FirehoseToS3Props) any {
	if p == nil {
		return nil
	}
	deserializer := &awskinesisfirehose.CfnDeliveryStream_DeserializerProperty{}
	if len(p.TimestampFormats) > 0 {
		deserializer.HiveJsonSerDe = &awskinesisfirehose.CfnDeliveryStream_HiveJsonSerDeProperty{
			TimestampFormats: jsii.Strings(slices.Clone(p.TimestampFormats)...),
		}
	} else {
		deserializer.OpenXJsonSerDe = &awskinesisfirehose.CfnDeliveryStream_OpenXJsonSerDeProperty{
			ColumnToJsonKeyMappings: members(props),
		}
	}
	return &awskinesisfirehose.CfnDeliveryStream_DataFormatConversionConfigurationProperty{
		Enabled:                  jsii.Bool(true),
		InputFormatConfiguration: &awskinesisfirehose.CfnDeliveryStream_InputFormatConfigurationProperty{Deserializer: deserializer},
		OutputFormatConfiguration: &awskinesisfirehose.CfnDeliveryStream_OutputFormatConfigurationProperty{
			Serializer: &awskinesisfirehose.CfnDeliveryStream_SerializerProperty{
				ParquetSerDe: &awskinesisfirehose.CfnDeliveryStream_ParquetSerDeProperty{Compression: jsii.String(cmp.Or(p.Compression, "SNAPPY"))},
			},
		},
		SchemaConfiguration: &awskinesisfirehose.CfnDeliveryStream_SchemaConfigurationProperty{
			CatalogId:    awscdk.Aws_ACCOUNT_ID(),
			DatabaseName: f.Catalog.Database.Ref(),
			TableName:    f.Catalog.Table.Ref(),
			Region:       awscdk.Stack_Of(f).Region(),
			RoleArn:      f.Role.RoleArn(),
			VersionId:    jsii.String("LATEST"),
		},
	}
}

// allowSchema lets Firehose read the table, through the database and the catalog that it is in.
func (c *Catalog) allowSchema() {
	c.f.Role.AddToPolicy(iam.Statement(c.arns(c.TableName), "glue:GetTable", "glue:GetTableVersion", "glue:GetTableVersions"))
}

func (c *Catalog) arns(tables ...string) []string {
	return glueARNs(c.f, c.DatabaseName, tables...)
}

// glueARNs are the resources that Glue asks for, of tables by name.
// https://docs.aws.amazon.com/glue/latest/dg/glue-specifying-resource-arns.html
func glueARNs(scope constructs.Construct, database string, tables ...string) []string {
	stack := awscdk.Stack_Of(scope)
	arn := func(resource, name string) string {
		components := &awscdk.ArnComponents{Service: jsii.String("glue"), Resource: &resource}
		if name != "" {
			components.ResourceName = &name
		}
		return *stack.FormatArn(components)
	}
	all := []string{arn("catalog", ""), arn("database", database)}
	for _, table := range tables {
		all = append(all, arn("table", database+"/"+table))
	}
	return all
}
