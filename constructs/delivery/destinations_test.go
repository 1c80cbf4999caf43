package delivery_test

import (
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsec2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskinesis"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"github.com/millrace-cdk/millrace/constructs/delivery"
	"github.com/millrace-cdk/millrace/spec"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func deliveryStream(template assertions.Template, want map[string]any) {
	template.HasResourceProperties(jsii.String("AWS::KinesisFirehose::DeliveryStream"), want)
}

// backedUp is how each destination keeps what it could not deliver.
func backedUp(id string) map[string]any {
	return map[string]any{
		"BucketARN":                arn("^" + id + "BackupBucket"),
		"Prefix":                   "backup/",
		"ErrorOutputPrefix":        delivery.DefaultErrorPrefix,
		"CompressionFormat":        "GZIP",
		"EncryptionConfiguration":  map[string]any{"KMSEncryptionConfig": map[string]any{"AWSKMSKeyARN": arn("^" + id + "BackupKey")}},
		"CloudWatchLoggingOptions": map[string]any{"Enabled": true, "LogStreamName": map[string]any{"Ref": named("^" + id + "LogGroupS3Backup")}},
	}
}

func allowed(template assertions.Template, role string, statements ...any) {
	template.HasResourceProperties(jsii.String("AWS::IAM::Policy"), map[string]any{
		"PolicyDocument": map[string]any{"Statement": assertions.Match_ArrayWith(&statements)},
		"Roles":          []any{map[string]any{"Ref": named("^" + role)}},
	})
}

func TestEachDestinationHasItsOwnLimits(t *testing.T) {
	stack := cdktest.NewStack()
	search := func(change func(*delivery.FirehoseToOpenSearchProps)) error {
		props := &delivery.FirehoseToOpenSearchProps{Collection: collection(), Index: "events"}
		change(props)
		return props.Validate()
	}
	redshiftProps := warehouse(stack)
	redshift := func(change func(*delivery.FirehoseToRedshiftProps)) error {
		props := *redshiftProps
		change(&props)
		return props.Validate()
	}
	table := func(change func(*delivery.FirehoseToIcebergProps)) error {
		props := &delivery.FirehoseToIcebergProps{Database: "lake", Columns: []delivery.Column{{Name: "a", Type: "int"}}}
		change(props)
		return props.Validate()
	}
	mebibytes := func(n float64) awscdk.Size { return awscdk.Size_Mebibytes(&n) }
	unpacking := &spec.Transformer{CloudWatchLogs: &spec.CloudWatchLogs{}}
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"search":                     {search(func(*delivery.FirehoseToOpenSearchProps) {}), ""},
		"search nothing":             {(*delivery.FirehoseToOpenSearchProps)(nil).Validate(), "either domain or collection is required"},
		"search two":                 {search(func(p *delivery.FirehoseToOpenSearchProps) { p.Domain = domain(stack) }), "either domain or collection is required"},
		"search a nameless one":      {search(func(p *delivery.FirehoseToOpenSearchProps) { p.Collection = &delivery.Collection{Name: "a"} }), "collection must have a name, an arn and an endpoint"},
		"search a bad index":         {search(func(p *delivery.FirehoseToOpenSearchProps) { p.Index = "Events" }), `index must be up to 67 of a-z 0-9 _ . - and begin with one of the first two, got "Events"`},
		"search a rotated one":       {search(func(p *delivery.FirehoseToOpenSearchProps) { p.Rotation = delivery.OneDay }), "rotation is for a domain: a collection has none, got OneDay"},
		"search by the year":         {search(func(p *delivery.FirehoseToOpenSearchProps) { p.Rotation = "OneYear" }), `OneWeek or OneMonth, got "OneYear"`},
		"search large":               {search(func(p *delivery.FirehoseToOpenSearchProps) { p.BufferSize = mebibytes(101) }), "buffer size must be 1 to 100 whole MiB, got 101"},
		"search several":             {search(func(p *delivery.FirehoseToOpenSearchProps) { p.Transform = unpacking }), "transform must not unpack CloudWatch Logs"},
		"search by keys":             {search(func(p *delivery.FirehoseToOpenSearchProps) { p.Transform = byType() }), "transform must not set partition keys"},
		"search with subnets alone":  {search(func(p *delivery.FirehoseToOpenSearchProps) { p.VpcSubnets = &awsec2.SubnetSelection{} }), "give the vpc too"},
		"search too persistent":      {search(func(p *delivery.FirehoseToOpenSearchProps) { p.RetryDuration = awscdk.Duration_Hours(jsii.Number(3)) }), "retry duration must be 0 to 7200 whole seconds, got 10800"},
		"redshift":                   {redshift(func(*delivery.FirehoseToRedshiftProps) {}), ""},
		"redshift elsewhere":         {redshift(func(p *delivery.FirehoseToRedshiftProps) { p.URL = "jdbc:postgresql://db.example.com:5432/dev" }), "url must be jdbc:redshift://HOST:PORT/DATABASE"},
		"redshift open":              {redshift(func(p *delivery.FirehoseToRedshiftProps) { p.Secret = nil }), "secret is required"},
		"redshift a bad table":       {redshift(func(p *delivery.FirehoseToRedshiftProps) { p.Table = `"my events"` }), "table must be a name without quotes"},
		"redshift a bad column":      {redshift(func(p *delivery.FirehoseToRedshiftProps) { p.Columns = []string{"a.b"} }), `column must be a name without quotes, got "a.b"`},
		"redshift other options":     {redshift(func(p *delivery.FirehoseToRedshiftProps) { p.CopyOptions = "CSV" }), `copy options must have GZIP, as the objects are, got "CSV"`},
		"redshift a bad port":        {redshift(func(p *delivery.FirehoseToRedshiftProps) { p.Port = 65_536 }), "port must be 1 to 65535, got 65536"},
		"redshift by keys":           {redshift(func(p *delivery.FirehoseToRedshiftProps) { p.Transform = byType() }), "transform must not set partition keys"},
		"a stream":                   {(&delivery.StreamToRedshiftProps{Source: redshiftProps.Source}).Validate(), ""},
		"no stream":                  {(*delivery.StreamToRedshiftProps)(nil).Validate(), "source is required"},
		"a stream's bad names":       {(&delivery.StreamToRedshiftProps{Source: redshiftProps.Source, Schema: "a.b", View: "a b"}).Validate(), "schema must be a name without quotes, got \"a.b\"\nview must be a name"},
		"iceberg":                    {table(func(*delivery.FirehoseToIcebergProps) {}), ""},
		"iceberg nowhere":            {(*delivery.FirehoseToIcebergProps)(nil).Validate(), "database must be lower-case letters, digits and _, got \"\"\nwarehouse is required"},
		"iceberg a bad table":        {table(func(p *delivery.FirehoseToIcebergProps) { p.Table = "Events" }), `table must be lower-case letters, digits and _, got "Events"`},
		"iceberg a small number":     {table(func(p *delivery.FirehoseToIcebergProps) { p.Columns[0].Type = "tinyint" }), `column a: type must be one of Hive's that Iceberg has, got "tinyint"`},
		"iceberg another member":     {table(func(p *delivery.FirehoseToIcebergProps) { p.Columns[0].Member = "b" }), `column a: Firehose takes it from the member of its name, got "b"`},
		"iceberg a column twice":     {table(func(p *delivery.FirehoseToIcebergProps) { p.Columns = append(p.Columns, p.Columns[0]) }), `once, got "a"`},
		"iceberg a key of no column": {table(func(p *delivery.FirehoseToIcebergProps) { p.UniqueKeys = []string{"b"} }), `unique key "b" is not among the columns`},
		"iceberg several":            {table(func(p *delivery.FirehoseToIcebergProps) { p.Transform = unpacking }), "transform must not unpack CloudWatch Logs"},
		"iceberg by keys":            {table(func(p *delivery.FirehoseToIcebergProps) { p.Transform = byType() }), "transform must not set partition keys"},
	} {
		t.Run(name, func(t *testing.T) { assertProblem(t, c.err, c.want) })
	}
}

