"""Answers a describe message without running the file: `python -m runner.reader`.

The message comes by standard input and the answer goes to standard output. It is
for files that nobody has looked at yet, such as those of a pull request.
"""

from __future__ import annotations

import json
import sys

from sym.run import faults, reading


def main() -> None:
    source = json.load(sys.stdin)["source"]
    try:
        names, warnings = reading.outline(source["text"], source["name"])
        answer = {"handlers": names, "warnings": [faults.value(warning, source["name"]) for warning in warnings]}
    except (Exception, RecursionError) as error:  # whatever a text can do to a parser
        answer = {"error": faults.of_import(error, source["name"])}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
