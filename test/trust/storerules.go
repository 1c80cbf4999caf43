package trust

import (
	"slices"

	"github.com/millrace-cdk/millrace/internal/cfn"
)

// The types that the rules speak of.
const (
	streamType      = "AWS::Kinesis::Stream"
	deliveryType    = "AWS::KinesisFirehose::DeliveryStream"
	bucketType      = "AWS::S3::Bucket"
	policyType      = "AWS::S3::BucketPolicy"
	instanceType    = "AWS::RDS::DBInstance"
	secretType      = "AWS::SecretsManager::Secret"
	logGroupType    = "AWS::Logs::LogGroup"
	keyType         = "AWS::KMS::Key"
	queueType       = "AWS::SQS::Queue"
	topicType       = "AWS::SNS::Topic"
	workgroupType   = "AWS::Athena::WorkGroup"
	functionType    = "AWS::Lambda::Function"
	mappingType     = "AWS::Lambda::EventSourceMapping"
	consumerType    = "AWS::Kinesis::StreamConsumer"
	roleType        = "AWS::IAM::Role"
	identityType    = "AWS::IAM::Policy"
	permissionType  = "AWS::Lambda::Permission"
	apiType         = "AWS::ApiGateway::RestApi"
	methodType      = "AWS::ApiGateway::Method"
	stageType       = "AWS::ApiGateway::Stage"
	alarmType       = "AWS::CloudWatch::Alarm"
	compositeType   = "AWS::CloudWatch::CompositeAlarm"
	dashboardType   = "AWS::CloudWatch::Dashboard"
	groupType       = "AWS::EC2::SecurityGroup"
	parametersType  = "AWS::RDS::DBParameterGroup"
	vaultType       = "AWS::Backup::BackupVault"
	videoType       = "AWS::KinesisVideo::Stream"
	workgroupResult = "WorkGroupConfiguration"
)

func storeRules() []Rule {
	return []Rule{
		{"every store is encrypted, with a key of ours where it can be", each(encrypted, storeTypes()...)},
		{"keys are rotated", each(rotated, keyType)},
		{"buckets are private", each(private, bucketType)},
		{"buckets keep what is overwritten", each(versioned, bucketType)},
		{"buckets are reached by TLS 1.2 alone", each(overTLS, bucketType)},
		{"topics are published to over TLS alone", each(topicOverTLS, topicType)},
		{"every use of a bucket is logged", each(logged, bucketType)},
		{"copies of a bucket are complete, encrypted and measured", each(replicated, bucketType)},
		{"every store has a retention", each(retained, storeTypes()...)},
		{"what is kept outlives its stack", each(outlives, append(storeTypes(), keyType)...)},
		{"the database is its own, observed and updated", each(guarded, instanceType)},
		{"the database takes TLS alone and logs no data", each(parameters, parametersType)},
		{"passwords are generated, rotated and in no template", each(secrets, secretType)},
		{"no text in a template is a secret", each(noSecrets)},
	}
}

// isLogTarget says whether buckets log their use to r.
func isLogTarget(a *App, r Resource) bool {
	return slices.ContainsFunc(a.Resources(bucketType), func(other Resource) bool {
		return a.refers(other.Stack, other.Get("LoggingConfiguration", "DestinationBucketName"), r)
	})
}

func encrypted(a *App, r Resource, say func(string, ...any)) {
	key := keyOf(r)
	ours := len(a.references(r.Stack, key.id)) > 0
	switch {
	case !key.on:
		say("it is not encrypted")
	case r.Type == logGroupType || r.Type == workgroupType: // log groups are always encrypted, by default with a key of AWS's
	case r.Type == bucketType && isLogTarget(a, r): // S3 delivers access logs to buckets of SSE-S3
	case !ours:
		say("its key is not one of the app's")
	}
	if insights := r.Get("EnablePerformanceInsights"); insights == true && len(a.references(r.Stack, r.Get("PerformanceInsightsKMSKeyId"))) == 0 {
		say("its performance data has no key of the app's")
	}
}

func rotated(_ *App, r Resource, say func(string, ...any)) {
	if r.Get("EnableKeyRotation") != true {
		say("it is not rotated")
	}
}

func private(_ *App, r Resource, say func(string, ...any)) {
	for _, block := range []string{"BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"} {
		if r.Get("PublicAccessBlockConfiguration", block) != true {
			say("%s is off", block)
		}
	}
	rules := list(r.Get("OwnershipControls", "Rules"))
	if len(rules) != 1 || cfn.At(rules[0], "ObjectOwnership") != "BucketOwnerEnforced" {
		say("its objects have lists of access of their own")
	}
	if r.Get("AccessControl") != nil || r.Get("WebsiteConfiguration") != nil {
		say("it has a list of access, or is a web site")
	}
}

