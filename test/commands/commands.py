"""Reads the commands of Markdown's code and holds those of the AWS CLI to botocore's models.

Prints {"commands": [[word, …], …], "wrong": ["…"]} of the documents that are given.
"""

import json
import re
import shlex
import sys

import botocore.session
from botocore import xform_name

GLOBAL = {"region", "query", "output", "profile", "max-items", "page-size", "starting-token", "endpoint-url", "no-cli-pager"}
HIGH_LEVEL = {"cp", "ls", "mb", "mv", "presign", "rb", "rm", "sync", "website"}
session = botocore.session.get_session()


def commands(text):
    """The commands in fenced and in indented code, as lists of words."""
    fenced = False
    for line in re.sub(r"\\\n\s*", "", text).splitlines():  # a line goes on after a backslash
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            yield line.strip()


def wrong(words):
    """What is wrong with a command of the AWS CLI, or nothing."""
    service, operation, rest = words[1], words[2], words[3:]
    if service == "s3":  # the CLI's own, without a model
        return None if operation in HIGH_LEVEL else f"s3 has no operation {operation}"
    service = "s3" if service == "s3api" else service
    if service not in session.get_available_services():
        return f"there is no service {service}"
    if operation == "wait":
        waiter, rest = rest[0].replace("-", "_"), rest[1:]
        model = session.create_client(service, region_name="eu-west-1").waiter_names
        return None if waiter in model else f"{service} has no waiter {waiter}"
    model = session.get_service_model(service)
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    if operation not in operations:
        return f"{service} has no operation {operation}"
    shape = model.operation_model(operations[operation]).input_shape
    members = {xform_name(name, "-"): name for name in shape.members} if shape else {}
    given = set()
    for word in rest:
        if not word.startswith("--"):
            continue
        flag = word[2:].split("=")[0]
        member = members.get(flag)
        if member is None and flag.startswith("no-") and flag[3:] in members:
            member = members[flag[3:]]
            if shape.members[member].type_name != "boolean":
                return f"{word} is not a flag that can be negated"
        if member is None and flag not in GLOBAL:
            return f"{service} {operation} has no --{flag}"
        given.add(member)
    missing = [name for name in (shape.required_members if shape else []) if name not in given]
    return f"{service} {operation} needs {', '.join('--' + xform_name(name, '-') for name in missing)}" if missing else None


found, problems = [], []
for path in sys.argv[1:]:
    with open(path, encoding="utf-8") as file:
        for line in commands(file.read()):
            if not re.match(r"(aws|millrace) ", line):
                continue
            try:
                words = shlex.split(line, comments=True)
                problem = wrong(words) if words[0] == "aws" else None
            except (ValueError, IndexError) as error:
                words, problem = [line], str(error)
            found.append(words)
            if problem:
                problems.append(f"{path}: {line}: {problem}")
print(json.dumps({"commands": found, "wrong": problems}))
