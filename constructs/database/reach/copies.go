package reach

import (
	"path"
	"strings"

	"github.com/millrace-cdk/millrace/internal/cfn"
)

// sharing are the actions by which a snapshot becomes another account's, or everybody's.
// https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_ShareSnapshot.html
var sharing = []string{"rds:ModifyDBSnapshotAttribute", "rds:ModifyDBClusterSnapshotAttribute"}

// copies looks at how the data could go by its copies: snapshots that are shared
// (CloudFormation has no resource for that, but custom resources and roles have),
// the key and the secret that open them, and backup vaults.
func (f *finder) copies() {
	for _, r := range f.resources {
		switch {
		case strings.HasPrefix(r.kind, "Custom::") || r.kind == "AWS::CloudFormation::CustomResource":
			for _, action := range sharing {
				if strings.Contains(strings.ToLower(canonical(r.properties)), strings.ToLower(strings.TrimPrefix(action, "rds:"))) {
					f.leak(nil, r.name(), "calls %s: a snapshot of it can be shared", action)
				}
			}
		case strings.HasPrefix(r.kind, "AWS::IAM::") || r.kind == "AWS::Serverless::Function":
			for _, action := range sharing {
				if allows(r.properties, action) {
					f.leak(nil, r.name(), "allows %s: a snapshot of it can be shared", action)
				}
			}
		}
	}
	for _, key := range f.of(f.database, "KmsKeyId") {
		if key.resource != nil && anyone(key.resource.properties["KeyPolicy"]) {
			f.leak(nil, key.resource.name(), "its key's policy lets anyone decrypt: copies of it can be read")
		}
	}
	for _, policy := range f.ofKind("AWS::SecretsManager::ResourcePolicy") {
		if anyone(policy.properties["ResourcePolicy"]) {
			f.leak(nil, policy.name(), "lets anyone read a secret")
		}
	}
	for _, vault := range f.ofKind("AWS::Backup::BackupVault") {
		if anyone(vault.properties["AccessPolicy"]) {
			f.leak(nil, vault.name(), "lets anyone copy its backups")
		}
	}
}

// allows says whether a policy somewhere in value allows action.
func allows(value any, action string) bool {
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			if allows(item, action) {
				return true
			}
		}
	case map[string]any:
		if v["Effect"] == "Allow" {
			for _, pattern := range cfn.Texts(v["Action"]) {
				// Actions are not case-sensitive, and * takes any characters; path.Match stops at slashes alone, of which an action has none.
				if matched, err := path.Match(strings.ToLower(pattern), strings.ToLower(action)); err == nil && matched {
					return true
				}
			}
		}
		for _, item := range v {
			if allows(item, action) {
				return true
			}
		}
	}
	return false
}

// anyone says whether a policy allows something to every principal without a condition.
func anyone(policy any) bool {
	document, _ := policy.(map[string]any)
	for _, statement := range either(document["Statement"]) {
		if statement["Effect"] != "Allow" || statement["Condition"] != nil {
			continue
		}
		principal := statement["Principal"]
		if members, ok := principal.(map[string]any); ok {
			principal = members["AWS"]
		}
		for _, text := range cfn.Texts(principal) {
			if text == "*" {
				return true
			}
		}
	}
	return false
}
