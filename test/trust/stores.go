package trust

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/millrace-cdk/millrace/internal/cfn"
)

// storeTypes are the types that hold data, if only on its way, or name what is said of them.
func storeTypes() []string {
	return []string{
		streamType, deliveryType, bucketType, instanceType, secretType, logGroupType, queueType, topicType, workgroupType, vaultType,
		videoType, "AWS::DynamoDB::Table", "AWS::RDS::DBCluster", "AWS::OpenSearchService::Domain", "AWS::EFS::FileSystem", "AWS::ECR::Repository",
	}
}

// notStores are the types that hold no data of anyone's, or whose data stands in a store.
func notStores() []string {
	return []string{
		"AWS::ApiGateway::Account", "AWS::ApiGateway::ApiKey", "AWS::ApiGateway::Authorizer", "AWS::ApiGateway::Deployment",
		"AWS::ApiGateway::DomainName", "AWS::ApiGateway::BasePathMapping", "AWS::ApiGateway::GatewayResponse", methodType, "AWS::ApiGateway::Model",
		"AWS::ApiGateway::RequestValidator", "AWS::ApiGateway::Resource", "AWS::ApiGateway::RestApi", stageType,
		"AWS::ApiGateway::UsagePlan", "AWS::ApiGateway::UsagePlanKey", "AWS::Athena::NamedQuery",
		alarmType, compositeType, "AWS::CloudWatch::AnomalyDetector", dashboardType,
		"AWS::CodeDeploy::Application", "AWS::CodeDeploy::DeploymentConfig", "AWS::CodeDeploy::DeploymentGroup",
		"AWS::EC2::FlowLog", "AWS::EC2::RouteTable", groupType, "AWS::EC2::SecurityGroupEgress", "AWS::EC2::SecurityGroupIngress",
		"AWS::EC2::Subnet", "AWS::EC2::SubnetRouteTableAssociation", "AWS::EC2::VPC", "AWS::EC2::VPCEndpoint",
		"AWS::Events::Rule", "AWS::Kinesis::ResourcePolicy", "AWS::Kinesis::StreamConsumer", "AWS::OpenSearchServerless::AccessPolicy", "AWS::Glue::Database", "AWS::Glue::Table", identityType, "AWS::IAM::ManagedPolicy", roleType, keyType, "AWS::KMS::Alias",
		"AWS::KinesisAnalyticsV2::Application", "AWS::KinesisAnalyticsV2::ApplicationCloudWatchLoggingOption",
		"AWS::Backup::BackupPlan", "AWS::Backup::BackupSelection", mappingType, functionType, "AWS::Lambda::Alias", "AWS::Lambda::Permission", "AWS::Lambda::Version", "AWS::Logs::LogStream",
		"AWS::Logs::MetricFilter", "AWS::RDS::DBParameterGroup", "AWS::RDS::DBProxy", "AWS::RDS::DBProxyTargetGroup", "AWS::RDS::DBSubnetGroup",
		policyType, "AWS::SecretsManager::ResourcePolicy", "AWS::SecretsManager::RotationSchedule", "AWS::SecretsManager::SecretTargetAttachment",
		"AWS::Serverless::Application", "AWS::SNS::Subscription", "AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy",
		"AWS::WAFv2::LoggingConfiguration", "AWS::WAFv2::WebACL", "AWS::WAFv2::WebACLAssociation",
		"Custom::MillraceMigration",
	}
}

// Unclassified are the types of the app that nobody has said to be stores or not.
func Unclassified(a *App) []string {
	var types []string
	for _, r := range a.Resources() {
		if !slices.Contains(storeTypes(), r.Type) && !slices.Contains(notStores(), r.Type) && !slices.Contains(types, r.Type) {
			types = append(types, r.Type)
		}
	}
	return types
}

// encryption is how a store is encrypted: whether, and the value that names its key, if one is named.
type encryption struct {
	on bool
	id any
}

// destination is where the delivery stream leads: the property's name, and the property.
func destination(r Resource) (name string, to any) {
	for key, value := range object(r.Body["Properties"]) {
		if strings.HasSuffix(key, "DestinationConfiguration") {
			return key, value
		}
	}
	return "", nil
}

// objects are how the delivery stream writes to S3: what it delivers there, or what another destination
// did not take; and what it keeps as it came.
func objects(r Resource) []any {
	_, to := destination(r)
	all := []any{to}
	if s3 := cfn.At(to, "S3Configuration"); s3 != nil {
		all[0] = s3
	}
	if backup := cfn.At(to, "S3BackupConfiguration"); backup != nil {
		all = append(all, backup)
	}
	return all
}

func objectKey(objects any) any {
	return cfn.At(objects, "EncryptionConfiguration", "KMSEncryptionConfig", "AWSKMSKeyARN")
}

