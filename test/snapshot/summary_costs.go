package snapshot

import (
	"fmt"
	"slices"
	"strings"
)

// billed says of each type that AWS charges for what its page of prices counts,
// and which of its properties decide how much of that there is.
var billed = map[string]struct {
	by         string
	properties []string
}{
	"AWS::ApiGateway::RestApi":              {"requests, data out", nil},
	"AWS::ApiGateway::Stage":                {"hours of a cache, traces", []string{"CacheClusterEnabled", "CacheClusterSize", "TracingEnabled"}},
	"AWS::Athena::WorkGroup":                {"bytes scanned", []string{"WorkGroupConfiguration.BytesScannedCutoffPerQuery"}},
	"AWS::Backup::BackupPlan":               {"GB kept, copied and restored", nil},
	"AWS::CloudTrail::Trail":                {"events", nil},
	"AWS::CloudWatch::Alarm":                {"metrics, a month", nil},
	"AWS::CloudWatch::AnomalyDetector":      {"metrics, a month", nil},
	"AWS::CloudWatch::CompositeAlarm":       {"alarms, a month", nil},
	"AWS::CloudWatch::Dashboard":            {"dashboards, a month", nil},
	"AWS::CodeBuild::Project":               {"minutes", []string{"Environment.ComputeType", "TimeoutInMinutes"}},
	"AWS::CodePipeline::Pipeline":           {"minutes or pipelines", []string{"PipelineType"}},
	"AWS::EC2::EIP":                         {"hours", nil},
	"AWS::EC2::FlowLog":                     {"GB of logs", []string{"TrafficType", "MaxAggregationInterval"}},
	"AWS::EC2::NatGateway":                  {"hours, GB", nil},
	"AWS::EC2::VPCEndpoint":                 {"hours a zone, GB; a gateway is free", []string{"VpcEndpointType", "SubnetIds"}},
	"AWS::Events::Rule":                     {"custom events", nil},
	"AWS::KMS::Key":                         {"keys, a month; requests", []string{"EnableKeyRotation", "MultiRegion"}},
	"AWS::KMS::ReplicaKey":                  {"keys, a month; requests", nil},
	"AWS::Kinesis::Stream":                  {"shard hours or stream hours, GB or put units, retention", []string{"StreamModeDetails.StreamMode", "ShardCount", "RetentionPeriodHours"}},
	"AWS::Kinesis::StreamConsumer":          {"consumer-shard hours, GB", nil},
	"AWS::KinesisAnalyticsV2::Application":  {"processing-unit hours, storage", []string{"ApplicationConfiguration.FlinkApplicationConfiguration.ParallelismConfiguration.Parallelism", "ApplicationConfiguration.FlinkApplicationConfiguration.ParallelismConfiguration.ParallelismPerKPU"}},
	"AWS::KinesisFirehose::DeliveryStream":  {"GB in, by record; conversion, partitioning, VPC", []string{"ExtendedS3DestinationConfiguration.DynamicPartitioningConfiguration.Enabled", "ExtendedS3DestinationConfiguration.DataFormatConversionConfiguration.Enabled"}},
	"AWS::KinesisVideo::Stream":             {"GB in, out and kept", []string{"DataRetentionInHours"}},
	"AWS::Lambda::EventSourceMapping":       {"the function's invocations", []string{"BatchSize", "MaximumBatchingWindowInSeconds", "ParallelizationFactor"}},
	"AWS::Lambda::Function":                 {"requests, GB-seconds", []string{"Architectures", "MemorySize", "Timeout", "ReservedConcurrentExecutions"}},
	"AWS::Logs::LogGroup":                   {"GB in, GB kept", []string{"RetentionInDays", "LogGroupClass"}},
	"AWS::MSK::Cluster":                     {"broker hours, storage", []string{"BrokerNodeGroupInfo.InstanceType", "NumberOfBrokerNodes"}},
	"AWS::OpenSearchService::Domain":        {"instance hours, storage", []string{"ClusterConfig.InstanceType", "ClusterConfig.InstanceCount", "EBSOptions.VolumeSize"}},
	"AWS::OpenSearchServerless::Collection": {"compute-unit hours, GB", []string{"Type", "StandbyReplicas"}},
	"AWS::RDS::DBCluster":                   {"instance hours, storage, requests", []string{"Engine", "BackupRetentionPeriod"}},
	"AWS::RDS::DBInstance":                  {"instance hours, storage, backups, insights", []string{"DBInstanceClass", "MultiAZ", "StorageType", "AllocatedStorage", "MaxAllocatedStorage", "Iops", "BackupRetentionPeriod", "MonitoringInterval", "PerformanceInsightsRetentionPeriod", "DatabaseInsightsMode"}},
	"AWS::RDS::DBProxy":                     {"hours a processor of the database", nil},
	"AWS::Redshift::Cluster":                {"node hours", []string{"NodeType", "NumberOfNodes"}},
	"AWS::RedshiftServerless::Workgroup":    {"processing-unit hours", []string{"BaseCapacity", "MaxCapacity"}},
	"AWS::Route53::HealthCheck":             {"health checks, a month", nil},
	"AWS::S3::Bucket":                       {"GB kept, requests", []string{"VersioningConfiguration.Status", "LifecycleConfiguration.Rules"}},
	"AWS::SNS::Topic":                       {"messages", nil},
	"AWS::SQS::Queue":                       {"requests", nil},
	"AWS::SecretsManager::Secret":           {"secrets, a month; calls", nil},
	"AWS::Serverless::Application":          {"what it deploys: functions", nil},
	"AWS::StepFunctions::StateMachine":      {"transitions", []string{"StateMachineType"}},
	"AWS::Synthetics::Canary":               {"runs", []string{"Schedule.Expression"}},
	"AWS::WAFv2::WebACL":                    {"a month, rules, requests", []string{"Rules"}},
}

