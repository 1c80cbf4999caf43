package trust

import "slices"

// gone is the value of a flip that takes the property away.
type gone struct{}

// flip makes a property of a name worse, wherever in a resource it stands.
type flip struct {
	key string
	// when says of which values; nil is of all.
	when func(r Resource, value any) bool
	to   []any
}

func is(want ...any) func(Resource, any) bool {
	return func(_ Resource, value any) bool {
		switch value.(type) {
		case string, bool, float64:
			return slices.Contains(want, value)
		}
		return false
	}
}

func of(types ...string) func(Resource, any) bool {
	return func(r Resource, _ any) bool { return slices.Contains(types, r.Type) }
}

func flips() []flip {
	literal := map[string]any{"PASSWORD": "correct horse"}
	arn := func(id any) any { return map[string]any{"Fn::Join": []any{"", []any{"arn:aws:any:", id}}} }
	return []flip{
		// What is stored: keys, and whether there are any.
		{"BucketEncryption", nil, []any{gone{}}},
		{"StreamEncryption", nil, []any{gone{}}},
		{"EncryptionConfiguration", nil, []any{gone{}}},
		{"KeyId", of(streamType), []any{gone{}, "alias/aws/kinesis"}},
		{"KMSMasterKeyID", nil, []any{gone{}, "alias/aws/s3"}},
		{"KmsKeyId", of(instanceType, secretType), []any{gone{}}},
		{"KmsMasterKeyId", nil, []any{gone{}}},
		{"AWSKMSKeyARN", nil, []any{gone{}}},
		{"EncryptionKeyArn", nil, []any{gone{}}},
		{"ReplicaKmsKeyID", nil, []any{gone{}}},
		{"SseKmsEncryptedObjects", nil, []any{gone{}}},
		{"PerformanceInsightsKMSKeyId", nil, []any{gone{}}},
		{"DeliveryStreamEncryptionConfigurationInput", nil, []any{gone{}}},
		{"KeyARN", of(deliveryType), []any{gone{}}},
		{"SSEAlgorithm", is("aws:kms"), []any{"AES256"}},
		{"StorageEncrypted", is(true), []any{false, gone{}}},
		{"EnableKeyRotation", is(true), []any{false, gone{}}},
		{"EncryptionOption", nil, []any{gone{}}},
		{"EnforceWorkGroupConfiguration", is(true), []any{false}},
		// For how long, and what deletes it.
		{"RetentionInDays", nil, []any{gone{}, 0.0}},
		{"RetentionPeriodHours", nil, []any{gone{}, 0.0}},
		{"BackupRetentionPeriod", nil, []any{gone{}, 0.0}},
		{"LifecycleConfiguration", nil, []any{gone{}}},
		{"MinRetentionDays", nil, []any{gone{}}},
		{"VersioningConfiguration", nil, []any{gone{}, map[string]any{"Status": "Suspended"}}},
		{"DeletionProtection", is(true), []any{false, gone{}}},
		{"DeleteAutomatedBackups", is(false), []any{true, gone{}}},
		{"MultiAZ", is(true), []any{false}},
		// Who comes in.
		{"PublicAccessBlockConfiguration", nil, []any{gone{}}},
		{"BlockPublicAcls", is(true), []any{false}},
		{"BlockPublicPolicy", is(true), []any{false}},
		{"IgnorePublicAcls", is(true), []any{false}},
		{"RestrictPublicBuckets", is(true), []any{false}},
		{"ObjectOwnership", nil, []any{"ObjectWriter"}},
		{"PubliclyAccessible", is(false), []any{true, gone{}}},
		{"MapPublicIpOnLaunch", is(false), []any{true}},
		{"SourceSecurityGroupId", nil, []any{gone{}}},
		{"SecurityGroupEgress", nil, []any{gone{}}},
		{"CidrIp", is("127.0.0.1/32"), []any{"0.0.0.0/0"}},
		{"CidrIp", of("AWS::EC2::SecurityGroupIngress"), []any{"0.0.0.0/0"}},
		{"DestinationSecurityGroupId", nil, []any{gone{}}},
		{"FromPort", nil, []any{0.0}},
		{"AuthorizationType", is("AWS_IAM", "CUSTOM", "COGNITO_USER_POOLS"), []any{"NONE"}},
		{"ApiKeyRequired", is(true), []any{false, gone{}}},
		{"ManagedPolicyArns", of(roleType), []any{[]any{"arn:aws:iam::aws:policy/AdministratorAccess"}}},
		{"EnableIAMDatabaseAuthentication", is(true), []any{false, gone{}}},
		{"rds.force_ssl", nil, []any{"0", gone{}}},
		{"aws:SourceAccount", nil, []any{gone{}}},
		{"sts:ExternalId", nil, []any{gone{}}},
		{"aws:SourceVpce", nil, []any{gone{}}},
		{"SourceArn", of(permissionType), []any{gone{}}},
		{"Principal", of(permissionType), []any{"*"}},
		{"Action", of(permissionType), []any{"lambda:*"}},
		{"aws:SecureTransport", nil, []any{"true", gone{}}},
		{"s3:TlsVersion", nil, []any{1.0, gone{}}},
		{"RequireTLS", is(true), []any{false, gone{}}},
		{"DefaultAuthScheme", nil, []any{gone{}}},
		{"IAMAuth", nil, []any{"DISABLED"}},
		{"SecurityPolicy", nil, []any{"TLS_1_0", gone{}}},
		// Whether anybody sees it, and nobody too much.
		{"LoggingConfiguration", of(bucketType), []any{gone{}}},
		{"LoggingConfig", of(functionType), []any{gone{}}},
		{"CloudWatchLoggingOptions", nil, []any{map[string]any{"Enabled": false}, gone{}}},
		{"EnableCloudwatchLogsExports", nil, []any{gone{}}},
		{"TrafficType", nil, []any{"REJECT"}},
		{"AccessLogSetting", nil, []any{gone{}}},
		{"TracingEnabled", is(true), []any{false, gone{}}},
		{"DataTraceEnabled", is(false), []any{true}},
		{"LoggingLevel", nil, []any{"OFF"}},
		{"MetricsEnabled", is(true), []any{false}},
		{"MonitoringInterval", nil, []any{0.0}},
		{"EnablePerformanceInsights", is(true), []any{false}},
		{"log_statement", nil, []any{"all"}},
		{"log_min_error_statement", nil, []any{"error"}},
		{"log_connections", nil, []any{"0"}},
		{"pgaudit.log", nil, []any{"none"}},
		{"DataProtectionConfig", nil, []any{gone{}}},
		{"LogDestinationConfigs", nil, []any{gone{}}},
		// What comes, and how much.
		{"ValidateRequestBody", is(true), []any{false}},
		{"ValidateRequestParameters", is(true), []any{false}},
		{"RequestValidatorId", nil, []any{gone{}}},
		{"RequestModels", nil, []any{gone{}}},
		{"Schema", of("AWS::ApiGateway::Model"), []any{gone{}}},
		{"maxItems", of("AWS::ApiGateway::Model"), []any{gone{}, 100000.0}},
		{"PassthroughBehavior", is("NEVER"), []any{"WHEN_NO_MATCH", "WHEN_NO_TEMPLATES"}},
		{"ThrottlingRateLimit", nil, []any{gone{}, -1.0}},
		{"ThrottlingBurstLimit", nil, []any{gone{}}},
		{"Rules", of("AWS::WAFv2::WebACL"), []any{[]any{}}},
		{"Block", nil, []any{gone{}}},
		{"RateLimit", of("AWS::ApiGateway::UsagePlan"), []any{gone{}}},
		// Secrets, functions and what they do when something fails.
		{"MasterUserPassword", nil, []any{"correct horse"}},
		{"GenerateSecretString", nil, []any{gone{}}},
		{"RotationRules", nil, []any{gone{}}},
		{"AutoMinorVersionUpgrade", is(true), []any{false}},
		{"Variables", of(functionType), []any{literal}},
		{"VpcConfig", of(functionType), []any{gone{}}},
		{"ReservedConcurrentExecutions", nil, []any{gone{}}},
		{"DestinationConfig", nil, []any{gone{}}},
		{"BisectBatchOnFunctionError", is(true), []any{false, gone{}}},
		{"FunctionResponseTypes", nil, []any{gone{}}},
		{"MaximumRetryAttempts", nil, []any{-1.0, gone{}}},
		{"MaximumRecordAgeInSeconds", nil, []any{-1.0, gone{}}},
		{"ParallelizationFactor", nil, []any{500.0}},
		{"ServiceTimeout", nil, []any{gone{}}},
		{"PolicyDocument", of("AWS::EC2::VPCEndpoint"), []any{gone{}}},
		// Alarms.
		{"AlarmActions", nil, []any{gone{}, []any{}}},
		{"OKActions", nil, []any{gone{}}},
		{"Dimensions", of(alarmType), []any{gone{}, []any{}, []any{map[string]any{"Name": "StreamName", "Value": arn("x")}}}},
	}
}
