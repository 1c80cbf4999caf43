"""Runs the .sql files of the folder sql beside it, in the order of their names, as one Flink job.

The files say what a table's columns are, and nothing of where it is: no WITH. That comes from the
application's properties, the group table.NAME, so that the same files run in Managed Service for
Apache Flink, which puts its properties into a file, and on a laptop:

    python main.py --properties=FILE

which ends when the sources have ended.
"""

import argparse
import json
import pathlib
import re

from pyflink.table import EnvironmentSettings, TableEnvironment

# https://docs.aws.amazon.com/managed-flink/latest/java/how-python-programming.html
SERVICE_PROPERTIES = "/etc/flink/application_properties.json"

# A statement goes on to a semicolon that is in no text, no quoted name and no comment.
STATEMENT = re.compile(r"""(?: '[^']*' | `[^`]*` | "[^"]*" | --[^\n]* | /\*.*?\*/ | [^;] )+""", re.VERBOSE | re.DOTALL)
COMMENT = re.compile(r"\A(?: \s+ | --[^\n]* | /\*.*?\*/ )*", re.VERBOSE | re.DOTALL)
TABLE = re.compile(r"CREATE\s+(?:TEMPORARY\s+)?TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?`?(\w+)`?", re.IGNORECASE)


def statements(text):
    """The statements of a file, without what stands before and after them."""
    return [one for one in (COMMENT.sub("", statement).strip() for statement in STATEMENT.findall(text)) if one]


def quote(text):
    return "'" + text.replace("'", "''") + "'"


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--properties", help="a file of the form of the service's application_properties.json")
    given = arguments.parse_args().properties
    with open(given or SERVICE_PROPERTIES) as file:
        groups = {group["PropertyGroupId"]: group["PropertyMap"] for group in json.load(file)}

    tables = TableEnvironment.create(EnvironmentSettings.in_streaming_mode())
    tables.get_config().set("table.local-time-zone", "UTC")
    for name, value in groups.get("flink", {}).items():
        tables.get_config().set(name, value)

    inserts = tables.create_statement_set()
    for path in sorted((pathlib.Path(__file__).parent / "sql").glob("*.sql")):
        for statement in statements(path.read_text()):
            if statement[:6].upper() == "INSERT":
                inserts.add_insert_sql(statement)
                continue
            tables.execute_sql(statement)
            if table := TABLE.match(statement):
                options = groups.get("table." + table[1])
                if options is None:
                    raise SystemExit(f"{path.name}: table {table[1]} has no property group table.{table[1]}")
                pairs = ", ".join(f"{quote(name)} = {quote(value)}" for name, value in sorted(options.items()))
                tables.execute_sql(f"ALTER TABLE `{table[1]}` SET ({pairs})")
    job = inserts.execute()
    if given:
        job.wait()


if __name__ == "__main__":
    main()
