package snapshot

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/millrace-cdk/millrace/spec"
)

type object = map[string]any

// prod returns the resources of prod's golden templates, by logical id, and what else is in those.
func prod(t *testing.T) object {
	t.Helper()
	all := object{}
	for _, name := range []string{"foundation", "pipeline"} {
		text, err := os.ReadFile("testdata/prod-" + name + ".template.json")
		require.NoError(t, err)
		var template object
		require.NoError(t, json.Unmarshal(text, &template))
		for id, resource := range template["Resources"].(object) {
			require.NotContains(t, all, id, "an id of both templates")
			all[id] = resource
		}
		delete(template, "Resources")
		all[name] = template
	}
	return all
}

// idOf returns the id of the one resource that its construct's path names; CDK appends a hash.
func idOf(resources object, path string) string {
	for id := range resources {
		if hash, cut := strings.CutPrefix(id, path); cut && len(hash) == 8 {
			return id
		}
	}
	panic("no resource " + path)
}

// the returns what that resource has at the steps.
func the(resources object, path string, steps ...string) object {
	found := resources[idOf(resources, path)].(object)["Properties"].(object)
	for _, step := range steps {
		found = found[step].(object)
	}
	return found
}

func ofType(resources object, kind string) []object {
	var found []object
	for _, id := range slices.Sorted(maps.Keys(resources)) {
		if resource := resources[id].(object); resource["Type"] == kind {
			found = append(found, resource["Properties"].(object))
		}
	}
	return found
}

func text(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err) // it was read from JSON
	}
	return string(text)
}

// Each claim on prod's templates answers with what breaks it, and is tried on templates that do.
var claims = []struct {
	what   string
	broken func(resources object) []string
	breaks map[string]func(resources object)
}{
	{
		"no password is in it", passwords,
		map[string]func(object){
			"a password as text": func(r object) { the(r, "DatabaseInstance")["MasterUserPassword"] = "hunter2" },
			"one of a parameter": func(r object) { the(r, "DatabaseInstance")["MasterUserPassword"] = object{"Ref": "Parameter"} },
			"one of another secret": func(r object) {
				the(r, "DatabaseInstance")["MasterUserPassword"].(object)["Fn::Join"].([]any)[1].([]any)[1] = object{"Ref": idOf(r, "DatabaseKey")}
			},
			"a secret's value as text": func(r object) { the(r, "DatabaseSecret")["SecretString"] = "hunter2" },
			"one in the secret's template": func(r object) {
				the(r, "DatabaseSecret", "GenerateSecretString")["SecretStringTemplate"] = `{"password":"hunter2"}`
			},
			"one in a function": func(r object) { the(r, "LoaderFunction", "Environment", "Variables")["PGPASSWORD"] = "hunter2" },
			"one that is resolved into a function": func(r object) {
				the(r, "LoaderFunction", "Environment", "Variables")["URL"] = "{{resolve:secretsmanager:x}}"
			},
			"one that is put out": func(r object) {
				r["foundation"].(object)["Outputs"].(object)["Out"] = object{"Value": "{{resolve:secretsmanager:x}}"}
			},
			"one in a description": func(r object) { the(r, "LoaderFunction")["Description"] = "the password is hunter2" },
		},
	},
	{
		"the loader logs in by IAM alone", loginsByPassword,
		map[string]func(object){
			"IAM authentication off":      func(r object) { the(r, "DatabaseInstance")["EnableIAMDatabaseAuthentication"] = false },
			"IAM authentication not said": func(r object) { delete(the(r, "DatabaseInstance"), "EnableIAMDatabaseAuthentication") },
			"no right to log in":          func(r object) { delete(r, idOf(r, "LoaderRoleDefaultPolicy")) },
			"a right to read secrets": func(r object) {
				document := the(r, "LoaderRoleDefaultPolicy", "PolicyDocument")
				document["Statement"] = append(document["Statement"].([]any), object{"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": "*"})
			},
			"a secret in its spec": func(r object) { respell(r, `"name":`, `"secret_arn":"arn","name":`) },
		},
	},
	{
		"TLS is verified at both ends", unverified,
		map[string]func(object){
			"not forced":                func(r object) { the(r, "DatabaseParameters", "Parameters")["rds.force_ssl"] = "0" },
			"not said":                  func(r object) { delete(the(r, "DatabaseParameters", "Parameters"), "rds.force_ssl") },
			"other parameters":          func(r object) { the(r, "DatabaseInstance")["DBParameterGroupName"] = "default.postgres17" },
			"a way round it":            func(r object) { respell(r, `"name":`, `"insecure":true,"name":`) },
			"an authority of one's own": func(r object) { respell(r, `"name":`, `"ca_bundle":"PEM","name":`) },
			"a driver's own variable": func(r object) {
				the(r, "LoaderFunction", "Environment", "Variables")["PGSSLMODE"] = "disable"
			},
		},
	},
	{
		"the master's secret is rotated", unrotated,
		map[string]func(object){
			"no schedule":           func(r object) { delete(r, idOf(r, "DatabaseSecretAttachmentRotationSchedule")) },
			"a schedule of nothing": func(r object) { delete(the(r, "DatabaseSecretAttachmentRotationSchedule"), "RotationRules") },
			"nothing that rotates":  func(r object) { delete(the(r, "DatabaseSecretAttachmentRotationSchedule"), "RotationLambdaARN") },
			"another secret's": func(r object) {
				the(r, "DatabaseSecretAttachmentRotationSchedule")["SecretId"] = object{"Ref": "Another"}
			},
		},
	},
}

