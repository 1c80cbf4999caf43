"""Starts ministack, the AWS emulator of the laptop cloud, with some of its
internals replaced, and refuses to start if they are not what was read.

It is configured by ministack's own environment variables (GATEWAY_PORT,
BIND_HOST, ...); local/cloud/emulator.go sets them.
"""

import os
import sys

# Python puts this file's folder first, where `import ministack` is this file.
sys.path[:] = [entry for entry in sys.path
               if os.path.realpath(entry) != os.path.dirname(os.path.realpath(__file__))]

import importlib.metadata  # noqa: E402
import inspect  # noqa: E402
import json  # noqa: E402
import time  # noqa: E402

PINNED = "1.5.33"


class Changed(Exception):
    """An internal that this launcher replaces is not as it was read."""


def check(condition, what):
    if not condition:
        raise Changed(what)


def parameters(function):
    return list(inspect.signature(function).parameters)


def calls(module, caller, name):
    """Whether a function looks name up in its module at every call, so that it can be replaced there."""
    def named_in(code):  # or in a comprehension, which is code of its own
        return name in code.co_names or any(named_in(part) for part in code.co_consts if inspect.iscode(part))

    code = getattr(getattr(module, caller, None), "__code__", None)
    return code is not None and named_in(code)


def check_version():
    found = importlib.metadata.version("ministack")
    check(found == PINNED, f"it is version {found}")


def stop_own_delivery():
    """The emulator delivers a Kinesis source inside PutRecord, one object per
    record and uncompressed. local/firehose delivers instead; without this every
    record would reach the lake twice."""
    from ministack.services import firehose, kinesis

    name = "ingest_from_kinesis_source"
    check(parameters(getattr(firehose, name, lambda: None)) == ["stream_arn", "records"],
          f"ministack.services.firehose has no {name}(stream_arn, records)")
    for operation in ("_put_record", "_put_records"):
        code = getattr(getattr(kinesis, operation, None), "__code__", None)
        # Looked up in the module at every call: that is why replacing it works.
        check(code is not None and name in code.co_names,
              f"ministack.services.kinesis.{operation} does not call {name}")
    setattr(firehose, name, lambda stream_arn, records: None)


def put_databases_on_this_machine():
    """The emulator invents a host name for a database instance. Here the real
    Postgres listens on loopback, so the endpoint is localhost."""
    from ministack.services.cloudformation import provisioners

    name = "_rds_db_instance_attrs"
    original = getattr(provisioners, name, lambda: None)
    check(parameters(original) == ["instance"],
          f"ministack.services.cloudformation.provisioners has no {name}(instance)")
    for operation in ("_rds_db_instance_create", "_rds_db_instance_update"):
        code = getattr(getattr(provisioners, operation, None), "__code__", None)
        check(code is not None and name in code.co_names,
              f"ministack.services.cloudformation.provisioners.{operation} does not call {name}")

    def attributes(instance):
        instance["Endpoint"]["Address"] = "localhost"
        return original(instance)

    setattr(provisioners, name, attributes)


def list_stage_keys_as_strings():
    """An API key's stages are objects in a request and strings, "api/stage", in
    AWS's answers. The emulator answers what it was given, which AWS's own
    clients cannot read."""
    from ministack.services import apigateway_v1

    name = "_create_api_key"
    original = getattr(apigateway_v1, name, lambda: None)
    check(parameters(original) == ["data"], f"ministack.services.apigateway_v1 has no {name}(data)")

    def create(data):
        stages = [f"{key['restApiId']}/{key['stageName']}" for key in data.get("stageKeys", [])]
        return original({**data, "stageKeys": stages})

    setattr(apigateway_v1, name, create)


