package delivery_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awss3"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"

	"github.com/millrace-cdk/millrace/constructs/delivery"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func columns() []delivery.Column {
	return []delivery.Column{{Name: "event_id", Type: "string"}, {Name: "magnitude", Type: "double", Member: "mag", Comment: "Of moment"}}
}

// hourly partitions by type and hour.
const hourly = "events/type=!{partitionKeyFromLambda:type}/hour=!{timestamp:yyyy-MM-dd-HH}/"

func partitioned() *delivery.FirehoseToS3Props {
	return &delivery.FirehoseToS3Props{
		Prefix: hourly, Transform: byType(), Partitioning: &delivery.Partitioning{},
		Table: &delivery.Table{Database: "lake", Columns: columns(), Values: map[string][]string{"type": {"none", "quake"}}},
	}
}

func table(template assertions.Template, want map[string]any) {
	template.HasResourceProperties(jsii.String("AWS::Glue::Table"), map[string]any{"TableInput": want})
}

func TestTheLakeIsATableOfJSONLinesWhosePartitionsAreProjected(t *testing.T) {
	stack := cdktest.NewStack()
	f := delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{Table: &delivery.Table{Columns: columns()}})

	assert.Regexp(t, `^[a-z0-9_]*delivery[a-z0-9_]+$`, f.Catalog.DatabaseName)
	template := cdktest.Template(stack)
	template.HasResourceProperties(jsii.String("AWS::Glue::Database"), map[string]any{"DatabaseInput": map[string]any{"Name": f.Catalog.DatabaseName}})
	table(template, map[string]any{
		"Name":      "events",
		"TableType": "EXTERNAL_TABLE",
		"PartitionKeys": []any{
			map[string]any{"Name": "year", "Type": "int"},
			map[string]any{"Name": "month", "Type": "int"},
			map[string]any{"Name": "day", "Type": "int"},
			map[string]any{"Name": "hour", "Type": "int"},
		},
		"Parameters": map[string]any{
			"EXTERNAL": "TRUE", "classification": "json", "projection.enabled": "true",
			"projection.year.type": "integer", "projection.year.range": "2026,2045", "projection.year.digits": "4",
			"projection.month.type": "integer", "projection.month.range": "1,12", "projection.month.digits": "2",
			"projection.day.type": "integer", "projection.day.range": "1,31", "projection.day.digits": "2",
			"projection.hour.type": "integer", "projection.hour.range": "0,23", "projection.hour.digits": "2",
		},
		"StorageDescriptor": map[string]any{
			"Location": map[string]any{"Fn::Join": []any{"", []any{"s3://", map[string]any{"Ref": named("^DeliveryLakeBucket")}, "/events/"}}},
			"Columns": []any{
				map[string]any{"Name": "event_id", "Type": "string"},
				map[string]any{"Name": "magnitude", "Type": "double", "Comment": "Of moment"},
				map[string]any{"Name": "millrace", "Type": "struct<id:string,arrived_at:string>"},
			},
			"InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
			"SerdeInfo": map[string]any{
				"SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe",
				"Parameters":           map[string]any{"case.insensitive": "true", "mapping.magnitude": "mag", "mapping.millrace": "_millrace"},
			},
		},
	})
	destination(template, map[string]any{"DataFormatConversionConfiguration": assertions.Match_Absent()})
}

func TestATypeAndAnHourArePartitionsToo(t *testing.T) {
	stack := cdktest.NewStack()
	props := partitioned()
	props.TimeZone = "Asia/Tokyo"
	props.Table.FirstYear = 2030
	delivery.NewFirehoseToS3(stack, "Delivery", props)

	template := cdktest.Template(stack)
	destination(template, map[string]any{"CustomTimeZone": "Asia/Tokyo"})
	table(template, map[string]any{
		"PartitionKeys": []any{map[string]any{"Name": "type", "Type": "string"}, map[string]any{"Name": "hour", "Type": "string"}},
		"Parameters": map[string]any{
			"projection.type.type": "enum", "projection.type.values": "none,quake",
			"projection.hour.type": "date", "projection.hour.format": "yyyy-MM-dd-HH", "projection.hour.interval": "1", "projection.hour.interval.unit": "HOURS",
			// NOW is UTC, and Tokyo's day begins earlier.
			"projection.hour.range": "2030-01-01-00,NOW+1DAYS",
		},
	})
}

func TestAPartitionKeyWithoutValuesIsInjected(t *testing.T) {
	stack := cdktest.NewStack()
	props := partitioned()
	props.Table.Values = nil
	delivery.NewFirehoseToS3(stack, "Delivery", props)

	template := cdktest.Template(stack)
	table(template, map[string]any{"Parameters": map[string]any{"projection.type.type": "injected"}})
	// Every query must then say which type: one about today would be refused.
	template.ResourceCountIs(jsii.String("AWS::Athena::NamedQuery"), jsii.Number(1))
}

