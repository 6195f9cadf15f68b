"""What handlers return, as values of the protocol. What they may not return is a
Fault that says what they may."""

from __future__ import annotations

import json
from typing import Any, Callable

from sym.run.faults import Fault
from sym.sdk.field_option import FieldOption
from sym.sdk.flow import Flow
from sym.sdk.forms import SlackUserSelection, SymPromptForm
from sym.sdk.notifications import Notification
from sym.sdk.request_destination import RequestDestination, RequestDestinationFallback, to_wire
from sym.sdk.request_permission import PermissionLevel, RequestPermission
from sym.sdk.templates import TemplateEvent, TemplateStep
from sym.sdk.user import User

MAX_RESULT = 16 * 1024  # bytes of JSON
MAX_LIST = 256 * 1024  # bytes of JSON, of prefetch, on_change and get_flows
MAX_OPTIONS = 1000  # of one prefetch reducer

# What each on_… hook may return in place of its own event: what comes later in the
# life of a run, and never the approval of what was denied. The same table is in the
# guide (docs/sdk.md) and in internal/flow/answer.go, which has the last word; a test in
# internal/sdk holds them to each other.
_MAY_RETURN = {
    "prompt": ("ignore",),
    "request": ("approve", "deny", "ignore"),
    "request_forward": ("approve", "deny", "request_expire", "ignore"),
    "request_expire": ("approve", "deny", "ignore"),
    "approve": ("deny", "ignore"),
    "deny": ("ignore",),
    "escalate": (),
    "extend_request": ("extend", "extend_deny", "ignore"),
    "extend": ("extend_deny", "ignore"),
    "extend_deny": ("ignore",),
    "deescalate": ("ignore",),
    "review": ("ignore",),
}


def hook(name: str, result: Any) -> dict[str, Any] | None:
    """The value of an on_… hook.

    Args:
        name: the hook's name.
        result: None, or an event of ApprovalTemplate.
    """
    if result is None:
        return None
    step = name.removeprefix("on_")
    if not isinstance(result, TemplateEvent):
        raise _wrong(name, result, "Return None, or an event such as ApprovalTemplate.approve(reason=…).")
    if result.name != step and result.name not in _MAY_RETURN[step]:
        raise Fault("WRONG_RESULT", f"{name} may not return {result.name}.",
                    f"Return one of None, {', '.join((step, *_MAY_RETURN[step]))}, or raise an exception to stop the step.")
    if result.name == TemplateStep.IGNORE.value:
        return {"event": result.name, "message": result.message}
    value: dict[str, Any] = {"event": result.name, "fields": _json(name, result.fields)}
    if result.target_srn is not None:
        value["target_srn"] = result.target_srn
    if result.duration is not None:
        value["duration"] = result.duration
    return value


def permissions(name: str, result: Any) -> dict[str, Any]:
    """The value of get_permissions."""
    if not isinstance(result, RequestPermission):
        raise _wrong(name, result, "Return a RequestPermission.")

    def level(permission: Any) -> Any:
        return permission.value if isinstance(permission, PermissionLevel) else [str(id) for id in permission]

    return {
        "webapp_view": level(result.webapp_view),
        "approve_deny": level(result.approve_deny),
        "allow_self_approval": result.allow_self_approval,
    }


def notifications(name: str, result: Any) -> list[dict[str, Any]]:
    """The value of get_request_notifications."""
    if not isinstance(result, (list, tuple)) or not result:
        raise _wrong(name, result, "Return a list with one Notification or more.")
    for item in result:
        if not isinstance(item, Notification):
            raise _wrong(name, item, "Put Notifications into the list, and nothing else.")
    return [{"destinations": [to_wire(d) for d in n.destinations], "timeout": n.timeout} for n in result]


def approvers(name: str, result: Any) -> dict[str, Any]:
    """The value of get_approvers."""
    if isinstance(result, RequestDestinationFallback):
        return {
            "kind": "fallback",
            "destinations": [to_wire(d) for d in result.destinations],
            "continue_on_delivery_failure": result.continue_on_delivery_failure,
            "continue_on_timeout": result.continue_on_timeout,
        }
    if not isinstance(result, (RequestDestination, User)):
        raise _wrong(name, result, 'Return a destination, such as slack.channel("#access-prod"), or slack.fallback(…).')
    return to_wire(result)


