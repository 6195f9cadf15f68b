"""The process that runs the handlers of one flow: `python -m runner.worker`.

It reads messages from a socket and writes what happens back, a JSON object a line:

    ← {"source": {"name", "text"}, "timeout": seconds}       first, and once
    → {"started": "import"}
    → {"handlers": [...], "warnings": [{...}]} | {"error": {...}}
    ← {"message": {...}}                                     of the protocol
    → {"started": "on_request"} → {"result": {...}}
    ← {}                                                     what it printed is read: go on
    → …
    → {"done": true} | {"error": {...}}
"""

from __future__ import annotations

import faulthandler
import json
import os
import signal
import socket
import sys
from typing import Any

from runner import limits
from sym.run import calls, faults, source
from sym.run.faults import Fault

DIED = "SDK:WORKER_DIED"


class Line:
    """The socket to the process that started us."""

    def __init__(self, number: int) -> None:
        self._socket = socket.socket(fileno=number)
        self._socket.set_inheritable(False)
        self._reader = self._socket.makefile("rb")
        self._owner = os.getpid()
        os.register_at_fork(after_in_child=self._hang_up)

    def read(self) -> dict[str, Any] | None:
        """The next message; None when there will be none."""
        line = self._reader.readline()
        return json.loads(line) if line else None

    def write(self, message: dict[str, Any]) -> None:
        if os.getpid() != self._owner:
            os._exit(0)  # a child that a handler forked has returned from the handler
        _flush()
        self._socket.sendall(json.dumps(message).encode() + b"\n")

    def _hang_up(self) -> None:
        """In a child that a handler forks: our death must show, though the child lives."""
        os.close(self._socket.fileno())


def main() -> None:
    number, trace, memory_mb, file_mb, open_files = map(int, sys.argv[1:])
    limits.confine(memory_mb, file_mb, open_files)
    os.set_inheritable(trace, False)
    faulthandler.enable(trace)
    faulthandler.register(signal.SIGUSR1, trace, all_threads=False)  # asks where we are
    line = Line(number)
    first = line.read()
    if first is None:
        return
    line.write({"started": "import"})
    file = first["source"]["name"]
    try:
        handlers = source.load(first["source"]["text"], file)
    except BaseException as error:  # whatever the file raises, sys.exit included
        line.write({"error": faults.of_import(error, file)})
        return
    warnings = [faults.value(warning, file) for warning in handlers.warnings]
    line.write({"handlers": handlers.names(), "warnings": warnings})
    while message := line.read():
        try:
            for result in calls.run(message["message"], handlers, started=lambda name: line.write({"started": name})):
                line.write({"result": result})
                if (result.get("error") or {}).get("code") == DIED:
                    return  # out of memory: who knows what is left half done
                if line.read() is None:
                    return
            line.write({"done": True})
        except Fault as fault:
            line.write({"error": faults.value(fault, file)})


def _flush() -> None:
    """Writes out what has been printed, even if handlers have put something else in
    the place of sys.stdout."""
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        try:
            if stream:
                stream.flush()
        except (OSError, ValueError):
            pass  # a handler has closed it


if __name__ == "__main__":
    main()
