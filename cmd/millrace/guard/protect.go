package guard

// instead has the protected types, and what is done instead of replacing or removing one.
// It is a decision of ours, and no fact of CloudFormation: what replaces one of them is in diff.mjs.
var instead = map[string]string{
	"AWS::Kinesis::Stream":                  "make a second stream beside it, let producers and consumers move, and retire this one when it is empty",
	"AWS::S3::Bucket":                       "keep this bucket and write to a new one beside it; copy what is to be kept",
	"AWS::RDS::DBInstance":                  "make a second instance from a snapshot, switch over, and retire this one",
	"AWS::RDS::DBCluster":                   "make a second cluster from a snapshot, switch over, and retire this one",
	"AWS::KMS::Key":                         "keep the key: what is encrypted under it is lost with it; rotation does not need a new one",
	"AWS::SecretsManager::Secret":           "keep the secret and put a new value into it",
	"AWS::Logs::LogGroup":                   "keep the group: its events do not move to another",
	"AWS::KinesisFirehose::DeliveryStream":  "make a second delivery stream beside it before this one goes: a new one starts at LATEST and leaves a hole",
	"AWS::Lambda::EventSourceMapping":       "make a second mapping beside it before this one goes: a new one starts at its StartingPosition, and LATEST leaves a hole",
	"AWS::ApiGateway::RestApi":              "keep the API, whose id is in its clients' URL, or put a custom domain before it first",
	"AWS::ApiGateway::ApiKey":               "add a second key, hand it to the clients, and retire this one in a later release",
	"AWS::ApiGateway::UsagePlan":            "change the plan in place: clients' keys hang on it",
	"AWS::ApiGateway::UsagePlanKey":         "add a second key to the plan, hand it to the clients, and retire this one in a later release",
	"AWS::DynamoDB::Table":                  "make a second table beside it and copy",
	"AWS::SQS::Queue":                       "drain the queue first: its messages do not move to another",
	"AWS::Backup::BackupVault":              "keep the vault: its recovery points do not move to another",
	"AWS::KinesisVideo::Stream":             "make a second stream beside it and let the producers move",
	"AWS::OpenSearchService::Domain":        "make a second domain beside it and index anew",
	"AWS::OpenSearchServerless::Collection": "make a second collection beside it and index anew",
	"AWS::Redshift::Cluster":                "restore a snapshot into a second cluster and switch over",
	"AWS::RedshiftServerless::Namespace":    "restore a snapshot into a second namespace and switch over",
}

// protected says whether the type holds data or is what clients hold.
func protected(kind string) bool { return instead[kind] != "" }

const (
	byProcedure = " (docs/change-strategy.md)"
	keepTheID   = "give it its old id back: rename the construct back, or call OverrideLogicalId with the old id"
)

func insteadOfReplacing(kind string) string {
	return "leave the property as it was; if it must change, " + instead[kind] + byProcedure
}

func insteadOfRemoving(kind string) string { return instead[kind] + byProcedure }
