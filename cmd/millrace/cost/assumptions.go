package cost

import "fmt"

// Units of AWS's: a GB is 2^30 bytes, and a month 730 hours, in its own examples.
const (
	kib, mib, gib  = 1 << 10, 1 << 20, 1 << 30
	hours          = 730.0
	seconds        = hours * 3600
	kinesisUnit    = 1 * kib  // on-demand rounds a record up to it
	putUnit        = 25 * kib // a PUT payload unit
	firehoseUnit   = 5 * kib  // a delivery rounds a record up to it
	shardBytes     = 1e6      // a second, https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
	shardRecords   = 1000.0
	shardRead      = 2e6    // a second, by all readers that share
	onDemandShards = 4.0    // of a new stream, the same page
	cpuMiB         = 1769.0 // of one vCPU, https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
	flinkGiB       = 50.0   // of running storage that each KPU has
)

// What no template says. Rows states each.
const (
	answerBytes      = 300     // of an answer's headers and body
	answerEventBytes = 150     // more of each event of a batch
	tracedShare      = 0.05    // X-Ray's default rule, after the first request of each second
	accessLogBytes   = 800     // of a line of the API's access log
	metadataBytes    = 100     // that the line of an event has more than the event
	compression      = 4       // bytes of JSON in one of an object
	partitions       = 10      // keys that are active at a time
	transformed      = 250e3   // records of 1 KiB that one vCPU transforms in a second
	partitioned      = 70e3    // the same with the steps that partition
	loaded           = 39e3    // events of 0.8 KB that one vCPU stores in a second
	roundTrip        = 0.02    // seconds of a function's call, whatever is in it
	functionLogBytes = 1 * kib // of each call
	keyLifetime      = 300     // seconds that a data key of Kinesis serves
	bucketKeyShare   = 0.01    // of the requests to KMS, with a bucket key
	rowFactor        = 1.5     // bytes of storage for one of an event, indexes included
)

// Assumed are the assumptions as rows of a table: what, how much, from where.
func Assumed() [][]string {
	row := func(what, from string, value string, arguments ...any) []string {
		return []string{what, fmt.Sprintf(value, arguments...), from}
	}
	return [][]string{
		row("A month", "AWS's own examples", "%g hours", hours),
		row("An answer of the API", "assumed", "%d bytes, and %d for each event of a batch", answerBytes, answerEventBytes),
		row("Traces", "[X-Ray's default rule](https://docs.aws.amazon.com/xray/latest/devguide/xray-console-sampling.html)", "the first request of each second and %g %% of the others", tracedShare*100),
		row("A line of the access log", "assumed, from its format", "%d bytes", accessLogBytes),
		row("What the transformer adds to an event", "assumed, from an identity and a time", "%d bytes", metadataBytes),
		row("Bytes of JSON in one byte of an object, gzip or Parquet", "assumed: measure yours", "%d", compression),
		row("Partitions that are active at a time", "assumed: your keys say", "%d", partitions),
		row("Records of 1 KiB that one vCPU transforms in a second", "[measured on x86](performance.md), not on Lambda", "%s, with the steps that partition %s", count(transformed), count(partitioned)),
		row("Events of 0.8 KB that one vCPU loads in a second", "[measured on x86](performance.md), not on Lambda", "%s", count(loaded)),
		row("A call of a function, whatever is in it", "assumed", "%g s, and %d bytes of its log", roundTrip, functionLogBytes),
		row("A data key of Kinesis serves", "[documented](https://docs.aws.amazon.com/streams/latest/dev/what-is-sse.html) as about five minutes; each shard by each reader and writer assumed", "%d s", keyLifetime),
		row("Requests to KMS that a bucket key leaves", "[documented](https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-key.html) as up to 99 % fewer", "%g %%", bucketKeyShare*100),
		row("Storage of a row", "assumed, indexes included: measure yours", "%g times the event", rowFactor),
		row("Shards of an on-demand stream", "[documented](https://docs.aws.amazon.com/streams/latest/dev/how-do-i-size-a-stream.html) for a new one; more as 1 MB or 1,000 records a second into each and 2 MB out of it ask for them", "at least %g", onDemandShards),
	}
}

// Excluded are the types of resources that are paid for and not computed, each with its reason.
func Excluded() map[string]string {
	return map[string]string{
		"AWS::Athena::WorkGroup":           "what analysts scan: no event does",
		"AWS::CloudWatch::AnomalyDetector": "counted with its alarm",
		"AWS::CloudTrail::Trail":           "what is audited, not what is ingested",
		"AWS::CodeBuild::Project":          "by deploys",
		"AWS::CodePipeline::Pipeline":      "by deploys",
		"AWS::EC2::FlowLog":                "GB of logs of a network that few talk in",
		"AWS::Events::Rule":                "by custom events, of which there are none",
		"AWS::KinesisVideo::Stream":        "by GB of footage: no event is one",
		"AWS::SNS::Topic":                  "by messages, which alarms alone send",
		"AWS::SQS::Queue":                  "by what failed",
		"AWS::Serverless::Application":     "the rotation's function, once a month",
		"AWS::Synthetics::Canary":          "by runs",
	}
}

// Computed are the types of resources that are paid for and computed.
func Computed() []string {
	return []string{
		"AWS::ApiGateway::RestApi", "AWS::ApiGateway::Stage", "AWS::WAFv2::WebACL", "AWS::Kinesis::Stream", "AWS::Kinesis::StreamConsumer",
		"AWS::KinesisFirehose::DeliveryStream", "AWS::Lambda::EventSourceMapping", "AWS::Lambda::Function", "AWS::KinesisAnalyticsV2::Application",
		"AWS::S3::Bucket", "AWS::RDS::DBInstance", "AWS::Backup::BackupPlan", "AWS::KMS::Key", "AWS::SecretsManager::Secret", "AWS::EC2::VPCEndpoint",
		"AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm", "AWS::CloudWatch::Dashboard", "AWS::Logs::LogGroup",
	}
}
