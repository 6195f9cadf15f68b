"""One message of the protocol: its handlers, one after the other."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Callable, Iterable, Iterator, Mapping

from sym.run import faults, values, wire
from sym.run.faults import Fault
from sym.run.source import HOOKS, ON_CHANGE, Handlers
from sym.sdk import runtime
from sym.sdk.event import Event
from sym.sdk.exceptions import AccessStrategyError
from sym.sdk.payload import Payload
from sym.sdk.runtime import Runtime
from sym.sdk.services import Services, connect
from sym.sdk.templates import TemplateEvent, TemplateStep
from sym.sdk.user import user_from

OPS = ("describe", "handle", "prefetch", "on_change", "strategy", "identity", "flows")
METHODS = ("fetch_remote_identity", "escalate", "deescalate")

# Reducers of a request, with what their results become.
_REDUCERS: dict[str, Callable[[str, Any], Any]] = {
    "get_permissions": values.permissions,
    "get_request_notifications": values.notifications,
    "get_approvers": values.approvers,
}

# What together says all that get_approvers does.
_REPLACED = {"get_permissions", "get_request_notifications"}

Wire = Mapping[str, Any]


@dataclass(frozen=True)
class Call:
    """One handler to call."""

    handler: str
    """Its name in the protocol."""

    function: Callable[[], Any] | None
    """Calls it and returns its value in the protocol. None if there is no such handler."""

    line: int | None = None
    """Where it is defined."""


def run(
    message: Wire,
    handlers: Handlers,
    services: Services | None = None,
    started: Callable[[str], None] = lambda handler: None,
) -> Iterator[dict[str, Any]]:
    """Calls the handlers that a message names and yields a result for each.

    Args:
        message: of the protocol.
        handlers: the file's.
        services: what handlers can ask; those that the message names, if None.
        started: is told of each handler right before it is called.

    Raises:
        Fault: the message makes no sense (BAD_MESSAGE). What handlers raise are results.
    """
    timeout = float(message.get("timeout_ms") or 10_000) / 1000
    asked = connect(message.get("services")) if services is None else services
    try:
        around, calls = _prepare(message, handlers, asked)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Fault("BAD_MESSAGE", f"The message makes no sense: {type(error).__name__}: {error}") from error
    for call in calls:
        if isinstance(call, str):
            yield {"handler": call, "state": "skipped"}
        elif call.function is None:
            yield {"handler": call.handler, "state": "absent"}
        else:
            started(call.handler)
            yield _result(call, handlers, replace(around, deadline=time.monotonic() + timeout))


def _result(call: Call, handlers: Handlers, around: Runtime) -> dict[str, Any]:
    assert call.function is not None
    result: dict[str, Any] = {"handler": call.handler}
    began = time.monotonic()
    try:
        with runtime.use(around):
            result |= {"state": "returned", "value": call.function()}
    except BaseException as error:  # whatever a handler raises is its result, sys.exit included
        result |= {"state": "failed", "error": faults.value(error, handlers.file, call.line)}
    result["ms"] = round((time.monotonic() - began) * 1000)
    return result


def _prepare(message: Wire, handlers: Handlers, services: Services) -> tuple[Runtime, Iterable[Call | str]]:
    """What is around the handlers, and the handlers; a plain name is one to skip."""
    event = wire.event(message["event"]) if message.get("event") else None
    if event:
        environment = event.flow.environment
    else:
        environment = wire.environment(message.get("environment"))
    around = Runtime(
        services=services,
        event=event,
        integrations=environment.integrations,
        step_outputs=dict((message.get("event") or {}).get("step_outputs") or {}),
    )
    match message["op"]:
        case "describe":
            calls: Iterable[Call | str] = ()
        case "handle":
            context = wire.forward_context(message["event"].get("forward"))
            names = [str(name) for name in message["handlers"]]
            unknown = [name for name in names if name not in HOOKS and name not in _REDUCERS]
            if unknown:
                raise ValueError(f"{unknown} are no handlers of events")
            calls = _Steps(_given(event), context, handlers).calls(names)
        case "prefetch":
            calls = _prefetch(_given(event), str(message["field"]), handlers)
        case "on_change":
            calls = _on_change(message, handlers)
        case "strategy":
            calls = _strategy(event, message, handlers)
        case "identity":
            calls = _identity(_given(event), message, handlers)
        case "flows":
            calls = _flows(message, handlers)
        case op:
            raise ValueError(f"there is no op {op!r}")
    return around, calls


def _given(event: Event | None) -> Event:
    if event is None:
        raise ValueError("it has no event")
    return event


class _Steps:
    """Hooks and reducers of one event, which hooks can change on the way."""

    def __init__(self, event: Event, context: Any, handlers: Handlers) -> None:
        self._event = event
        self._context = context
        self._handlers = handlers
        self._over = False  # a hook has failed, or wants the event ignored

    def calls(self, names: list[str]) -> Iterator[Call | str]:
        """The calls, each to be made before the next is asked for: what a hook
        returns changes what follows."""
        for name in names:
            function = self._handlers.functions.get(name)
            if function is None:
                yield Call(name, None)
            elif self._over or (name == "get_approvers" and _REPLACED <= set(self._handlers.functions)):
                yield name
            else:
                yield Call(name, partial(self._value, name, function), self._handlers.line(function))

    def _value(self, name: str, function: Callable[..., Any]) -> Any:
        if name.startswith("on_"):
            self._over = True  # unless it returns
            value = self._on(name, function)
            self._over = bool(value) and value["event"] == TemplateStep.IGNORE.value
            return value
        check = values.nothing if name.startswith("after_") else _REDUCERS[name]
        return values.size(name, check(name, self._call(name, function)), values.MAX_RESULT)

    def _call(self, name: str, function: Callable[..., Any]) -> Any:
        """Calls a handler with the event as it is by now."""
        with runtime.use(replace(runtime.current(), event=self._event)):
            if name.endswith("_request_forward"):
                return function(self._event, self._context)
            return function(self._event)

    def _on(self, name: str, function: Callable[..., Any]) -> Any:
        """Calls an on_… hook; once more if it returns the event that it handles, with
        that event's fields merged into it. A second time would go on for ever."""
        step = name.removeprefix("on_")
        result = self._call(name, function)
        value = values.hook(name, result)
        if value and value["event"] == step:
            self._event = merge(self._event, result)
            second = values.hook(name, self._call(name, function))
            if second and second["event"] == step:
                raise Fault("HOOK_LOOP", f"{name} returned {step}, the event it handles, twice.",
                            "Return None once event.payload.fields has what you want.")
            if second and second["event"] == TemplateStep.IGNORE.value:
                value = second
            elif second:
                value = {**value, **second, "fields": value["fields"] | second["fields"]}
        return values.size(name, value, values.MAX_RESULT)