def keep_request_validators():
    """CloudFormation's request validators are made in name only, and its methods
    forget theirs. local/gateway would find nothing to validate by."""
    from ministack.services import apigateway_v1
    from ministack.services.cloudformation import provisioners

    handlers = getattr(provisioners, "_RESOURCE_HANDLERS", {})
    replaced = {"AWS::ApiGateway::RequestValidator": "_apigw_request_validator_create",
                "AWS::ApiGateway::Method": "_apigw_method_create"}
    for kind, name in replaced.items():
        check(parameters(getattr(provisioners, name, lambda: None)) == ["logical_id", "props", "stack_name"],
              f"ministack.services.cloudformation.provisioners has no {name}(logical_id, props, stack_name)")
        check(handlers.get(kind, {}).get("create") is getattr(provisioners, name),
              f"ministack.services.cloudformation.provisioners does not create {kind} by {name}")
    for name, wanted in {"_create_request_validator": ["api_id", "data"],
                         "_update_method": ["api_id", "resource_id", "http_method", "data"]}.items():
        check(parameters(getattr(apigateway_v1, name, lambda: None)) == wanted,
              f"ministack.services.apigateway_v1 has no {name}({', '.join(wanted)})")
    create_method = provisioners._apigw_method_create

    def validator(logical_id, props, stack_name):
        status, _, body = apigateway_v1._create_request_validator(props.get("RestApiId"), {
            "name": props.get("Name", logical_id),
            "validateRequestBody": props.get("ValidateRequestBody") in (True, "true"),
            "validateRequestParameters": props.get("ValidateRequestParameters") in (True, "true"),
        })
        if status != 201:
            raise ValueError(f"{logical_id}: {body}")
        made = json.loads(body)["id"]
        return made, {"RequestValidatorId": made}

    def method(logical_id, props, stack_name):
        made = create_method(logical_id, props, stack_name)
        apigateway_v1._update_method(props.get("RestApiId"), props.get("ResourceId"), props.get("HttpMethod"), {
            "patchOperations": [{"op": "replace", "path": "/requestValidatorId", "value": props.get("RequestValidatorId")}]})
        return made

    for kind, create in {"AWS::ApiGateway::RequestValidator": validator, "AWS::ApiGateway::Method": method}.items():
        setattr(provisioners, replaced[kind], create)
        handlers[kind]["create"] = create


def update_request_validators():
    """CloudFormation's update of a request validator changes nothing: a model
    that is no longer to be checked, or is from now on, would stay as it was."""
    from ministack.services import apigateway_v1
    from ministack.services.cloudformation import provisioners

    kind, name = "AWS::ApiGateway::RequestValidator", "_apigw_request_validator_update"
    handler = getattr(provisioners, "_RESOURCE_HANDLERS", {}).get(kind, {})
    original = getattr(provisioners, name, lambda: None)
    check(parameters(original) == ["physical_id", "old_props", "new_props", "stack_name"],
          f"ministack.services.cloudformation.provisioners has no {name}(physical_id, old_props, new_props, stack_name)")
    check(handler.get("update") is original, f"ministack.services.cloudformation.provisioners does not update {kind} by {name}")
    wanted = ["api_id", "validator_id", "data"]
    check(parameters(getattr(apigateway_v1, "_update_request_validator", lambda: None)) == wanted,
          f"ministack.services.apigateway_v1 has no _update_request_validator({', '.join(wanted)})")

    def update(physical_id, old_props, new_props, stack_name):
        made, attributes = original(physical_id, old_props, new_props, stack_name)
        apigateway_v1._update_request_validator(new_props.get("RestApiId"), made, {"patchOperations": [
            {"op": "replace", "path": "/validate" + what, "value": new_props.get("Validate" + what, False)}
            for what in ("RequestBody", "RequestParameters")]})
        return made, attributes

    setattr(provisioners, name, update)
    handler["update"] = update


def keep_api_key_sources():
    """CloudFormation's REST APIs forget where their keys come from until they are
    updated. local/gateway would take keys from a header that AWS does not look at."""
    from ministack.services import apigateway_v1
    from ministack.services.cloudformation import provisioners

    kind, name = "AWS::ApiGateway::RestApi", "_apigw_rest_api_create"
    handler = getattr(provisioners, "_RESOURCE_HANDLERS", {}).get(kind, {})
    original = getattr(provisioners, name, lambda: None)
    check(parameters(original) == ["logical_id", "props", "stack_name"],
          f"ministack.services.cloudformation.provisioners has no {name}(logical_id, props, stack_name)")
    check(handler.get("create") is original, f"ministack.services.cloudformation.provisioners does not create {kind} by {name}")
    check(parameters(getattr(apigateway_v1, "_update_rest_api", lambda: None)) == ["api_id", "data"],
          "ministack.services.apigateway_v1 has no _update_rest_api(api_id, data)")

    def create(logical_id, props, stack_name):
        made, attributes = original(logical_id, props, stack_name)
        apigateway_v1._update_rest_api(made, {"patchOperations": [
            {"op": "replace", "path": "/apiKeySource", "value": props.get("ApiKeySourceType", "HEADER")}]})
        return made, attributes

    setattr(provisioners, name, create)
    handler["create"] = create