func TestParquetHasTheTablesColumnsAndNoCompressionOfS3(t *testing.T) {
	stack := cdktest.NewStack()
	delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{Table: &delivery.Table{Columns: columns()}, Parquet: &delivery.Parquet{}})

	template := cdktest.Template(stack)
	table(template, map[string]any{
		"Parameters": map[string]any{"classification": "parquet"},
		"StorageDescriptor": map[string]any{
			"InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
			"SerdeInfo":   map[string]any{"SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
		},
	})
	destination(template, map[string]any{
		"CompressionFormat": "UNCOMPRESSED",
		"FileExtension":     assertions.Match_Absent(),
		"DataFormatConversionConfiguration": map[string]any{
			"Enabled": true,
			"InputFormatConfiguration": map[string]any{"Deserializer": map[string]any{"OpenXJsonSerDe": map[string]any{
				"ColumnToJsonKeyMappings": map[string]any{"magnitude": "mag", "millrace": "_millrace"},
			}}},
			"OutputFormatConfiguration": map[string]any{"Serializer": map[string]any{"ParquetSerDe": map[string]any{"Compression": "SNAPPY"}}},
			"SchemaConfiguration": map[string]any{
				"DatabaseName": map[string]any{"Ref": named("^DeliveryCatalogDatabase")},
				"TableName":    map[string]any{"Ref": named("^DeliveryCatalogTable")},
				"RoleARN":      arn("^DeliveryRole"),
				"VersionId":    "LATEST",
			},
		},
	})
	template.HasResourceProperties(jsii.String("AWS::IAM::Policy"), map[string]any{
		"PolicyDocument": map[string]any{"Statement": assertions.Match_ArrayWith(&[]any{
			assertions.Match_ObjectLike(&map[string]any{"Action": []any{"glue:GetTable", "glue:GetTableVersion", "glue:GetTableVersions"}}),
		})},
		"Roles": []any{map[string]any{"Ref": named("^DeliveryRole")}},
	})
}

func TestTimestampFormatsAreReadByHivesSerDe(t *testing.T) {
	stack := cdktest.NewStack()
	delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{
		Table:   &delivery.Table{Columns: []delivery.Column{{Name: "at", Type: "timestamp"}}},
		Parquet: &delivery.Parquet{TimestampFormats: []string{"yyyy-MM-dd'T'HH:mm:ss'Z'", "millis"}, Compression: "GZIP"},
	})
	template := cdktest.Template(stack)
	destination(template, map[string]any{"DataFormatConversionConfiguration": map[string]any{
		"InputFormatConfiguration":  map[string]any{"Deserializer": map[string]any{"HiveJsonSerDe": map[string]any{"TimestampFormats": []any{"yyyy-MM-dd'T'HH:mm:ss'Z'", "millis"}}}},
		"OutputFormatConfiguration": map[string]any{"Serializer": map[string]any{"ParquetSerDe": map[string]any{"Compression": "GZIP"}}},
	}})
	table(template, map[string]any{"StorageDescriptor": map[string]any{"Columns": []any{
		map[string]any{"Name": "at"}, map[string]any{"Name": "_millrace"},
	}}})
}

func TestQueriesAreOfAWorkgroupThatBoundsAndEncryptsThem(t *testing.T) {
	stack := cdktest.NewStack()
	delivery.NewFirehoseToS3(stack, "Delivery", partitioned())

	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::Athena::WorkGroup"), map[string]any{
		"Name": "lake",
		"WorkGroupConfiguration": map[string]any{
			"EnforceWorkGroupConfiguration":   true,
			"PublishCloudWatchMetricsEnabled": true,
			"BytesScannedCutoffPerQuery":      107_374_182_400,
			"ResultConfiguration": map[string]any{
				"OutputLocation":          map[string]any{"Fn::Join": []any{"", []any{"s3://", map[string]any{"Ref": named("^DeliveryCatalogResultsBucket")}, "/"}}},
				"EncryptionConfiguration": map[string]any{"EncryptionOption": "SSE_KMS", "KmsKey": arn("^DeliveryLakeKey")},
			},
		},
	})
}