def merge(event: Event, change: TemplateEvent) -> Event:
    """The event with the fields, target and duration that a hook gave it."""
    fields = event.payload.fields | change.fields
    if change.duration is not None:
        fields["duration"] = change.duration
    if change.target_srn is not None:
        targets = event.flow.strategy.targets if event.flow.strategy else []
        found = [target for target in targets if str(target) == change.target_srn]
        if not found:
            raise Fault("WRONG_RESULT", f"The flow's strategy has no target {change.target_srn}.",
                        f"Use one of {', '.join(map(str, targets)) or 'none: the flow grants nothing'}.")
        fields |= {"target": found[0], "target_id": found[0].id}
    payload = Payload(srn=str(event.payload), timestamp=event.payload.timestamp, user=event.payload.user, fields=fields)
    return Event(
        name=event.name, srn=str(event), template=str(event.template), meta=event.meta, user=event.user,
        payload=payload, channel=event.channel, run=event.run, flow=event.flow,
    )


def _prefetch(event: Event, field: str, handlers: Handlers) -> list[Call]:
    name = f"prefetch:{field}"
    function = handlers.functions.get(name)
    return [_one(name, function, lambda f: f(event), values.options, handlers, values.MAX_LIST)]


def _on_change(message: Wire, handlers: Handlers) -> list[Call]:
    name = ON_CHANGE + str(message["field"]).replace("-", "_")
    form, username = wire.form(message["form"]), message["username"]
    return [_one(name, handlers.functions.get(name), lambda f: f(username, form), values.form, handlers, values.MAX_LIST)]


def _identity(event: Event, message: Wire, handlers: Handlers) -> list[Call]:
    name = message["handler"]
    if name not in ("get_identity", "get_identity_lookup"):
        raise ValueError(f"{name!r} is no reducer of identities")
    args = (event, message.get("service") or "", message.get("external_id") or "", user_from(message["user"]))
    return [_one(name, handlers.functions.get(name), lambda f: f(*args), values.text, handlers)]


def _flows(message: Wire, handlers: Handlers) -> list[Call]:
    name = "get_flows"
    user, flows = user_from(message["user"]), [wire.flow(flow) for flow in message["flows"]]
    variables = dict(message.get("vars") or {})
    function = handlers.functions.get(name)
    return [_one(name, function, lambda f: f(user, list(flows), variables), values.flows(flows), handlers, values.MAX_LIST)]


def _strategy(event: Event | None, message: Wire, handlers: Handlers) -> list[Call]:
    method = message["method"]
    if method not in METHODS:
        raise ValueError(f"there is no method {method!r}")
    described = wire.strategy(message["strategy"]) if message.get("strategy") else _given(event).flow.strategy
    kind = handlers.strategy
    name = f"strategy:{kind.__name__}" if kind else "strategy"

    def call(make: Any) -> Any:
        if described is None or described.integration is None:
            raise AccessStrategyError("NO_INTEGRATION", "The strategy has no integration.", "Set its integration_id.")
        strategy = make(described.integration)
        if method == "fetch_remote_identity":
            return strategy.fetch_remote_identity(user)
        return getattr(strategy, method)(target_id, _given(event))

    if method == "fetch_remote_identity":
        user = user_from(message["user"])
        return [_one(name, kind, call, lambda _, result: values.text(method, result), handlers)]
    else:
        target_id = message["target_id"]
        return [_one(name, kind, call, lambda _, result: values.output(method, result), handlers)]


def _one(
    name: str,
    function: Any,
    call: Callable[[Any], Any],
    check: Callable[[str, Any], Any],
    handlers: Handlers,
    limit: int = values.MAX_RESULT,
) -> Call:
    if function is None:
        return Call(name, None)
    return Call(name, lambda: values.size(name, check(name, call(function)), limit), handlers.line(function))
