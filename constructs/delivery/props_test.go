package delivery_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/assertions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/jsii-runtime-go"
	"github.com/stretchr/testify/assert"

	"github.com/millrace-cdk/millrace/constructs/delivery"
	"github.com/millrace-cdk/millrace/test/cdktest"
)

func TestValidateNamesEveryProblemAtOnce(t *testing.T) {
	stack := cdktest.NewStack()
	props := &delivery.FirehoseToS3Props{
		Prefix:          "events/!{timestamp:yyyy}/",
		ErrorPrefix:     "errors/",
		BufferInterval:  awscdk.Duration_Minutes(jsii.Number(16)),
		BufferSize:      awscdk.Size_Mebibytes(jsii.Number(129)),
		SkipTransformer: true,
		Transformer:     awslambda.Function_FromFunctionName(stack, jsii.String("Mine"), jsii.String("mine")),
		Architecture:    awslambda.Architecture_X86_64(),
	}
	message := cdktest.Panics(t, func() { delivery.NewFirehoseToS3(stack, "Delivery", props) })
	assert.Equal(t, `delivery: Delivery: error prefix must have !{firehose:error-output-type} when either prefix has expressions, got "errors/"
buffer interval must be 0 to 900 whole seconds, got 960
buffer size must be 1 to 128 whole MiB, got 129
transformer is given and skipped: do one of the two
architecture is for millrace's own transformer: set it on the transformer that is given`, message)
}

func TestPrefixesObeyFirehosesRules(t *testing.T) {
	const kind = "!{firehose:error-output-type}"
	for name, c := range map[string]struct{ prefix, errorPrefix, want string }{
		"the defaults":                         {"", "", ""},
		"plain text in both":                   {"raw/", "bad/", ""},
		"random folders":                       {"raw/!{firehose:random-string}/", "bad/" + kind + "/!{firehose:random-string}/", ""},
		"text in a timestamp":                  {"!{timestamp:'year='yyyy'/month='MM}/", "", ""},
		"error prefix alone has an expression": {"raw/", "bad/!{timestamp:yyyy}/", "error prefix must have " + kind},
		"error kind in the prefix":             {"raw/" + kind + "/", "", "prefix must not have " + kind},
		"partition key":                        {"!{partitionKeyFromLambda:type}/", "", "partition keys need dynamic partitioning"},
		"unknown namespace":                    {"!{time:yyyy}/", "", "prefix has !{time:yyyy}: the namespaces are timestamp and firehose"},
		"unknown value":                        {"!{firehose:name}/", "", "of firehose there are random-string and error-output-type"},
		"unfinished":                           {"!{timestamp:yyyy/", "", "not of the form !{namespace:value}"},
		"no value":                             {"!{timestamp}/", "", "not of the form !{namespace:value}"},
		"too long":                             {strings.Repeat("x", 1_025), "", "prefix must be at most 1024 characters, got 1025"},
		"trouble in the error prefix":          {"", "bad/" + kind + "/!{time:yyyy}/", "error prefix has !{time:yyyy}"},
		"a letter of no meaning":               {"!{timestamp:yyyy-Tt}/", "", "prefix has !{timestamp:yyyy-Tt}: T is not a letter of Java's DateTimeFormatter"},
		"a quote that is not closed":           {"!{timestamp:'yyyy}/", "", "a quote is not closed"},
		"the year of a week":                   {"!{timestamp:YYYY-MM}/", "", "Y is the year of a week"},
		"a week and its year":                  {"!{timestamp:YYYY-ww}/", "", ""},
		"known at deploy":                      {*awscdk.Fn_Ref(jsii.String("Prefix")), *awscdk.Fn_Ref(jsii.String("ErrorPrefix")), ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := (&delivery.FirehoseToS3Props{Prefix: c.prefix, ErrorPrefix: c.errorPrefix}).Validate()
			if c.want == "" {
				assert.NoError(t, err)
				return
			}
			assert.ErrorContains(t, err, c.want)
		})
	}
}

