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
def _dest_description(dest):
    return {"ExtendedS3DestinationDescription": {"Prefix": dest["config"]["Prefix"]}}
def _build_description(stream):
    return [_dest_description(d) for d in stream["destinations"]]
def _deliver_records_to_s3(stream, dest, records):
    delivered.extend(records)
def _create_delivery_stream(data):
    return 200, {}, ""
def _delete_delivery_stream(data):
    return 200, {}, ""
def _put_record(data):
    _deliver_records_to_s3({"name": data["DeliveryStreamName"], "arn": "arn:aws:firehose:r:0:deliverystream/logs"}, {}, [("id", b"line")])
def _put_record_batch(data):
    _deliver_records_to_s3({}, {}, [])
_HANDLERS = {"CreateDeliveryStream": _create_delivery_stream, "DeleteDeliveryStream": _delete_delivery_stream}
`,
	"ministack/services/kinesis.py": `
expired = []
def _expire_iterators():
    expired.append("iterators")
def _expire_records(stream):
    expired.append(stream["StreamARN"])
async def handle_request():
    _expire_iterators()
def _get_shard_iterator(data):
    _expire_records({"StreamARN": data})
def _get_records(data):
    _expire_records({"StreamARN": data})
def _create_stream(data):
    print("made", data)
def _delete_stream(data):
    print("deleted", data)
def put_record_internal(stream_arn, partition_key, data):
    print("put", stream_arn, partition_key, data)
    return True
def _put_record(data):
    from ministack.services import firehose as _firehose
    _expire_records({"StreamARN": "arn"})
    _firehose.ingest_from_kinesis_source("arn", [1])
def _put_records(data):
    from ministack.services import firehose as _firehose
    _expire_records({"StreamARN": "arn"})
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
def _lambda_esm_create(logical_id, props, stack_name):
    from ministack.services import lambda_svc
    lambda_svc._esms["made"] = {"UUID": "made", "EventSourceArn": props["EventSourceArn"], "State": "Enabled", "BatchSize": 10}
    return "made", {}
def _lambda_esm_update(physical_id, old_props, new_props, stack_name):
    return physical_id, {}
def _lambda_alias_update(physical_id, old_props, new_props, stack_name, logical_id=None):
    return physical_id, new_props["FunctionVersion"]
def _apigw_throttle(raw):
    return {"rateLimit": raw["RateLimit"]}
def _apigw_usage_plan_body(props):
    return {"apiStages": [{"throttle": stage["Throttle"]} for stage in props["ApiStages"]]}
def _apigw_usage_plan_create(logical_id, props, stack_name):
    return _apigw_usage_plan_body(props)
def _apigw_usage_plan_update(physical_id, old_props, new_props, stack_name):
    return _apigw_usage_plan_body(new_props)