func TestEachDestinationIsAScopeAndTwoStandInOneStack(t *testing.T) {
	stack := cdktest.NewStack()
	scopes := []constructs.Construct{
		delivery.NewFirehoseToOpenSearch(stack, "Search", &delivery.FirehoseToOpenSearchProps{Domain: domain(stack), Index: "events"}),
		delivery.NewFirehoseToOpenSearch(stack, "Other", &delivery.FirehoseToOpenSearchProps{Collection: collection(), Index: "events"}),
		delivery.NewFirehoseToRedshift(stack, "Warehouse", warehouse(stack)),
		delivery.NewFirehoseToIceberg(stack, "Iceberg", &delivery.FirehoseToIcebergProps{Database: "lake", Columns: columns()[:1]}),
		delivery.NewFirehoseToIceberg(stack, "Glacier", &delivery.FirehoseToIcebergProps{Database: "other", Columns: columns()[:1]}),
		delivery.NewStreamToRedshift(stack, "Private", &delivery.StreamToRedshiftProps{Source: awskinesis.Stream_FromStreamArn(stack, jsii.String("Theirs"), jsii.String("arn:aws:kinesis:eu-west-1:111122223333:stream/theirs"))}),
	}
	for _, scope := range scopes {
		awssns.NewTopic(scope, jsii.String("Mine"), nil)
		awscdk.Tags_Of(scope).Add(jsii.String("team"), jsii.String("ingest"), nil)
	}
	template := cdktest.Template(stack)
	template.ResourceCountIs(jsii.String("AWS::KinesisFirehose::DeliveryStream"), jsii.Number(5))
	template.AllResourcesProperties(jsii.String("AWS::SNS::Topic"), map[string]any{"Tags": []any{map[string]any{"Key": "team", "Value": "ingest"}}})
}

func TestWithoutASourceEachDestinationTakesPutsAndEncryptsThem(t *testing.T) {
	stack := cdktest.NewStack()
	f := delivery.NewFirehoseToOpenSearch(stack, "Search", &delivery.FirehoseToOpenSearchProps{Domain: domain(stack), Index: "events"})
	f.GrantPutRecords(producer(stack))

	template := cdktest.Template(stack)
	deliveryStream(template, map[string]any{
		"DeliveryStreamType":                         "DirectPut",
		"DeliveryStreamEncryptionConfigurationInput": map[string]any{"KeyType": "CUSTOMER_MANAGED_CMK", "KeyARN": arn("^SearchBackupKey")},
	})
	allowed(template, "Producer", assertions.Match_ObjectLike(&map[string]any{"Action": []any{"firehose:PutRecord", "firehose:PutRecordBatch"}}))
}
