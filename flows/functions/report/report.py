"""A Lambda function that an approval-only flow runs: a report on a table.

A flow without a strategy grants nothing. It collects the fields of a form, has
them approved, and may then run your code with them:

    params:
      on_approve:
        lambda_arn: arn:aws:lambda:us-east-1:123456789012:function:report
        payload: {table: fields.table, rows: fields.rows, requester: requester.email, run: run.id}

The flow's author chooses the payload; here it is

    {"table": "orders", "rows": 5, "requester": "alice@example.com", "run": "5f0c…0000"}

What the handler returns is kept with the run, and can be read in Slack and in
the audit record. An exception makes the step fail, and its text is shown:
under on_approve the approval does not count then, under after_approve the
failure is reported and nothing else changes. A call whose answer was lost is
repeated, so what a function does must bear repeating; this one only reads.

The tables are CSV files beside this module. Replace open_table by a query of
your own to report on something real. Only the standard library is used, so
the folder as it is can be zipped and uploaded; the handler is report.handler.
"""

import csv
from pathlib import Path

TABLES = Path(__file__).parent / "tables"


def handler(event, context):
    """Returns the number of rows of event["table"], and a text that shows them."""
    table = event["table"]
    columns, rows = open_table(table)
    print(f"{event.get('requester', 'somebody')} reads {table}: {len(rows)} rows")  # to the log
    return {"table": table, "rows": len(rows), "report": report(table, columns, rows, event.get("rows", 5))}


def open_table(name):
    """The columns and rows of a table. Names come from a form: only those of
    tables that there are get anywhere near the file system."""
    tables = {path.stem: path for path in TABLES.glob("*.csv")}
    if name not in tables:
        raise ValueError(f"there is no table {name!r}: choose one of {', '.join(sorted(tables))}")
    with tables[name].open(newline="", encoding="utf-8") as file:
        columns, *rows = csv.reader(file)
    return columns, rows


def report(table, columns, rows, shown):
    """A few lines for people: a total for each column of numbers, then the first rows."""
    lines = [f"{table}: {len(rows)} rows"]
    for i, column in enumerate(columns):
        total = total_of(row[i] for row in rows)
        if total is not None:
            lines.append(f"total {column}: {total:g}")
    for row in rows[:shown]:
        lines.append(", ".join(f"{column} {value}" for column, value in zip(columns, row)))
    if len(rows) > shown:
        lines.append(f"and {len(rows) - shown} more")
    return "\n".join(lines)


def total_of(values):
    """The sum of numbers; None if one of the values is none."""
    try:
        return sum(float(value) for value in values)
    except ValueError:
        return None