def keep_client_throttles():
    """A usage plan's throttles by method keep CloudFormation's spelling
    (RateLimit), where API Gateway's API has its own (rateLimit): its clients
    read no limit at all."""
    from ministack.services.cloudformation import provisioners

    name = "_apigw_usage_plan_body"
    original = getattr(provisioners, name, lambda: None)
    check(parameters(original) == ["props"], f"ministack.services.cloudformation.provisioners has no {name}(props)")
    check(parameters(getattr(provisioners, "_apigw_throttle", lambda: None)) == ["raw"],
          "ministack.services.cloudformation.provisioners has no _apigw_throttle(raw)")
    for operation in ("_apigw_usage_plan_create", "_apigw_usage_plan_update"):
        code = getattr(getattr(provisioners, operation, None), "__code__", None)
        check(code is not None and name in code.co_names,
              f"ministack.services.cloudformation.provisioners.{operation} does not call {name}")

    def body(props):
        made = original(props)
        for stage in made["apiStages"]:
            stage["throttle"] = {method: provisioners._apigw_throttle(limits) for method, limits in stage["throttle"].items()}
        return made

    setattr(provisioners, name, body)


def tell_whole_destinations():
    """A delivery stream's description leaves out what local/firehose delivers by."""
    from ministack.services import firehose

    name = "_dest_description"
    original = getattr(firehose, name, lambda: None)
    check(parameters(original) == ["dest"], f"ministack.services.firehose has no {name}(dest)")
    check(calls(firehose, "_build_description", name),
          f"ministack.services.firehose._build_description does not call {name}")

    def description(dest):
        made = original(dest)
        told = made.get("ExtendedS3DestinationDescription")
        if told is not None:
            config = dest["config"]
            told.update({key: config[key] for key in ("FileExtension", "CustomTimeZone") if key in config})
            backup = {**config.get("S3BackupConfiguration", {}), **config.get("S3BackupUpdate", {})}
            if backup:
                told["S3BackupDescription"] = backup
        return made

    setattr(firehose, name, description)


def hand_over_direct_puts():
    """The emulator delivers what is put to a delivery stream itself. Here it goes
    through a Kinesis stream of this name, from which local/firehose delivers it."""
    from ministack.services import firehose, kinesis

    stream_of = "firehose-direct-put-{}".format
    for module, name, wanted in (
            (firehose, "_create_delivery_stream", ["data"]), (firehose, "_delete_delivery_stream", ["data"]),
            (firehose, "_deliver_records_to_s3", ["stream", "dest", "records"]),
            (kinesis, "_create_stream", ["data"]), (kinesis, "_delete_stream", ["data"]),
            (kinesis, "put_record_internal", ["stream_arn", "partition_key", "data"])):
        check(parameters(getattr(module, name, lambda: None)) == wanted, f"{module.__name__} has no {name}({', '.join(wanted)})")
    handlers = getattr(firehose, "_HANDLERS", {})
    originals = {}
    for operation, name in {"CreateDeliveryStream": "_create_delivery_stream", "DeleteDeliveryStream": "_delete_delivery_stream"}.items():
        originals[name] = getattr(firehose, name)
        check(handlers.get(operation) is originals[name], f"ministack.services.firehose does not serve {operation} by {name}")
    for operation in ("_put_record", "_put_record_batch"):
        check(calls(firehose, operation, "_deliver_records_to_s3"),
              f"ministack.services.firehose.{operation} does not call _deliver_records_to_s3")

    def create(data):
        answer = originals["_create_delivery_stream"](data)
        if answer[0] < 400 and data.get("DeliveryStreamType", "DirectPut") == "DirectPut":
            kinesis._create_stream({"StreamName": stream_of(data["DeliveryStreamName"]), "ShardCount": 1})
        return answer

    def delete(data):
        answer = originals["_delete_delivery_stream"](data)
        if answer[0] < 400:
            kinesis._delete_stream({"StreamName": stream_of(data["DeliveryStreamName"])})  # not there for other sources
        return answer

    def deliver(stream, dest, records):
        queue = stream["arn"].replace(":firehose:", ":kinesis:").split(":deliverystream/")[0] + ":stream/" + stream_of(stream["name"])
        for record_id, data in records:
            if not kinesis.put_record_internal(queue, record_id, data):
                raise RuntimeError(f"{queue} takes no records")

    for operation, replacement in {"CreateDeliveryStream": create, "DeleteDeliveryStream": delete}.items():
        setattr(firehose, handlers[operation].__name__, replacement)
        handlers[operation] = replacement
    firehose._deliver_records_to_s3 = deliver


