"""Answers messages of the protocol with a worker for each flow."""

from __future__ import annotations

import hashlib
import json
import time
from collections import OrderedDict
from typing import Any, Callable, Mapping

from runner import family
from runner.limits import Limits
from runner.process import Process
from sym.run import faults, reading
from sym.run.calls import OPS

VERSION = 1
MAX_SECONDS = 840.0  # of one handler: a Lambda function has 15 minutes in all
_MARGIN = 1.0  # seconds that we keep for ourselves, of what the invocation has left

Wire = Mapping[str, Any]


class Pool:
    """The workers of this function. It answers one message at a time, as Lambda's
    invocations are.

    Args:
        limits: how much workers may use, and how many are kept.
        environ: the environment that workers get their own from.
        now: the time that handlers are measured by, in seconds from any moment on.
    """

    def __init__(
        self, limits: Limits, environ: Mapping[str, str], now: Callable[[], float] = time.monotonic
    ) -> None:
        self._limits = limits
        self._environ = environ
        self._now = now
        # By flow and source, those used last at the end.
        self._workers: OrderedDict[tuple[str, str], tuple[Process, dict[str, Any]]] = OrderedDict()

    def answer(self, message: Wire, remaining: Callable[[], float] | None = None) -> dict[str, Any]:
        """The response to a message. Faults of handlers and messages are in it; what is
        raised is a fault of ours.

        Args:
            message: of the protocol.
            remaining: seconds that are left for the whole message, if there is an end.
        """
        fault = _fault_of(message)
        if fault:
            return _response([], [], error=faults.of("SDK:BAD_MESSAGE", fault))
        if message["op"] == "describe" and message.get("read") is True:
            return _read(message["source"])
        timeout = min(float(message.get("timeout_ms") or 10_000) / 1000, MAX_SECONDS)

        def seconds() -> float:
            left = remaining() - _MARGIN if remaining else timeout
            return max(min(timeout, left), 0.01)

        key = (_flow_of(message), hashlib.sha256(message["source"]["text"].encode()).hexdigest())
        output = ""
        if key in self._workers and not self._workers[key][0].idle():
            self._drop(key)  # something that a handler left behind has ended it
        if key not in self._workers:
            process = Process(message["source"], self._limits, self._environ, self._now)
            try:
                loaded = process.load(seconds())
            except BaseException:
                process.close()
                raise
            output = loaded.get("output", "")
            if "error" in loaded:
                process.close()
                return _response([], [], error=loaded["error"], output=output)
            self._keep(key, process, {"handlers": loaded["handlers"], "warnings": loaded["warnings"]})
        self._workers.move_to_end(key)
        process, found = self._workers[key]
        rest = {name: part for name, part in message.items() if name != "source"}
        results, error = [], None
        for answer in process.call(rest, seconds):
            error = answer.get("error", error)
            output += answer.get("output", "")
            results += [answer["result"]] if "result" in answer else []
            if answer.get("last"):
                self._drop(key)
        family.end_orphans()
        return _response(**found, results=_complete(message, results), error=error, output=output)

    def close(self) -> None:
        """Ends all workers."""
        for key in list(self._workers):
            self._drop(key)

    def _keep(self, key: tuple[str, str], process: Process, found: dict[str, Any]) -> None:
        while len(self._workers) >= self._limits.workers:
            self._drop(next(iter(self._workers)))
        self._workers[key] = (process, found)

    def _drop(self, key: tuple[str, str]) -> None:
        process, _ = self._workers.pop(key)
        process.close()


def _fault_of(message: Any) -> str:
    """What is wrong with a message; empty if nothing is that shows from outside."""
    if not isinstance(message, Mapping):
        return "The message is no JSON object."
    if message.get("version") != VERSION:
        return f"The message has version {message.get('version')!r}; this function knows {VERSION}."
    if message.get("op") not in OPS:
        return f"The message has op {message.get('op')!r}; there are {', '.join(OPS)}."
    source = message.get("source")
    if not isinstance(source, Mapping) or not all(isinstance(source.get(part), str) for part in ("name", "text")):
        return "The message has no source with name and text."
    if source.get("sha256") not in (None, hashlib.sha256(source["text"].encode()).hexdigest()):
        return "The sha256 of the message's source is not that of its text."
    timeout = message.get("timeout_ms")
    if timeout is not None and (isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or timeout <= 0):
        return f"The message has timeout_ms {timeout!r}; give milliseconds above 0."
    return ""


def _read(source: Wire) -> dict[str, Any]:
    """The response about a source of which nothing runs."""
    try:
        names, warnings = reading.outline(source["text"], source["name"])
    except Exception as error:  # whatever a text can do to a parser
        return _response([], [], error=faults.of_import(error, source["name"]))
    return _response(names, [], warnings=[faults.value(warning, source["name"]) for warning in warnings])


def _flow_of(message: Wire) -> str:
    """The name of the flow that a message is about: in its event, or beside it."""
    try:
        return str(message["event"]["flow"]["name"])
    except (KeyError, TypeError):
        return str(message.get("flow") or "")


def _complete(message: Wire, results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The results, with those skipped that came after the death of the worker."""
    wanted = message.get("handlers") if message["op"] == "handle" else []
    return results + [{"handler": name, "state": "skipped"} for name in (wanted or [])[len(results):] if results]


def _response(
    handlers: list[str],
    results: list[dict[str, Any]],
    warnings: list[Any] | None = None,
    error: Any = None,
    output: str = "",
) -> dict[str, Any]:
    response: dict[str, Any] = {"version": VERSION, "handlers": handlers, "results": results}
    if warnings:
        response["warnings"] = warnings
    if error:
        response["error"] = error
    if output:
        response["output"] = output
    return json.loads(json.dumps(response))