func TestBuffersAreWithinFirehosesLimits(t *testing.T) {
	seconds := func(n float64) awscdk.Duration { return awscdk.Duration_Seconds(&n) }
	for name, c := range map[string]struct {
		props delivery.FirehoseToS3Props
		want  string
	}{
		"lowest":          {delivery.FirehoseToS3Props{BufferInterval: seconds(0), BufferSize: awscdk.Size_Mebibytes(jsii.Number(1))}, ""},
		"highest":         {delivery.FirehoseToS3Props{BufferInterval: seconds(900), BufferSize: awscdk.Size_Mebibytes(jsii.Number(128))}, ""},
		"too long":        {delivery.FirehoseToS3Props{BufferInterval: seconds(901)}, "got 901"},
		"part of seconds": {delivery.FirehoseToS3Props{BufferInterval: awscdk.Duration_Millis(jsii.Number(1500))}, "got 1.5"},
		"too small":       {delivery.FirehoseToS3Props{BufferSize: awscdk.Size_Kibibytes(jsii.Number(512))}, "got 0.5"},
		"part of a MiB":   {delivery.FirehoseToS3Props{BufferSize: awscdk.Size_Kibibytes(jsii.Number(1536))}, "got 1.5"},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.props.Validate()
			if c.want == "" {
				assert.NoError(t, err)
				return
			}
			assert.ErrorContains(t, err, c.want)
		})
	}
}

func TestZoneExtensionAndCompressionAreFirehoses(t *testing.T) {
	for name, c := range map[string]struct {
		props delivery.FirehoseToS3Props
		want  string
	}{
		"a city":                     {delivery.FirehoseToS3Props{TimeZone: "America/Argentina/Buenos_Aires"}, ""},
		"UTC":                        {delivery.FirehoseToS3Props{TimeZone: "UTC"}, ""},
		"three letters":              {delivery.FirehoseToS3Props{TimeZone: "CET"}, `time zone must be UTC or an IANA zone of a region and a city (Europe/Berlin), got "CET"`},
		"an offset":                  {delivery.FirehoseToS3Props{TimeZone: "Etc/GMT+1"}, `got "Etc/GMT+1"`},
		"a city that is none":        {delivery.FirehoseToS3Props{TimeZone: "Europe/Atlantis"}, `got "Europe/Atlantis"`},
		"an extension":               {delivery.FirehoseToS3Props{FileExtension: ".ndjson.gz"}, ""},
		"an extension without a dot": {delivery.FirehoseToS3Props{FileExtension: "json"}, `file extension must be a dot and up to 127 of 0-9 a-z ! - _ . * ' ( ), got "json"`},
		"a compression that is none": {delivery.FirehoseToS3Props{Compression: "gzip"}, `compression must be GZIP, ZIP, Snappy, HADOOP_SNAPPY or UNCOMPRESSED, got "gzip"`},
	} {
		t.Run(name, func(t *testing.T) { assertProblem(t, c.props.Validate(), c.want) })
	}
}

func TestZoneExtensionAndCompressionAreDelivered(t *testing.T) {
	for compression, extension := range map[delivery.Compression]any{
		delivery.GZIP: ".json.gz", delivery.Uncompressed: ".json", delivery.ZIP: assertions.Match_Absent(), delivery.Snappy: assertions.Match_Absent(), delivery.HadoopSnappy: assertions.Match_Absent(),
	} {
		stack := cdktest.NewStack()
		delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{Compression: compression})
		destination(cdktest.Template(stack), map[string]any{"CompressionFormat": string(compression), "FileExtension": extension, "CustomTimeZone": assertions.Match_Absent()})
	}
	stack := cdktest.NewStack()
	delivery.NewFirehoseToS3(stack, "Delivery", &delivery.FirehoseToS3Props{TimeZone: "Europe/Berlin", FileExtension: ".ndjson.gz"})
	destination(cdktest.Template(stack), map[string]any{"CustomTimeZone": "Europe/Berlin", "FileExtension": ".ndjson.gz"})
}
