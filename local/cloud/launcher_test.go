package cloud

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A ministack with just what the launcher touches.
var fakeMinistack = map[string]string{
	"ministack-1.5.33.dist-info/METADATA": "Metadata-Version: 2.1\nName: ministack\nVersion: 1.5.33\n",
	"ministack/__init__.py":               "",
	"ministack/services/__init__.py":      "",
	"ministack/services/firehose.py": `
delivered = []
def ingest_from_kinesis_source(stream_arn, records):
    delivered.extend(records)
`,
	"ministack/services/kinesis.py": `
def _put_record(data):
    from ministack.services import firehose as _firehose
    _firehose.ingest_from_kinesis_source("arn", [1])
def _put_records(data):
    from ministack.services import firehose as _firehose
    _firehose.ingest_from_kinesis_source("arn", [1, 2])
`,
	"ministack/services/cloudformation/__init__.py": "",
	"ministack/services/cloudformation/provisioners.py": `
def _rds_db_instance_attrs(instance):
    return {"Endpoint.Address": instance["Endpoint"]["Address"]}
def _rds_db_instance_create(instance):
    return _rds_db_instance_attrs(instance)
def _rds_db_instance_update(instance):
    return _rds_db_instance_attrs(instance)
def _apigw_method_create(logical_id, props, stack_name):
    from ministack.services import apigateway_v1
    apigateway_v1._resources[props["RestApiId"]][props["ResourceId"]]["resourceMethods"][props["HttpMethod"]] = {}
def _apigw_method_update(physical_id, old_props, new_props, stack_name):
    return _apigw_method_create(physical_id, new_props, stack_name)
def _apigw_request_validator_create(logical_id, props, stack_name):
    return "made in name only", {}
def _apigw_request_validator_update(physical_id, old_props, new_props, stack_name):
    return physical_id, {}
def _apigw_rest_api_create(logical_id, props, stack_name):
    return "api", {}
def _apigw_throttle(raw):
    return {"rateLimit": raw["RateLimit"]}
def _apigw_usage_plan_body(props):
    return {"apiStages": [{"throttle": stage["Throttle"]} for stage in props["ApiStages"]]}
def _apigw_usage_plan_create(logical_id, props, stack_name):
    return _apigw_usage_plan_body(props)
def _apigw_usage_plan_update(physical_id, old_props, new_props, stack_name):
    return _apigw_usage_plan_body(new_props)
_RESOURCE_HANDLERS = {"AWS::ApiGateway::Method": {"create": _apigw_method_create, "update": _apigw_method_update},
                      "AWS::ApiGateway::RequestValidator": {"create": _apigw_request_validator_create, "update": _apigw_request_validator_update},
                      "AWS::ApiGateway::RestApi": {"create": _apigw_rest_api_create}}
`,
	"ministack/services/apigateway_v1.py": `
import json
_resources = {"api": {"root": {"resourceMethods": {}}}}
def _update_method(api_id, resource_id, http_method, data):
    method = _resources[api_id][resource_id]["resourceMethods"][http_method]
    for operation in data["patchOperations"]:
        method[operation["path"][1:]] = operation["value"]
def _create_request_validator(api_id, data):
    return 201, {}, json.dumps({"id": f"{api_id} body {data['validateRequestBody']} parameters {data['validateRequestParameters']}"})
def _update_request_validator(api_id, validator_id, data):
    print("updated", validator_id, *(f"{o['path']}={o['value']}" for o in data["patchOperations"]))
def _update_rest_api(api_id, data):
    print("changed", api_id, *(f"{o['path']}={o['value']}" for o in data["patchOperations"]))
def _create_api_key(data):
    return data
`,
	"ministack/app.py": `
def main():
    from ministack.services import apigateway_v1, firehose, kinesis
    from ministack.services.cloudformation import provisioners
    kinesis._put_record({}); kinesis._put_records({})
    print("delivered", len(firehose.delivered))
    print("address", provisioners._rds_db_instance_create({"Endpoint": {"Address": "db.rds.amazonaws.com"}})["Endpoint.Address"])
    print("stages", *apigateway_v1._create_api_key({"stageKeys": [{"restApiId": "abc", "stageName": "live"}]})["stageKeys"])
    method = {"RestApiId": "api", "ResourceId": "root", "HttpMethod": "POST", "RequestValidatorId": "made"}
    handlers = provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::Method"]
    methods = apigateway_v1._resources["api"]["root"]["resourceMethods"]
    handlers["create"]("id", method, "stack")
    made = methods["POST"]["requestValidatorId"]
    handlers["update"]("id", method, {**method, "RequestValidatorId": "updated"}, "stack")
    print("validators", made, methods["POST"]["requestValidatorId"])
    create = provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::RequestValidator"]["create"]
    print(create("id", {"RestApiId": "api", "ValidateRequestBody": True, "ValidateRequestParameters": "false"}, "stack")[0])
    provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::RequestValidator"]["update"]("made", {}, {"RestApiId": "api", "ValidateRequestBody": True}, "stack")
    provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::RestApi"]["create"]("id", {"ApiKeySourceType": "AUTHORIZER"}, "stack")
    print("throttle", provisioners._apigw_usage_plan_create("id", {"ApiStages": [{"Throttle": {"/events/POST": {"RateLimit": 2}}}]}, "stack"))
`,
}