func versioned(a *App, r Resource, say func(string, ...any)) {
	if r.Get("VersioningConfiguration", "Status") != "Enabled" && !isLogTarget(a, r) {
		say("it has no versions")
	}
}

func overTLS(a *App, r Resource, say func(string, ...any)) {
	http, old := false, false
	for _, policy := range a.Resources(policyType) {
		if !a.refers(policy.Stack, policy.Get("Bucket"), r) {
			continue
		}
		for _, s := range statements(policy.Get("PolicyDocument")) {
			if s.Allow || !slices.Contains(s.Actions, "s3:*") || !s.Anyone || len(s.Resources) < 2 {
				continue
			}
			http = http || cfn.At(s.Condition, "Bool", "aws:SecureTransport") == "false"
			old = old || cfn.Number(cfn.At(s.Condition, "NumericLessThan", "s3:TlsVersion")) >= 1.2
		}
	}
	if !http {
		say("no policy denies HTTP")
	}
	if !old {
		say("no policy denies TLS before 1.2")
	}
}

func topicOverTLS(a *App, r Resource, say func(string, ...any)) {
	for _, policy := range a.Resources("AWS::SNS::TopicPolicy") {
		if !a.refers(policy.Stack, policy.Get("Topics"), r) {
			continue
		}
		for _, s := range statements(policy.Get("PolicyDocument")) {
			if !s.Allow && s.Anyone && slices.Contains(s.Actions, "sns:Publish") && cfn.At(s.Condition, "Bool", "aws:SecureTransport") == "false" {
				return
			}
		}
	}
	say("no policy denies HTTP")
}

func logged(a *App, r Resource, say func(string, ...any)) {
	if r.Get("LoggingConfiguration") == nil && !isLogTarget(a, r) {
		say("its uses are not logged")
	}
}

func replicated(_ *App, r Resource, say func(string, ...any)) {
	for _, rule := range list(r.Get("ReplicationConfiguration", "Rules")) {
		for _, enabled := range []any{
			cfn.At(rule, "Status"), cfn.At(rule, "SourceSelectionCriteria", "SseKmsEncryptedObjects", "Status"), cfn.At(rule, "Destination", "Metrics", "Status"),
		} {
			if enabled != "Enabled" {
				say("its copies are off, without the encrypted objects, or not measured")
			}
		}
		if cfn.At(rule, "Destination", "EncryptionConfiguration", "ReplicaKmsKeyID") == nil {
			say("its copies have no key of ours")
		}
	}
}

func retained(a *App, r Resource, say func(string, ...any)) {
	least := func(property string, unit string, disposable, kept float64) {
		want := disposable
		if a.Kept {
			want = kept
		}
		if got := cfn.Number(r.Get(property)); got < want {
			say("%s is %g %s, at least %g are wanted", property, got, unit, want)
		}
	}
	switch r.Type {
	case logGroupType:
		least("RetentionInDays", "days", 1, 90)
	case streamType:
		least("RetentionPeriodHours", "hours", 24, 48)
	case videoType:
		least("DataRetentionInHours", "hours", 1, 24)
	case instanceType:
		least("BackupRetentionPeriod", "days", 1, 7)
	case queueType:
		least("MessageRetentionPeriod", "seconds", 345600, 345600)
	case vaultType:
		if a.Kept && cfn.Number(r.Get("LockConfiguration", "MinRetentionDays")) < 1 {
			say("whoever gets in deletes what is to bring it back")
		}
	case bucketType:
		if len(list(r.Get("LifecycleConfiguration", "Rules"))) == 0 {
			say("nothing says how long versions and logs are kept")
		}
	}
}

func outlives(a *App, r Resource, say func(string, ...any)) {
	// Queues hold what is under way, topics and deliveries hold nothing for long.
	if !a.Kept || slices.Contains([]string{deliveryType, topicType}, r.Type) {
		return
	}
	for _, policy := range []string{"DeletionPolicy", "UpdateReplacePolicy"} {
		if got := text(r.Body[policy]); got != "Retain" && got != "Snapshot" && got != "RetainExceptOnCreate" {
			say("%s is %q", policy, got)
		}
	}
	if r.Type == instanceType {
		if r.Get("DeletionProtection") != true {
			say("it is not protected from deletion")
		}
		if r.Get("DeleteAutomatedBackups") != false {
			say("its backups go with it")
		}
	}
}
