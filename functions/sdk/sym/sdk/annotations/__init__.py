"""Decorators that make functions of a file handlers of its flow.

    @reducer
    def get_permissions(event): ...

    @hook
    def on_request(event): ...

    @prefetch(field_name="repo")
    def get_repos(event): ...
"""

from __future__ import annotations

from typing import Any, Callable, TypeVar

from sym.sdk.exceptions import MissingArgument

__all__ = ["hook", "prefetch", "reducer"]

Function = TypeVar("Function", bound=Callable[..., Any])

# What a decorated function carries, for sym.run to find it.
KIND = "__sym_kind__"
FIELD = "__sym_field__"


def hook(function: Function) -> Function:
    """Makes a function a hook: it runs before a step (on_…) or after it (after_…).

    Its name says which: on_ or after_ and one of prompt, request, request_forward,
    request_expire, approve, deny, escalate, extend_request, extend, extend_deny,
    deescalate, review. It takes the event; hooks of request_forward take a
    RequestForwardContext too.

    What an on_… hook returns decides how the run goes on: None lets it go on, an
    event of ApprovalTemplate replaces the one it handles. If it raises, the step
    does not happen. Whatever an after_… hook returns or raises changes nothing.

    Example:
        @hook
        def on_approve(event):
            if not event.payload.fields.get("decision_message"):
                return ApprovalTemplate.ignore(message="Please say why.")
    """
    return _mark(function, "hook")


def reducer(function: Function) -> Function:
    """Makes a function a reducer: it answers a question that a flow has. Its name
    says which: get_permissions, get_request_notifications, get_approvers,
    get_identity, get_identity_lookup or get_flows.

    Example:
        @reducer
        def get_request_notifications(event):
            return [Notification(destinations=[slack.channel("#access-prod")], timeout=1800)]
    """
    return _mark(function, "reducer")


def prefetch(*, field_name: str) -> Callable[[Function], Function]:
    """Makes a function the source of a prompt field's options. It takes the event,
    and returns at most 1000 FieldOptions.

    Args:
        field_name: name of the prompt field, which has `prefetch: true`.

    Raises:
        MissingArgument: field_name is no name.

    Example:
        @prefetch(field_name="repo")
        def get_repos(event):
            return [FieldOption(value="api", label="The API")]
    """
    if not isinstance(field_name, str) or not field_name:
        raise MissingArgument("prefetch needs field_name.", 'Write @prefetch(field_name="repo").')

    def decorate(function: Function) -> Function:
        setattr(function, FIELD, field_name)
        return _mark(function, "prefetch")

    return decorate


def _mark(function: Function, kind: str) -> Function:
    setattr(function, KIND, kind)
    return function
