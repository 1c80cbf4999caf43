package trust

import (
	"regexp"
	"slices"
	"strings"

	"github.com/millrace-cdk/millrace/internal/cfn"
)

func guarded(a *App, r Resource, say func(string, ...any)) {
	for property, want := range map[string]any{
		"PubliclyAccessible": false, "EnableIAMDatabaseAuthentication": true,
		"AutoMinorVersionUpgrade": true, "CopyTagsToSnapshot": true,
	} {
		if r.Get(property) != want {
			say("%s is not %t", property, want)
		}
	}
	if a.Kept && r.Get("MultiAZ") != true {
		say("it stands in one zone")
	}
	if port := cfn.Number(r.Get("Port")); port == 0 || port == 5432 {
		say("its port is the one that is tried first")
	}
	if cfn.Number(r.Get("MonitoringInterval")) == 0 || r.Get("EnablePerformanceInsights") != true {
		say("nobody can see what it is busy with")
	}
	for _, log := range []string{"postgresql", "iam-db-auth-error"} {
		if !slices.Contains(texts(r.Get("EnableCloudwatchLogsExports")), log) {
			say("its log %s is not exported", log)
		}
	}
	if len(a.references(r.Stack, r.Get("DBParameterGroupName"))) == 0 {
		say("its parameters are not the app's")
	}
}

func parameters(_ *App, r Resource, say func(string, ...any)) {
	for name, want := range map[string]string{
		"rds.force_ssl": "1", "log_connections": "1", "log_disconnections": "1", "log_statement": "none",
		"log_min_error_statement": "panic", "log_error_verbosity": "terse", "log_min_duration_statement": "-1",
		"log_parameter_max_length": "0", "log_parameter_max_length_on_error": "0", "pgaudit.log_parameter": "0",
	} {
		if got := text(r.Get("Parameters", name)); got != want {
			say("%s is %q, not %q", name, got, want)
		}
	}
	if audited := text(r.Get("Parameters", "pgaudit.log")); !strings.Contains(audited, "ddl") || !strings.Contains(audited, "role") {
		say("changes of tables and roles are not audited")
	}
}

func secrets(a *App, r Resource, say func(string, ...any)) {
	if r.Get("SecretString") != nil || cfn.Number(r.Get("GenerateSecretString", "PasswordLength")) < 20 {
		say("its password is given, or shorter than 20 characters")
	}
	if a.Emulated || !ofDatabase(a, r) { // the emulator hangs on the application that rotates
		return
	}
	rotates := slices.ContainsFunc(a.Resources("AWS::SecretsManager::RotationSchedule"), func(s Resource) bool {
		return slices.ContainsFunc(secretsOf(a, s.Stack, s.Get("SecretId")), r.is) && s.Get("RotationRules") != nil
	})
	if !rotates {
		say("its password is never changed")
	}
	guarded := slices.ContainsFunc(a.Resources("AWS::SecretsManager::ResourcePolicy"), func(p Resource) bool {
		return a.refers(p.Stack, p.Get("SecretId"), r) && slices.ContainsFunc(statements(p.Get("ResourcePolicy")), func(s Statement) bool {
			return !s.Allow && slices.Contains(s.Actions, "secretsmanager:DeleteSecret")
		})
	})
	if !guarded {
		say("it can be deleted")
	}
}

const attachmentType = "AWS::SecretsManager::SecretTargetAttachment"

// ofDatabase says whether the secret is the password of a database.
func ofDatabase(a *App, secret Resource) bool {
	return slices.ContainsFunc(a.Resources(attachmentType), func(s Resource) bool { return a.refers(s.Stack, s.Get("SecretId"), secret) })
}

// secretsOf are the secrets that value refers to, by themselves or by their attachments to databases.
func secretsOf(a *App, stack string, value any) []Resource {
	var all []Resource
	for _, r := range a.references(stack, value) {
		switch r.Type {
		case attachmentType:
			all = append(all, a.references(r.Stack, r.Get("SecretId"))...)
		case secretType:
			all = append(all, r)
		}
	}
	return all
}

// secretName is a name that a secret has; secretText is what a key or a token looks like.
var (
	secretName = regexp.MustCompile(`(?i)(^|_)(password|passwd|secret|token|api_?key|private_?key)$`)
	secretText = regexp.MustCompile(`AKIA[0-9A-Z]{16}|-----BEGIN [A-Z ]*PRIVATE KEY|^[0-9a-f]{64}$|postgres(ql)?://[^/:]+:[^@]+@`)
)

func noSecrets(_ *App, r Resource, say func(string, ...any)) {
	for name, value := range object(r.Get("Environment", "Variables")) {
		whole := strings.Join(texts(value), "")
		if secretName.MatchString(name) && !strings.Contains(whole, "arn:") || strings.Contains(whole, "{{resolve:") {
			say("its variable %s is a secret", name)
		}
	}
	for _, property := range []string{"MasterUserPassword", "Password"} {
		if value := r.Get(property); value != nil && !strings.Contains(strings.Join(texts(value), ""), "{{resolve:secretsmanager:") {
			say("%s is in the template", property)
		}
	}
	if r.Type == "AWS::ApiGateway::ApiKey" && r.Get("Value") != nil {
		say("the key is in the template")
	}
	for _, value := range texts(r.Body["Properties"]) {
		// The expression is slow, and a template long.
		suspect := len(value) == 64 || strings.Contains(value, "AKIA") || strings.Contains(value, "PRIVATE KEY") || strings.Contains(value, "postgres")
		if suspect && secretText.MatchString(value) {
			say("it holds what looks like a secret")
		}
	}
}