func TestProdKeepsItsDatabaseToItself(t *testing.T) {
	for _, claim := range claims {
		t.Run(claim.what, func(t *testing.T) {
			assert.Empty(t, claim.broken(prod(t)))
			for name, breaks := range claim.breaks {
				changed := prod(t)
				breaks(changed)
				require.NotEqual(t, prod(t), changed, name)
				assert.NotEmpty(t, claim.broken(changed), name)
			}
		})
	}
}

var password = regexp.MustCompile(`(?i)passw|\{\{resolve:|^SecretString$`)

// passwords returns the places that have, or may have, a password.
func passwords(resources object) []string {
	var found []string
	var walk func(path string, value any)
	walk = func(path string, value any) {
		switch value := value.(type) {
		case object:
			for key, member := range value {
				if key == "MasterUserPassword" && isReference(resources, member) {
					continue
				}
				if key == "GenerateSecretString" { // that Secrets Manager makes one is said so
					member = maps.Clone(member.(object))
					delete(member.(object), "GenerateStringKey")
					delete(member.(object), "PasswordLength")
				}
				if password.MatchString(key) {
					found = append(found, path+"/"+key)
				}
				walk(path+"/"+key, member)
			}
		case []any:
			for i, element := range value {
				walk(fmt.Sprintf("%s/%d", path, i), element)
			}
		case string:
			if password.MatchString(value) && value != "secretsmanager:GetRandomPassword" {
				found = append(found, path+": "+value)
			}
		}
	}
	walk("", resources)
	return found
}

// isReference says whether CloudFormation takes the value out of a secret of the template.
func isReference(resources object, value any) bool {
	for id, resource := range resources {
		if resource.(object)["Type"] == "AWS::SecretsManager::Secret" &&
			text(value) == `{"Fn::Join":["",["{{resolve:secretsmanager:",{"Ref":"`+id+`"},":SecretString:password::}}"]]}` {
			return true
		}
	}
	return false
}

