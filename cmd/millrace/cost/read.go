package cost

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/millrace-cdk/millrace/internal/cfn"
)

// Read returns what the templates of the environment in folder say.
func Read(folder, environment string) (Line, error) {
	resources, err := cfn.Resources(folder, environment)
	if err != nil {
		return Line{}, err
	}
	r := reader{all: resources, line: Line{Buckets: map[string]Bucket{}}}
	for _, name := range slices.Sorted(maps.Keys(resources)) {
		if err := r.read(name, resources[name]); err != nil {
			return Line{}, fmt.Errorf("reading %s: %w", name, err)
		}
	}
	return r.line, r.backups()
}

type reader struct {
	all  map[string]cfn.Object
	line Line
}

func (r *reader) read(name string, resource cfn.Object) error {
	l, p := &r.line, resource["Properties"]
	switch resource["Type"] {
	case "AWS::ApiGateway::RestApi":
		l.APIs++
	case "AWS::ApiGateway::Stage":
		l.Traced = l.Traced || cfn.At(p, "TracingEnabled") == true
		for _, setting := range cfn.List(cfn.At(p, "MethodSettings")) {
			l.RequestsPerSecond = max(l.RequestsPerSecond, cfn.Number(cfn.At(setting, "ThrottlingRateLimit")))
		}
	case "AWS::WAFv2::WebACL":
		l.WebACLs++
		l.WebACLRules += len(cfn.List(cfn.At(p, "Rules")))
	case "AWS::Kinesis::Stream":
		l.Streams = append(l.Streams, Stream{
			Name: name, Shards: cfn.Number(cfn.At(p, "ShardCount")), RetentionHours: max(24, cfn.Number(cfn.At(p, "RetentionPeriodHours"))),
			Consumers: r.consumers(), ShardMetrics: float64(len(cfn.List(cfn.At(p, "DesiredShardLevelMetrics")))),
		})
	case "AWS::KinesisFirehose::DeliveryStream":
		return r.delivery(p)
	case "AWS::Lambda::EventSourceMapping":
		f := r.function(cfn.At(p, "FunctionName"))
		l.Loaders = append(l.Loaders, Loader{
			BatchSize: or(cfn.Number(cfn.At(p, "BatchSize")), 100), WindowSeconds: cfn.Number(cfn.At(p, "MaximumBatchingWindowInSeconds")),
			Parallel: or(cfn.Number(cfn.At(p, "ParallelizationFactor")), 1), MiB: memory(f), X86: x86(f),
		})
	case "AWS::RDS::DBInstance":
		zones := 1.0
		if cfn.At(p, "MultiAZ") == true {
			zones = 2
		}
		least := cfn.Number(cfn.At(p, "AllocatedStorage"))
		l.Databases = append(l.Databases, Database{
			Class: fmt.Sprint(cfn.At(p, "DBInstanceClass")), Zones: zones, GiB: least, MostGiB: max(least, cfn.Number(cfn.At(p, "MaxAllocatedStorage"))),
			OtherRegion: cfn.At(p, "AutomaticBackupReplicationRegion") != nil,
		})
	case "AWS::S3::Bucket":
		var b Bucket
		for _, rule := range cfn.List(cfn.At(p, "ReplicationConfiguration", "Rules")) {
			b.Replicated = true
			b.TimeControl = b.TimeControl || cfn.At(rule, "Destination", "ReplicationTime") != nil
		}
		l.Buckets[id(name)] = b
	case "AWS::KinesisAnalyticsV2::Application":
		parallelism := cfn.At(p, "ApplicationConfiguration", "FlinkApplicationConfiguration", "ParallelismConfiguration")
		// One more runs the application itself: https://aws.amazon.com/managed-service-apache-flink/pricing/
		l.KPUs += 1 + math.Ceil(or(cfn.Number(cfn.At(parallelism, "Parallelism")), 1)/or(cfn.Number(cfn.At(parallelism, "ParallelismPerKPU")), 1))
	case "AWS::KMS::Key":
		l.Keys++
	case "AWS::SecretsManager::Secret":
		l.Secrets++
	case "AWS::EC2::VPCEndpoint":
		if cfn.At(p, "VpcEndpointType") == "Interface" {
			l.EndpointZones += len(cfn.List(cfn.At(p, "SubnetIds")))
		}
	case "AWS::CloudWatch::Alarm":
		l.AlarmMetrics += metrics(p)
	case "AWS::CloudWatch::CompositeAlarm":
		l.Composites++
	case "AWS::CloudWatch::Dashboard":
		l.Dashboards++
	}
	return nil
}