// launch runs the launcher against the fake, changed in one file.
func launch(t *testing.T, file, old, new string) (string, error) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range fakeMinistack {
		if name == file {
			require.Contains(t, content, old)
			content = strings.ReplaceAll(content, old, new)
		}
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	cmd := exec.Command(python(repository(t)), "ministack.py")
	cmd.Env = append(os.Environ(), "PYTHONPATH="+dir, "PYTHONDONTWRITEBYTECODE=1")
	output, err := cmd.CombinedOutput()
	return string(output), err
}

func TestLauncherReplacesWhatTheEmulatorDoesOtherwise(t *testing.T) {
	output, err := launch(t, "", "", "")
	require.NoError(t, err, output)
	assert.Equal(t, strings.Join([]string{
		"delivered 0",
		"address localhost",
		"stages abc/live",
		"validators made updated",
		"api body True parameters False",
		"updated made /validateRequestBody=True /validateRequestParameters=False",
		"changed api /apiKeySource=AUTHORIZER",
		"throttle {'apiStages': [{'throttle': {'/events/POST': {'rateLimit': 2}}}]}",
		"",
	}, "\n"), output)
}

func TestLauncherFailsLoudlyWhenTheEmulatorHasChanged(t *testing.T) {
	const services = "ministack/services/"
	for name, change := range map[string]struct{ file, old, new, says string }{
		"another version":           {"ministack-1.5.33.dist-info/METADATA", "Version: 1.5.33", "Version: 1.5.34", "it is version 1.5.34"},
		"delivery gone":             {services + "firehose.py", "ingest_from_kinesis_source", "ingest", "firehose has no ingest_from_kinesis_source"},
		"delivery takes another":    {services + "firehose.py", "(stream_arn, records)", "(stream, shard, records)", "firehose has no ingest_from_kinesis_source(stream_arn, records)"},
		"delivery called elsewhere": {services + "kinesis.py", "_firehose.ingest_from_kinesis_source", "_firehose.ingest", "kinesis._put_record does not call ingest_from_kinesis_source"},
		"attributes gone":           {services + "cloudformation/provisioners.py", "_rds_db_instance_attrs", "_attributes", "provisioners has no _rds_db_instance_attrs(instance)"},
		"attributes called elsewhere": {
			services + "cloudformation/provisioners.py", "def _rds_db_instance_update(instance):\n    return _rds_db_instance_attrs(instance)",
			"", "provisioners._rds_db_instance_update does not call _rds_db_instance_attrs",
		},
		"keys made otherwise": {services + "apigateway_v1.py", "(data)", "(request, data)", "apigateway_v1 has no _create_api_key(data)"},
		"methods made otherwise": {
			services + "cloudformation/provisioners.py", "_apigw_method_create(logical_id, props, stack_name):", "_apigw_method_create(logical_id, props):",
			"provisioners has no _apigw_method_create(logical_id, props, stack_name)",
		},
		"validators made otherwise": {services + "apigateway_v1.py", "(api_id, data)", "(data)", "apigateway_v1 has no _create_request_validator(api_id, data)"},
		"validators updated otherwise": {
			services + "cloudformation/provisioners.py", `"update": _apigw_request_validator_update`, `"update": print`,
			"does not update AWS::ApiGateway::RequestValidator by _apigw_request_validator_update",
		},
		"APIs made otherwise":      {services + "cloudformation/provisioners.py", `{"create": _apigw_rest_api_create}`, "{}", "does not create AWS::ApiGateway::RestApi by _apigw_rest_api_create"},
		"throttles kept elsewhere": {services + "cloudformation/provisioners.py", "return _apigw_usage_plan_body(new_props)", "pass", "_apigw_usage_plan_update does not call _apigw_usage_plan_body"},
		"module gone":              {"ministack/app.py", "def main", "raise ImportError('no app')\ndef main", "no app"},
	} {
		t.Run(name, func(t *testing.T) {
			output, err := launch(t, change.file, change.old, change.new)
			require.Error(t, err)
			assert.Contains(t, output, "ministack is not the one this launcher was written for (1.5.33)")
			assert.Contains(t, output, change.says)
			assert.Contains(t, output, "Install what requirements.txt pins")
			assert.NotContains(t, output, "Traceback")
		})
	}
}