// free are types without a charge of their own: what they belong to is billed, or nothing is.
var free = []string{
	"AWS::ApiGateway::Account", "AWS::ApiGateway::ApiKey", "AWS::ApiGateway::Authorizer", "AWS::ApiGateway::BasePathMapping",
	"AWS::ApiGateway::Deployment", "AWS::ApiGateway::DomainName", "AWS::ApiGateway::GatewayResponse", "AWS::ApiGateway::Method",
	"AWS::ApiGateway::Model", "AWS::ApiGateway::RequestValidator", "AWS::ApiGateway::Resource", "AWS::ApiGateway::UsagePlan",
	"AWS::ApiGateway::UsagePlanKey", "AWS::Athena::NamedQuery", "AWS::Backup::BackupSelection", "AWS::Backup::BackupVault",
	"AWS::CDK::Metadata", "AWS::CertificateManager::Certificate", "AWS::CodeDeploy::Application", "AWS::CodeDeploy::DeploymentGroup",
	"AWS::CodeDeploy::DeploymentConfig", "AWS::CodeBuild::SourceCredential", "AWS::CodeStarConnections::Connection", "AWS::CodeConnections::Connection",
	"AWS::EC2::EIPAssociation", "AWS::EC2::InternetGateway", "AWS::EC2::NetworkAcl",
	"AWS::EC2::NetworkAclEntry", "AWS::EC2::Route", "AWS::EC2::RouteTable", "AWS::EC2::SecurityGroup", "AWS::EC2::SecurityGroupEgress",
	"AWS::EC2::SecurityGroupIngress", "AWS::EC2::Subnet", "AWS::EC2::SubnetRouteTableAssociation", "AWS::EC2::VPC",
	"AWS::EC2::VPCGatewayAttachment", "AWS::Glue::Database", "AWS::Glue::Table", "AWS::IAM::InstanceProfile", "AWS::IAM::ManagedPolicy",
	"AWS::IAM::Policy", "AWS::IAM::Role", "AWS::KMS::Alias", "AWS::Kinesis::ResourcePolicy", "AWS::Lambda::Alias", "AWS::Lambda::EventInvokeConfig",
	"AWS::Lambda::LayerVersion", "AWS::Lambda::Permission", "AWS::Lambda::Version", "AWS::Logs::LogStream", "AWS::Logs::MetricFilter",
	"AWS::Logs::QueryDefinition", "AWS::Logs::ResourcePolicy", "AWS::OpenSearchServerless::AccessPolicy", "AWS::RDS::DBParameterGroup",
	"AWS::RDS::DBProxyTargetGroup", "AWS::RDS::DBSubnetGroup", "AWS::S3::BucketPolicy", "AWS::SNS::Subscription", "AWS::SNS::TopicPolicy",
	"AWS::SQS::QueuePolicy", "AWS::SSM::Parameter", "AWS::SecretsManager::ResourcePolicy", "AWS::SecretsManager::RotationSchedule",
	"AWS::SecretsManager::SecretTargetAttachment", "AWS::Scheduler::Schedule", "AWS::WAFv2::LoggingConfiguration", "AWS::WAFv2::WebACLAssociation",
}

// classified reports whether the type stands in one of the two lists. A custom
// resource costs what its function does.
func classified(kind string) bool {
	_, ok := billed[kind]
	return ok || slices.Contains(free, kind) || strings.HasPrefix(kind, "Custom::") || kind == "AWS::CloudFormation::CustomResource"
}

// Billed says whether AWS charges for resources of the type themselves.
func Billed(kind string) bool {
	_, ok := billed[kind]
	return ok
}

// costs are a row for each type, with a line for each size, and one for all that have none; of what is alike only the number matters.
func (p page) costs() [][]string {
	var lines [][2]string
	names := map[[2]string][]string{} // by type and size
	for kind, bill := range billed {
		p.each(func(name string, resource resource) {
			var sizes []string
			for _, property := range bill.properties {
				if size := p.size(resource.Properties, property); size != "" {
					parts := strings.Split(property, ".")
					sizes = append(sizes, strings.Join(parts[max(0, len(parts)-2):], ".")+" "+size)
				}
			}
			key := [2]string{kind, strings.Join(sizes, ", ")}
			names[key] = append(names[key], name)
		}, kind)
	}
	for key, all := range names {
		slices.Sort(all)
		what := strings.Join(all, ", ")
		if len(all) > 6 {
			what = fmt.Sprintf("%d of them", len(all))
		}
		by := billed[key[0]].by
		if key[1] == "" {
			lines = append(lines, [2]string{"by use alone", fmt.Sprintf("%s: %s (%s)", key[0], what, by)})
			continue
		}
		lines = append(lines, [2]string{key[0] + ": " + by, what + ": " + key[1]})
	}
	return stacked(lines)
}

// size is the value at the dotted path: of a list of things their number, of a list of words the words.
func (p page) size(properties map[string]any, path string) string {
	name, rest, deeper := strings.Cut(path, ".")
	switch value := properties[name].(type) {
	case map[string]any:
		if deeper {
			return p.size(value, rest)
		}
		return p.text(value)
	case []any:
		if len(value) > 0 {
			if _, words := value[0].(string); words {
				return p.text(value)
			}
		}
		return fmt.Sprint(len(value))
	default:
		if deeper {
			return ""
		}
		return p.text(value)
	}
}