def options(name: str, result: Any) -> list[dict[str, Any]]:
    """The value of a prefetch reducer."""
    if not isinstance(result, (list, tuple)):
        raise _wrong(name, result, "Return a list of FieldOptions.")
    if len(result) > MAX_OPTIONS:
        raise Fault("TOO_MANY_OPTIONS", f"{name} returned {len(result)} options.", f"Return {MAX_OPTIONS} at most.")
    for option in result:
        if not isinstance(option, FieldOption):
            raise _wrong(name, option, "Put FieldOptions into the list, and nothing else.")
    return [{"value": option.value, "label": option.label} for option in result]


def form(name: str, result: Any) -> dict[str, Any]:
    """The value of an on_change function."""
    if not isinstance(result, SymPromptForm):
        raise _wrong(name, result, "Return the form that it was called with.")
    return {
        "fields": [
            {
                "name": field.name,
                "type": field.type.value,
                "value": _json(name, _selections(field.value)),
                "label": field.label,
                "required": field.required,
                "visible": field.visible,
                "current_allowed_values": _allowed(field.current_allowed_values),
                "original_allowed_values": _allowed(field.original_allowed_values),
            }
            for field in result.fields.values()
        ],
        "flow_vars": result.flow_vars,
        "additional_header_text": result.additional_header_text,
    }


def text(name: str, result: Any) -> str | None:
    """The value of a reducer of identities, and of fetch_remote_identity."""
    if result is not None and not isinstance(result, str):
        raise _wrong(name, result, "Return a text, or None.")
    return result or None


def output(name: str, result: Any) -> dict[str, Any] | None:
    """The value of escalate and deescalate of a strategy."""
    if result is not None and not isinstance(result, dict):
        raise _wrong(name, result, "Return a dictionary, or None.")
    return _json(name, result)


def flows(offered: list[Flow]) -> Callable[[str, Any], list[str]]:
    """The value of get_flows, which may only return flows that were offered."""

    def names(name: str, result: Any) -> list[str]:
        if not isinstance(result, (list, tuple)):
            raise _wrong(name, result, "Return a list of the flows that it was called with.")
        for flow in result:
            if flow not in offered:
                raise _wrong(name, flow, "Put flows that it was called with into the list, and nothing else.")
        return [flow.name for flow in result]

    return names


def nothing(name: str, result: Any) -> None:
    """The value of an after_… hook: there is nothing left to decide."""
    if isinstance(result, TemplateEvent):
        print(f"{name} returned {result.name}, which does nothing: the step is over. Use on_{name.removeprefix('after_')}.")


def size(name: str, value: Any, limit: int) -> Any:
    """The value itself, if its JSON keeps to the limit (in bytes)."""
    length = len(json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass"))
    if length > limit:
        raise Fault("RESULT_TOO_LARGE", f"{name} returned {length} bytes of JSON.", f"Return {limit} at most.")
    return value


def _selections(value: Any) -> Any:
    if isinstance(value, SlackUserSelection):
        return value.user_id
    if isinstance(value, (list, tuple)):
        return [_selections(v) for v in value]
    return value


def _allowed(options: Any) -> list[dict[str, Any]] | None:
    return None if options is None else [{"value": o.value, "label": o.label} for o in options]


def _json(name: str, value: Any) -> Any:
    """The value as it arrives at the other side. NaN and infinity are no JSON."""
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise Fault("WRONG_RESULT", f"{name} returned something that is not JSON-ready: {error}",
                    "Return texts, numbers, lists and dictionaries only; str(…) makes a text.") from None


def _wrong(name: str, result: Any, hint: str) -> Fault:
    try:
        shown = repr(result)
    except Exception:  # customers write __repr__ too
        shown = f"a {type(result).__name__}"
    return Fault("WRONG_RESULT", f"{name} returned {shown[:200]}.", hint)