_RESOURCE_HANDLERS = {"AWS::Lambda::Alias": {"update": _lambda_alias_update},
                      "AWS::Lambda::EventSourceMapping": {"create": _lambda_esm_create, "update": _lambda_esm_update},
                      "AWS::ApiGateway::Method": {"create": _apigw_method_create, "update": _apigw_method_update},
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
	"ministack/services/lambda_svc.py": `
import json
_esms = {}
def _emit_lambda_logs(func, request_id, log_text, error, duration_ms, *, log_source=None):
    print("logged", request_id)
def _poll_kinesis():
    print("polled")
def _poll_loop():
    _poll_kinesis()
def _esm_response(esm):
    return esm
def _create_esm(data):
    _esms["posted"] = {"UUID": "posted", "EventSourceArn": data["EventSourceArn"], "State": "Enabled", "BatchSize": 10}
    return 202, {}, json.dumps(_esms["posted"])
def _get_alias(func_name, alias_name):
    return 200, {}, json.dumps({"FunctionVersion": f"of {func_name}"})
def _update_esm(esm_id, data):
    return 202, {}, json.dumps(_esms[esm_id])
def handle_request(data):
    made = _create_esm(data)
    return made if "TumblingWindowInSeconds" in data else _update_esm("posted", {"TumblingWindowInSeconds": 60})
`,
	"ministack/services/cloudwatch.py": `
def record_metric(namespace, metric_name, value, unit="None", dimensions=None):
    print("measured", namespace, metric_name, value, unit, dimensions)
`,
	"ministack/app.py": `
import json
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
    kinesis._get_records("arn"); kinesis._get_records("another")
    print("expired", *kinesis.expired)
    config = {"Prefix": "p/", "FileExtension": ".json.gz", "CustomTimeZone": "Asia/Tokyo",
              "S3BackupConfiguration": {"Prefix": "raw/"}, "S3BackupUpdate": {"BucketARN": "b"}}
    print(firehose._build_description({"destinations": [{"config": config}]}))
    handlers = firehose._HANDLERS
    handlers["CreateDeliveryStream"]({"DeliveryStreamName": "lake", "DeliveryStreamType": "KinesisStreamAsSource"})
    handlers["CreateDeliveryStream"]({"DeliveryStreamName": "logs"})
    firehose._put_record({"DeliveryStreamName": "logs"})
    handlers["DeleteDeliveryStream"]({"DeliveryStreamName": "logs"})
    from ministack.services import lambda_svc
    lambda_svc._poll_loop()
    source = {"EventSourceArn": "arn:aws:kinesis:eu-west-1:000000000000:stream/events"}
    for changed in ({"TumblingWindowInSeconds": 30}, {"StartingPositionTimestamp": 7, "BatchSize": 5}):
        mapping = json.loads(lambda_svc.handle_request({**source, **changed})[2])
        print("posted", mapping["BatchSize"], mapping["State"], mapping["TumblingWindowInSeconds"], mapping.get("StartingPositionTimestamp"))
    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::EventSourceMapping"]
    handlers["create"]("id", {**source, "Enabled": False}, "stack")
    handlers["update"]("made", {}, {"TumblingWindowInSeconds": 90}, "stack")
    print("provisioned", lambda_svc._esms["made"]["State"], lambda_svc._esms["made"]["TumblingWindowInSeconds"])
    update = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Alias"]["update"]
    for name in ("live", "other"):
        print("alias", name, *update("arn:aws:lambda:r:0:function:f:" + name, {}, {"Name": name, "FunctionVersion": "2"}, "stack", "id"))
    metrics = {"Namespace": "Loader", "Dimensions": [["FunctionName"]], "Metrics": [{"Name": "Rows", "Unit": "Count"}]}
    line = json.dumps({"_aws": {"CloudWatchMetrics": [metrics]}, "FunctionName": "f", "Rows": 3})
    lambda_svc._emit_lambda_logs({}, "r", "a line\n" + line + '\n{"_aws": 1}', False, 1)
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
		"expired arn another",
		"[{'ExtendedS3DestinationDescription': {'Prefix': 'p/', 'FileExtension': '.json.gz', 'CustomTimeZone': 'Asia/Tokyo', 'S3BackupDescription': {'Prefix': 'raw/', 'BucketARN': 'b'}}}]",
		"made {'StreamName': 'firehose-direct-put-logs', 'ShardCount': 1}",
		"put arn:aws:kinesis:r:0:stream/firehose-direct-put-logs id b'line'",
		"deleted {'StreamName': 'firehose-direct-put-logs'}",
		"posted 100 Enabled 30 None",
		"posted 5 Enabled 60 7",
		"provisioned Disabled 90",
		"alias live arn:aws:lambda:r:0:function:f:live of f",
		"alias other arn:aws:lambda:r:0:function:f:other 2",
		"measured Loader Rows 3 Count {'FunctionName': 'f'}",
		"logged r",
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
		"APIs made otherwise":              {services + "cloudformation/provisioners.py", `{"create": _apigw_rest_api_create}`, "{}", "does not create AWS::ApiGateway::RestApi by _apigw_rest_api_create"},
		"throttles kept elsewhere":         {services + "cloudformation/provisioners.py", "return _apigw_usage_plan_body(new_props)", "pass", "_apigw_usage_plan_update does not call _apigw_usage_plan_body"},
		"destinations described otherwise": {services + "firehose.py", "_dest_description(dest)", "_dest_description(stream, dest)", "firehose has no _dest_description(dest)"},
		"streams made otherwise":           {services + "firehose.py", `"CreateDeliveryStream": _create_delivery_stream`, `"CreateDeliveryStream": print`, "does not serve CreateDeliveryStream by _create_delivery_stream"},
		"direct PUT delivered elsewhere":   {services + "firehose.py", "_deliver_records_to_s3({}, {}, [])", "pass", "_put_record_batch does not call _deliver_records_to_s3"},
		"records expired elsewhere":        {services + "kinesis.py", "def _get_records(data):\n    _expire_records({\"StreamARN\": data})", "def _get_records(data):\n    pass", "_get_records does not call _expire_records"},
		"iterators expired otherwise":      {services + "kinesis.py", "_expire_iterators()", "_expire_iterators(now=0)", "kinesis has no _expire_iterators()"},
		"mappings polled elsewhere":        {services + "lambda_svc.py", "    _poll_kinesis()", "    pass", "lambda_svc._poll_loop does not call _poll_kinesis"},
		"mappings made otherwise":          {services + "lambda_svc.py", "def _create_esm(data)", "def _create_esm(request, data)", "lambda_svc has no _create_esm(data)"},
		"mappings provisioned otherwise":   {services + "cloudformation/provisioners.py", `"create": _lambda_esm_create`, `"create": print`, "does not create AWS::Lambda::EventSourceMapping by _lambda_esm_create"},
		"aliases updated otherwise":        {services + "cloudformation/provisioners.py", `{"update": _lambda_alias_update}`, "{}", "does not update AWS::Lambda::Alias by _lambda_alias_update"},
		"logs kept otherwise":              {services + "lambda_svc.py", "duration_ms, *, log_source=None", "duration_ms", "lambda_svc has no _emit_lambda_logs("},
		"module gone":                      {"ministack/app.py", "def main", "raise ImportError('no app')\ndef main", "no app"},
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
