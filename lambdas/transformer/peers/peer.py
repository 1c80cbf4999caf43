"""The transformer as AWS's blueprint for Python does it. Reads Firehose's event
from a file, transforms it over and over for some seconds, and prints what that took."""

import base64
import json
import sys
import time
from datetime import datetime, timezone


def handler(event):
    output = []
    for record in event["records"]:
        try:
            payload = json.loads(base64.b64decode(record["data"]))
            payload["id"] = payload["event_id"]
            arrived = record["approximateArrivalTimestamp"] / 1000
            payload["arrived_at"] = datetime.fromtimestamp(arrived, timezone.utc).isoformat()
            data = base64.b64encode((json.dumps(payload) + "\n").encode()).decode()
            output.append({"recordId": record["recordId"], "result": "Ok", "data": data})
        except ValueError:
            output.append({"recordId": record["recordId"], "result": "ProcessingFailed", "data": record["data"]})
    return {"records": output}


def invoke(text):
    return json.dumps(handler(json.loads(text))).encode()


def main():
    path, seconds = sys.argv[1], float(sys.argv[2])
    with open(path, "rb") as file:
        text = file.read()
    response = json.loads(invoke(text))  # once before the clock, and checked
    ok = sum(record["result"] == "Ok" for record in response["records"])
    end = time.monotonic() + seconds
    begin = time.process_time()
    records = 0
    while True:
        invoke(text)
        records += len(response["records"])
        if time.monotonic() >= end:
            break
    print(json.dumps({"ok": ok, "records": records, "cpu_seconds": time.process_time() - begin}))


main()