func TestTheViewShowsEachEventOnce(t *testing.T) {
	stack := cdktest.NewStack()
	delivery.NewFirehoseToS3(stack, "Delivery", partitioned())

	template := cdktest.Template(stack)
	template.HasResourceProperties(jsii.String("AWS::Athena::NamedQuery"), map[string]any{
		"Name": "events: create the view events_once",
		"QueryString": strings.TrimSpace(`
CREATE OR REPLACE VIEW "lake"."events_once" AS
SELECT "event_id", "magnitude", "millrace", "type", "hour"
FROM (
  SELECT *, row_number() OVER (PARTITION BY "millrace".id, "type" ORDER BY "millrace".arrived_at) AS millrace_copy
  FROM "lake"."events"
)
WHERE millrace_copy = 1 OR "millrace".id IS NULL`),
	})
	template.HasResourceProperties(jsii.String("AWS::Athena::NamedQuery"), map[string]any{
		"Name": "events: lines and events of today",
		"QueryString": strings.TrimSpace(`
SELECT count(*) AS lines, count(DISTINCT "millrace".id) AS events
FROM "lake"."events"
WHERE "hour" >= format_datetime(date_trunc('day', current_timestamp), 'yyyy-MM-dd-HH')`),
	})
}

func TestTodayIsThatOfTheTimeZone(t *testing.T) {
	stack := cdktest.NewStack()
	delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{
		Prefix: "events/year=!{timestamp:yyyy}/month=!{timestamp:MM}/", TimeZone: "Europe/Berlin", Table: &delivery.Table{Database: "lake", Columns: columns()},
	})
	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::Athena::NamedQuery"), map[string]any{
		"QueryString": assertions.Match_StringLikeRegexp(jsii.String(`WHERE "year" = year\(current_timestamp AT TIME ZONE 'Europe/Berlin'\) AND "month" = month\(current_timestamp AT TIME ZONE 'Europe/Berlin'\)`)),
	})
}

func TestAthenaMayBeSkippedAndResultsMayBeYours(t *testing.T) {
	stack := cdktest.NewStack()
	skipped := delivery.NewFirehoseToS3(stack, "Skipped", &delivery.FirehoseToS3Props{Table: &delivery.Table{Columns: columns(), SkipAthena: true}})
	assert.Contains(t, cdktest.Panics(t, func() { skipped.Catalog.GrantQuery(producer(stack)) }), "delivery: Test/Skipped: there is no workgroup to query in")
	cdktest.Template(stack).ResourceCountIs(jsii.String("AWS::Athena::WorkGroup"), jsii.Number(0))

	stack = cdktest.NewStack()
	theirs := awss3.Bucket_FromBucketName(stack, jsii.String("Results"), jsii.String("their-results"))
	delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{
		Table: &delivery.Table{Columns: columns(), Results: theirs, Name: "quakes", ScanLimit: awscdk.Size_Gibibytes(jsii.Number(1))},
	})
	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::Athena::WorkGroup"), map[string]any{"WorkGroupConfiguration": map[string]any{
		"BytesScannedCutoffPerQuery": 1_073_741_824,
		"ResultConfiguration":        map[string]any{"OutputLocation": "s3://their-results/"},
	}})
}

func TestWhoMayQueryReadsTheTableAndNothingElseOfTheLake(t *testing.T) {
	stack := cdktest.NewStack()
	props := partitioned()
	props.SkipTransformer, props.Transform = false, byType()
	f := delivery.NewFirehoseToS3(stack, "Delivery", props)
	f.Catalog.GrantQuery(producer(stack))

	cdktest.Template(stack).HasResourceProperties(jsii.String("AWS::IAM::Policy"), map[string]any{
		"PolicyDocument": map[string]any{"Statement": assertions.Match_ArrayWith(&[]any{
			assertions.Match_ObjectLike(&map[string]any{"Action": assertions.Match_ArrayWith(&[]any{"athena:StartQueryExecution"})}),
			assertions.Match_ObjectLike(&map[string]any{"Action": []any{"glue:GetDatabase", "glue:GetTable", "glue:GetTables", "glue:GetPartitions"}}),
			assertions.Match_ObjectLike(&map[string]any{"Action": []any{"glue:CreateTable", "glue:UpdateTable"}}),
			assertions.Match_ObjectLike(&map[string]any{
				"Action":   []any{"s3:GetObject*", "s3:GetBucket*", "s3:List*"},
				"Resource": []any{arn("^DeliveryLakeBucket"), map[string]any{"Fn::Join": []any{"", []any{arn("^DeliveryLakeBucket"), "/events/*"}}}},
			}),
		})},
		"Roles": []any{map[string]any{"Ref": named("^Producer")}},
	})
}