// loginsByPassword returns why the loader may need a password.
func loginsByPassword(resources object) []string {
	var found []string
	for _, instance := range ofType(resources, "AWS::RDS::DBInstance") {
		if instance["EnableIAMDatabaseAuthentication"] != true {
			found = append(found, "IAM authentication is off")
		}
	}
	role := the(resources, "LoaderFunction", "Role")["Fn::GetAtt"].([]any)[0].(string)
	rights := text(resources[role])
	for _, policy := range ofType(resources, "AWS::IAM::Policy") {
		if strings.Contains(text(policy["Roles"]), `"`+role+`"`) {
			rights += text(policy)
		}
	}
	if !strings.Contains(rights, `"rds-db:connect"`) {
		found = append(found, "its role may not log in")
	}
	if strings.Contains(rights, "secretsmanager:") {
		found = append(found, "its role may read secrets")
	}
	if strings.Contains(loaderSpec(resources), "secret") {
		found = append(found, "it is told of a secret")
	}
	return found
}

// unverified returns why a connection may go unencrypted, or to someone else.
func unverified(resources object) []string {
	var found []string
	for _, instance := range ofType(resources, "AWS::RDS::DBInstance") {
		id, _ := instance["DBParameterGroupName"].(object)
		group, _ := resources[fmt.Sprint(id["Ref"])].(object)
		if group == nil || group["Properties"].(object)["Parameters"].(object)["rds.force_ssl"] != "1" {
			found = append(found, "rds.force_ssl is not 1")
		}
	}
	variables := the(resources, "LoaderFunction", "Environment", "Variables")
	if keys := slices.Collect(maps.Keys(variables)); !slices.Equal(keys, []string{spec.Variable}) {
		found = append(found, fmt.Sprintf("the loader has the variables %v", keys))
	}
	var loader spec.Loader
	if err := spec.Decode(loaderSpec(resources), &loader); err != nil {
		return append(found, err.Error())
	}
	if loader.Database.CABundle != "" || loader.Database.Proxied {
		found = append(found, "another authority than RDS's own is trusted")
	}
	return found
}

func TestNoSpecCanTurnVerificationOff(t *testing.T) {
	var members []string
	for field := range reflect.TypeFor[spec.Database]().Fields() {
		members = append(members, field.Name)
	}
	// The last two choose between authorities. A new member is a decision: not one of verifying less.
	assert.Equal(t, []string{"Host", "Port", "Name", "CABundle", "Proxied"}, members)
}

// unrotated returns what keeps an instance's master with one password.
func unrotated(resources object) []string {
	rotated := map[string]bool{} // by what a schedule is attached to
	for _, schedule := range ofType(resources, "AWS::SecretsManager::RotationSchedule") {
		rules, _ := schedule["RotationRules"].(object)
		if schedule["RotationLambdaARN"] != nil && len(rules) > 0 {
			rotated[text(schedule["SecretId"])] = true
		}
	}
	var found []string
	attached := 0
	for id, resource := range resources {
		if resource.(object)["Type"] == "AWS::SecretsManager::SecretTargetAttachment" {
			attached++
			if !rotated[`{"Ref":"`+id+`"}`] {
				found = append(found, id+" is not rotated")
			}
		}
	}
	if attached == 0 {
		found = append(found, "no secret is a database's")
	}
	return found
}

// loaderSpec is the loader's spec, with a word for each value that is known at deployment.
func loaderSpec(resources object) string {
	join := the(resources, "LoaderFunction", "Environment", "Variables", spec.Variable)["Fn::Join"].([]any)
	var whole strings.Builder
	for _, part := range join[1].([]any) {
		if part, known := part.(string); known {
			whole.WriteString(part)
		} else {
			whole.WriteString("DEPLOYED")
		}
	}
	return whole.String()
}

// respell changes the text of the loader's spec.
func respell(resources object, old, changed string) {
	parts := the(resources, "LoaderFunction", "Environment", "Variables", spec.Variable)["Fn::Join"].([]any)[1].([]any)
	for i, part := range parts {
		if part, known := part.(string); known {
			parts[i] = strings.Replace(part, old, changed, 1)
		}
	}
}