EXPIRY_SECONDS = 60


def look_seldom_for_what_has_expired():
    """The emulator walks through all its iterators at every request to Kinesis, and
    through all records of a stream at most of them: the more there is, the slower
    each. What expires does so after five minutes and hours: a look a minute does."""
    from ministack.services import kinesis

    for name, wanted, callers in (
            ("_expire_iterators", [], ["handle_request"]),
            ("_expire_records", ["stream"], ["_put_record", "_put_records", "_get_shard_iterator", "_get_records"])):
        original = getattr(kinesis, name, lambda _: None)
        check(parameters(original) == wanted, f"ministack.services.kinesis has no {name}({', '.join(wanted)})")
        for caller in callers:
            check(calls(kinesis, caller, name), f"ministack.services.kinesis.{caller} does not call {name}")
        setattr(kinesis, name, seldom(original))


def seldom(original):
    """original, at most once in EXPIRY_SECONDS for a stream (or at all, if it takes none)."""
    looked = {}

    def look(*streams):
        key, now = tuple(stream["StreamARN"] for stream in streams), time.monotonic()
        if now - looked.get(key, -EXPIRY_SECONDS) >= EXPIRY_SECONDS:
            looked[key] = now
            original(*streams)

    return look


def leave_stream_mappings_to_their_poller():
    """The emulator polls for an event source mapping on a Kinesis stream with almost
    none of its settings: local/eventsource polls instead. Of a mapping's settings it
    keeps neither the tumbling window nor the time to start at, and not that
    CloudFormation made it disabled; and batches are of 100 by default, not 10."""
    from ministack.services import lambda_svc
    from ministack.services.cloudformation import provisioners

    for name, caller in {"_poll_kinesis": "_poll_loop", "_create_esm": "handle_request", "_update_esm": "handle_request"}.items():
        check(calls(lambda_svc, caller, name), f"ministack.services.lambda_svc.{caller} does not call {name}")
    kind, wanted = "AWS::Lambda::EventSourceMapping", {
        "_lambda_esm_create": ["logical_id", "props", "stack_name"],
        "_lambda_esm_update": ["physical_id", "old_props", "new_props", "stack_name"]}
    handler = getattr(provisioners, "_RESOURCE_HANDLERS", {}).get(kind, {})
    for operation in ("create", "update"):
        name = "_lambda_esm_" + operation
        original = getattr(provisioners, name, lambda: None)
        check(parameters(original) == wanted[name], f"ministack.services.cloudformation.provisioners has no {name}({', '.join(wanted[name])})")
        check(handler.get(operation) is original, f"ministack.services.cloudformation.provisioners does not {operation} {kind} by {name}")
    for name, taken in {"_create_esm": ["data"], "_update_esm": ["esm_id", "data"], "_esm_response": ["esm"]}.items():
        check(parameters(getattr(lambda_svc, name, lambda: None)) == taken, f"ministack.services.lambda_svc has no {name}({', '.join(taken)})")

    def complete(uuid, settings, made):
        mapping = lambda_svc._esms[uuid]
        mapping.update({key: settings[key] for key in ("TumblingWindowInSeconds", "StartingPositionTimestamp") if key in settings})
        if made and ":kinesis:" in mapping["EventSourceArn"]:
            mapping["BatchSize"] = int(settings.get("BatchSize", 100))
            mapping["State"] = "Enabled" if settings.get("Enabled", True) in (True, "true") else "Disabled"
        return mapping

    def by_api(original, made):
        def answer(*arguments):
            status, headers, body = original(*arguments)
            if status < 400:
                mapping = complete(json.loads(body)["UUID"], arguments[-1], made)
                body = json.dumps(lambda_svc._esm_response(mapping)).encode()
            return status, headers, body
        return answer

    def by_template(original, made):
        def provision(physical_id, *arguments):
            uuid, attributes = original(physical_id, *arguments)
            complete(uuid, arguments[-2], made or uuid != physical_id)
            return uuid, attributes
        return provision

    lambda_svc._poll_kinesis = lambda: False
    for operation, made in {"create": True, "update": False}.items():
        name = f"_{operation}_esm"
        setattr(lambda_svc, name, by_api(getattr(lambda_svc, name), made))
        handler[operation] = by_template(handler[operation], made)