func (r *reader) delivery(p any) error {
	to := cfn.At(p, "ExtendedS3DestinationConfiguration")
	if to == nil {
		return errors.New("only deliveries to S3 are computed")
	}
	d := Delivery{
		Bucket:    target(cfn.At(to, "BucketARN")),
		BufferMiB: or(cfn.Number(cfn.At(to, "BufferingHints", "SizeInMBs")), 5), BufferSeconds: or(cfn.Number(cfn.At(to, "BufferingHints", "IntervalInSeconds")), 300),
		Converts: cfn.At(to, "DataFormatConversionConfiguration", "Enabled") == true, Partitions: cfn.At(to, "DynamicPartitioningConfiguration", "Enabled") == true,
		Direct: cfn.At(p, "KinesisStreamSourceConfiguration") == nil,
	}
	if bucket := r.named(d.Bucket); bucket != nil {
		for _, rule := range cfn.List(cfn.At(bucket, "Properties", "BucketEncryption", "ServerSideEncryptionConfiguration")) {
			d.KeyedByObject = cfn.At(rule, "ServerSideEncryptionByDefault", "SSEAlgorithm") == "aws:kms" && cfn.At(rule, "BucketKeyEnabled") != true
		}
	}
	for _, processor := range cfn.List(cfn.At(to, "ProcessingConfiguration", "Processors")) {
		for _, parameter := range cfn.List(cfn.At(processor, "Parameters")) {
			value := cfn.At(parameter, "ParameterValue")
			switch cfn.At(parameter, "ParameterName") {
			case "LambdaArn":
				f := r.function(value)
				d.FunctionMiB, d.FunctionX86 = memory(f), x86(f)
			case "BufferSizeInMBs":
				d.FunctionBuffer = cfn.Number(value)
			case "BufferIntervalInSeconds":
				d.FunctionSeconds = cfn.Number(value)
			}
		}
	}
	d.FunctionBuffer, d.FunctionSeconds = or(d.FunctionBuffer, 1), or(d.FunctionSeconds, 60)
	r.line.Deliveries = append(r.line.Deliveries, d)
	return nil
}

// backups reads the rules of plans with what their selections name: an ARN of a bucket, or one with a database's id.
func (r *reader) backups() error {
	for _, name := range slices.Sorted(maps.Keys(r.all)) {
		selection := r.all[name]
		if selection["Type"] != "AWS::Backup::BackupSelection" {
			continue
		}
		plan := r.refer(cfn.At(selection, "Properties", "BackupPlanId"))
		if plan == nil {
			return fmt.Errorf("reading %s: its plan is in no template", name)
		}
		var databases float64
		var buckets []string
		for _, of := range cfn.List(cfn.At(selection, "Properties", "BackupSelection", "Resources")) {
			if bucket := target(of); bucket != "" && r.named(bucket)["Type"] == "AWS::S3::Bucket" {
				buckets = append(buckets, bucket)
			} else {
				databases++
			}
		}
		for _, rule := range cfn.List(cfn.At(plan, "Properties", "BackupPlan", "BackupPlanRule")) {
			r.line.Backups = append(r.line.Backups, Backup{Databases: databases, Buckets: buckets, Copies: float64(len(cfn.List(cfn.At(rule, "CopyActions"))))})
		}
	}
	return nil
}

// consumers are those with enhanced fan-out of all streams: there is one that events come in by.
func (r *reader) consumers() (count float64) {
	for _, resource := range r.all {
		if resource["Type"] == "AWS::Kinesis::StreamConsumer" {
			count++
		}
	}
	return count
}

// refer is the resource that a Ref, a GetAtt or an import names, nil if there is none.
func (r *reader) refer(value any) cfn.Object { return r.named(target(value)) }

// function is the one that value names, or that the alias is of that it names.
func (r *reader) function(value any) cfn.Object {
	named := r.refer(value)
	if named["Type"] == "AWS::Lambda::Alias" {
		return r.refer(cfn.At(named, "Properties", "FunctionName"))
	}
	return named
}

// named is the resource with that logical id, of whichever stack.
func (r *reader) named(logicalID string) cfn.Object {
	for name, resource := range r.all {
		if id(name) == logicalID {
			return resource
		}
	}
	return nil
}

func id(name string) string { return name[strings.LastIndex(name, "/")+1:] }

// target is the logical id that value refers to. CDK's name of an export has it between the
// function and the attribute: ExportsOutputFnGetAttLakeBucketB1D32E10Arn6706D8FF.
func target(value any) string {
	if ref, ok := cfn.At(value, "Ref").(string); ok {
		return ref
	}
	if get := cfn.List(cfn.At(value, "Fn::GetAtt")); len(get) > 0 {
		return fmt.Sprint(get[0])
	}
	if export, ok := cfn.At(value, "Fn::ImportValue").(string); ok {
		_, export, _ = strings.Cut(export, ":ExportsOutput")
		export = strings.TrimPrefix(strings.TrimPrefix(export, "FnGetAtt"), "Ref")
		if at := strings.LastIndex(export, "Arn"); at > 0 {
			return export[:at]
		}
		return export[:max(0, len(export)-8)]
	}
	return ""
}

// memory is Lambda's default where a function says nothing.
func memory(function cfn.Object) float64 {
	return or(cfn.Number(cfn.At(function, "Properties", "MemorySize")), 128)
}

func x86(function cfn.Object) bool {
	for _, architecture := range cfn.Texts(cfn.At(function, "Properties", "Architectures")) {
		return architecture != "arm64"
	}
	return true
}

// metrics are those that an alarm is paid by: that of its own, or those of its expression, of which an anomaly
// band makes three. https://aws.amazon.com/cloudwatch/pricing/
func metrics(alarm any) int {
	count, band := 0, false
	for _, query := range cfn.List(cfn.At(alarm, "Metrics")) {
		if expression, _ := cfn.At(query, "Expression").(string); strings.Contains(expression, "ANOMALY_DETECTION_BAND") {
			band = true
		} else if cfn.At(query, "MetricStat") != nil {
			count++
		}
	}
	if count = max(1, count); band {
		count *= 3
	}
	return count
}

func or(value, otherwise float64) float64 {
	if value == 0 {
		return otherwise
	}
	return value
}