func TestATableAgreesWithThePrefix(t *testing.T) {
	with := func(change func(*delivery.FirehoseToS3Props)) *delivery.FirehoseToS3Props {
		props := partitioned()
		change(props)
		return props
	}
	typed := func(name, hive string) *delivery.FirehoseToS3Props {
		return &delivery.FirehoseToS3Props{Table: &delivery.Table{Columns: []delivery.Column{{Name: name, Type: hive}}}}
	}
	for name, c := range map[string]struct {
		props *delivery.FirehoseToS3Props
		want  string
	}{
		"by type and hour":         {partitioned(), ""},
		"nested types":             {typed("a", "map<string,array<struct<b_c:decimal(10,2),d:struct<e:int>>>>"), ""},
		"an unknown type":          {typed("a", "text"), `table column a: type must be one of Hive's, got "text"`},
		"an unfinished type":       {typed("a", "array<int"), `got "array<int"`},
		"too much of a type":       {typed("a", "array<int>>"), `got "array<int>>"`},
		"two in an array":          {typed("a", "array<int,int>"), `got "array<int,int>"`},
		"a map of numbers":         {typed("a", "map<int,int>"), `got "map<int,int>"`},
		"a struct without names":   {typed("a", "struct<int>"), `got "struct<int>"`},
		"a decimal without digits": {typed("a", "decimal"), `got "decimal"`},
		"upper case":               {typed("eventId", "string"), `table column must be named in lower-case letters, digits and _, got "eventId"`},
		"a name of ours":           {typed("millrace", "string"), "table column millrace is there already"},
		"a name of a folder":       {typed("year", "int"), "table column year is there already"},
		"no columns":               {&delivery.FirehoseToS3Props{Table: &delivery.Table{}}, "table columns are required"},
		"no folders of Hive's":     {with(func(p *delivery.FirehoseToS3Props) { p.Prefix = "events/!{partitionKeyFromLambda:type}/" }), "table needs a prefix whose folders are name=!{…}/"},
		"no slash at the end":      {with(func(p *delivery.FirehoseToS3Props) { p.Prefix = strings.TrimSuffix(hourly, "/") }), "table needs a prefix whose folders are name=!{…}/"},
		"text between":             {with(func(p *delivery.FirehoseToS3Props) { p.Prefix = strings.Replace(hourly, "/hour", "/x/hour", 1) }), "table needs a prefix whose folders are name=!{…}/"},
		"a week":                   {with(func(p *delivery.FirehoseToS3Props) { p.Prefix = strings.Replace(hourly, "yyyy-MM-dd-HH", "YYYY-ww", 1) }), "table partition hour must be of yyyy, MM, dd and HH"},
		"values of no key":         {with(func(p *delivery.FirehoseToS3Props) { p.Table.Values = map[string][]string{"hour": {"1"}} }), "table values of hour are of no partition key"},
		"a bad database":           {with(func(p *delivery.FirehoseToS3Props) { p.Table.Database = "My-Lake" }), `table database must be lower-case letters, digits and _, got "My-Lake"`},
		"a bad name":               {with(func(p *delivery.FirehoseToS3Props) { p.Table.Name = "my.events" }), `table name must be`},
		"a year long ago":          {with(func(p *delivery.FirehoseToS3Props) { p.Table.FirstYear = 26 }), "table first year must be 1970 to 9979, got 26"},
		"a ZIP":                    {with(func(p *delivery.FirehoseToS3Props) { p.Compression = delivery.ZIP }), "table is for compressions that Athena reads"},
		"hardly anything scanned":  {with(func(p *delivery.FirehoseToS3Props) { p.Table.ScanLimit = awscdk.Size_Mebibytes(jsii.Number(1)) }), "table scan limit must be at least 10000000 bytes, got 1.048576e+06"},
		"parquet without a table":  {&delivery.FirehoseToS3Props{Parquet: &delivery.Parquet{}}, "parquet needs a table"},
		"parquet in gzip":          {with(func(p *delivery.FirehoseToS3Props) { p.Parquet, p.Compression = &delivery.Parquet{}, delivery.GZIP }), "compression must be UNCOMPRESSED with parquet"},
		"parquet in zstd":          {with(func(p *delivery.FirehoseToS3Props) { p.Parquet = &delivery.Parquet{Compression: "ZSTD"} }), `parquet compression must be SNAPPY, GZIP or UNCOMPRESSED, got "ZSTD"`},
		"parquet as JSON":          {with(func(p *delivery.FirehoseToS3Props) { p.Parquet, p.FileExtension = &delivery.Parquet{}, ".json" }), `file extension must say parquet, got ".json"`},
		"parquet in small files": {&delivery.FirehoseToS3Props{
			Table: &delivery.Table{Columns: columns()}, Parquet: &delivery.Parquet{}, BufferSize: awscdk.Size_Mebibytes(jsii.Number(63)),
		}, "buffer size must be 64 to 128 whole MiB with parquet, got 63"},
		"a renamed member of Hive's": {with(func(p *delivery.FirehoseToS3Props) {
			p.Parquet = &delivery.Parquet{TimestampFormats: []string{"millis"}}
		}), `table column magnitude: with timestamp formats a column is named as its member, got "mag"`},
	} {
		t.Run(name, func(t *testing.T) { assertProblem(t, c.props.Validate(), c.want) })
	}
}