// keyOf is how the store is encrypted.
func keyOf(r Resource) encryption {
	named := func(path ...string) encryption { id := r.Get(path...); return encryption{id != nil, id} }
	switch r.Type {
	case streamType:
		id := r.Get("StreamEncryption", "KeyId")
		return encryption{r.Get("StreamEncryption", "EncryptionType") == "KMS", id}
	case deliveryType: // what it holds of a stream stays in the stream; with DirectPut it holds it itself
		if r.Get("DeliveryStreamType") == "KinesisStreamAsSource" {
			id := objectKey(objects(r)[0])
			return encryption{id != nil, id}
		}
		return named("DeliveryStreamEncryptionConfigurationInput", "KeyARN")
	case bucketType:
		rules := list(r.Get("BucketEncryption", "ServerSideEncryptionConfiguration"))
		if len(rules) == 0 {
			return encryption{}
		}
		with := cfn.At(rules[0], "ServerSideEncryptionByDefault")
		if cfn.At(with, "SSEAlgorithm") != "aws:kms" {
			return encryption{on: cfn.At(with, "SSEAlgorithm") == "AES256"}
		}
		return encryption{true, cfn.At(with, "KMSMasterKeyID")}
	case instanceType, "AWS::RDS::DBCluster":
		return encryption{r.Get("StorageEncrypted") == true, r.Get("KmsKeyId")}
	case vaultType:
		return named("EncryptionKeyArn")
	case queueType, topicType:
		return named("KmsMasterKeyId")
	case logGroupType:
		return encryption{true, r.Get("KmsKeyId")}
	case workgroupType:
		in := r.Get(workgroupResult)
		managed := cfn.At(in, "ManagedQueryResultsConfiguration", "Enabled") == true
		option := cfn.At(in, "ResultConfiguration", "EncryptionConfiguration", "EncryptionOption")
		id := cmp.Or(cfn.At(in, "ResultConfiguration", "EncryptionConfiguration", "KmsKey"),
			cfn.At(in, "ManagedQueryResultsConfiguration", "EncryptionConfiguration", "KmsKey"))
		return encryption{(managed || option != nil) && cfn.At(in, "EnforceWorkGroupConfiguration") != false, id}
	case "AWS::OpenSearchService::Domain":
		return encryption{r.Get("EncryptionAtRestOptions", "Enabled") == true, r.Get("EncryptionAtRestOptions", "KmsKeyId")}
	case "AWS::DynamoDB::Table":
		return named("SSESpecification", "KMSMasterKeyId")
	case "AWS::ECR::Repository":
		return named("EncryptionConfiguration", "KmsKey")
	}
	return named("KmsKeyId")
}

// Store is a row of the table of stores.
type Store struct{ Name, Type, Key, TLS, Retention, Deletion string }

// Stores are those of the app, and the database's backups.
func Stores(a *App) []Store {
	var all []Store
	for _, r := range a.Resources(storeTypes()...) {
		key := keyOf(r)
		name := "AWS's own"
		if of := a.references(r.Stack, key.id); len(of) > 0 {
			name = "`" + of[0].Name() + "`"
			if !rotates(of[0]) {
				name += ", not rotated"
			}
		} else if !key.on {
			name = "**none**"
		}
		s := Store{r.Name(), strings.TrimPrefix(r.Type, "AWS::"), name, transport(a, r), retention(r), deletion(r)}
		all = append(all, s)
		if r.Type == instanceType {
			s.Name, s.Type = r.Name()+": backups", "RDS automated backups"
			s.Retention = fmt.Sprintf("%g days", cfn.Number(r.Get("BackupRetentionPeriod")))
			s.Deletion = "deleted with it"
			if r.Get("DeleteAutomatedBackups") == false {
				s.Deletion = "kept"
			}
			all = append(all, s)
		}
	}
	return all
}

func rotates(key Resource) bool { return key.Get("EnableKeyRotation") == true }

// transport is what makes clients of the store use TLS.
func transport(a *App, r Resource) string {
	switch r.Type {
	case bucketType:
		ok := true
		overTLS(a, r, func(string, ...any) { ok = false })
		if ok {
			return "bucket policy: 1.2 or later"
		}
		return "**not enforced**"
	case instanceType:
		for _, p := range a.references(r.Stack, r.Get("DBParameterGroupName")) {
			if p.Get("Parameters", "rds.force_ssl") == "1" {
				return "`rds.force_ssl`"
			}
		}
		return "**not enforced**"
	}
	return "endpoint"
}

// retention is how long the store keeps what it holds.
func retention(r Resource) string {
	switch r.Type {
	case streamType:
		return fmt.Sprintf("%g hours", cfn.Number(r.Get("RetentionPeriodHours")))
	case videoType:
		return fmt.Sprintf("%g hours", cfn.Number(r.Get("DataRetentionInHours")))
	case logGroupType:
		return fmt.Sprintf("%g days", cfn.Number(r.Get("RetentionInDays")))
	case queueType:
		return fmt.Sprintf("%g hours", cfn.Number(r.Get("MessageRetentionPeriod"))/3600)
	case deliveryType:
		_, to := destination(r)
		return fmt.Sprintf("buffer: %g s", cfn.Number(cmp.Or(cfn.At(to, "BufferingHints", "IntervalInSeconds"), cfn.At(objects(r)[0], "BufferingHints", "IntervalInSeconds"))))
	case instanceType, secretType:
		return "until deleted"
	case vaultType:
		return fmt.Sprintf("as its plans say, %g days at least", cfn.Number(r.Get("LockConfiguration", "MinRetentionDays")))
	case bucketType:
		var parts []string
		for _, rule := range list(r.Get("LifecycleConfiguration", "Rules")) {
			if days := cfn.Number(cfn.At(rule, "ExpirationInDays")); days > 0 {
				parts = append(parts, fmt.Sprintf("%g days", days))
			}
			if days := cfn.Number(cfn.At(rule, "NoncurrentVersionExpiration", "NoncurrentDays")); days > 0 {
				parts = append(parts, fmt.Sprintf("until deleted; versions %g days more", days))
			}
		}
		return strings.Join(parts, "; ")
	}
	return "holds no data"
}

// deletion is what becomes of the store when it leaves the template.
func deletion(r Resource) string {
	policy := cmp.Or(text(r.Body["DeletionPolicy"]), "Delete")
	if r.Get("DeletionProtection") == true {
		policy += ", protected"
	}
	return policy
}