def leave_live_aliases_to_their_rollout():
    """CloudFormation moves an alias as soon as its version is there. On AWS, CodeDeploy
    moves those that are rolled out, and here local/rollout does: a deploy leaves
    them where they are."""
    from ministack.services import lambda_svc
    from ministack.services.cloudformation import provisioners

    kind, name = "AWS::Lambda::Alias", "_lambda_alias_update"
    handler = getattr(provisioners, "_RESOURCE_HANDLERS", {}).get(kind, {})
    original = getattr(provisioners, name, lambda: None)
    check(parameters(original) == ["physical_id", "old_props", "new_props", "stack_name", "logical_id"],
          f"ministack.services.cloudformation.provisioners has no {name}(physical_id, old_props, new_props, stack_name, logical_id)")
    check(handler.get("update") is original, f"ministack.services.cloudformation.provisioners does not update {kind} by {name}")
    check(parameters(getattr(lambda_svc, "_get_alias", lambda: None)) == ["func_name", "alias_name"],
          "ministack.services.lambda_svc has no _get_alias(func_name, alias_name)")

    def update(physical_id, old_props, new_props, *rest):
        function, alias = physical_id.rsplit(":", 2)[-2:]
        if alias == LIVE and new_props.get("Name") == LIVE:
            status, _, body = lambda_svc._get_alias(function, alias)
            if status == 200:
                new_props = {**new_props, "FunctionVersion": json.loads(body)["FunctionVersion"]}
        return original(physical_id, old_props, new_props, *rest)

    setattr(provisioners, name, update)
    handler["update"] = update


LIVE = "live"  # constructs/rollout.Alias


def make_metrics_of_logs():
    """CloudWatch makes metrics of a function's lines in the embedded metric format
    (https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html);
    the emulator keeps them as text."""
    from ministack.services import cloudwatch, lambda_svc

    for module, name, wanted in ((lambda_svc, "_emit_lambda_logs", ["func", "request_id", "log_text", "error", "duration_ms", "log_source"]),
                                 (cloudwatch, "record_metric", ["namespace", "metric_name", "value", "unit", "dimensions"])):
        check(parameters(getattr(module, name, lambda: None)) == wanted, f"{module.__name__} has no {name}({', '.join(wanted)})")
    original = lambda_svc._emit_lambda_logs

    def measure(line):
        if '"_aws"' not in line:
            return
        try:
            values = json.loads(line)
            for directive in values["_aws"]["CloudWatchMetrics"]:
                for dimensions in directive["Dimensions"]:
                    for metric in directive["Metrics"]:
                        cloudwatch.record_metric(directive["Namespace"], metric["Name"], values[metric["Name"]],
                                                 metric.get("Unit", "None"), {key: str(values[key]) for key in dimensions})
        except (ValueError, KeyError, TypeError):
            return  # not in the format: CloudWatch makes no metric of it either

    def emit(func, request_id, log_text, *arguments, **named):
        for line in (log_text or "").splitlines():
            measure(line)
        return original(func, request_id, log_text, *arguments, **named)

    lambda_svc._emit_lambda_logs = emit


def main():
    try:
        check_version()
        stop_own_delivery()
        put_databases_on_this_machine()
        list_stage_keys_as_strings()
        keep_request_validators()
        update_request_validators()
        keep_api_key_sources()
        keep_client_throttles()
        tell_whole_destinations()
        hand_over_direct_puts()
        look_seldom_for_what_has_expired()
        leave_stream_mappings_to_their_poller()
        leave_live_aliases_to_their_rollout()
        make_metrics_of_logs()
        from ministack import app
        check(callable(getattr(app, "main", None)), "ministack.app has no main()")
    except (Changed, ImportError) as problem:
        sys.exit(f"{__file__}: ministack is not the one this launcher was written for ({PINNED}): {problem}. "
                 "Install what requirements.txt pins, or read the new version and adapt the launcher.")
    app.main()


if __name__ == "__main__":
    main()
