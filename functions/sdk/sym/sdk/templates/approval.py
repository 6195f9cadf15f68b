"""The approval template: prompt, request, approve or deny, escalate, deescalate; and
ours beside Sym's, extend."""

from __future__ import annotations

from enum import Enum
from typing import Any

from sym.sdk.exceptions import SDKError
from sym.sdk.resource import SRN
from sym.sdk.templates.template import Template, TemplateEvent


class ApprovalTemplateStep(str, Enum):
    """The events of a run, in their order; a request is approved, denied or expires.
    Those about extend, more time for access that is there, are ours and not Sym's."""

    PROMPT = "prompt"
    REQUEST = "request"
    REQUEST_FORWARD = "request_forward"
    REQUEST_EXPIRE = "request_expire"
    APPROVE = "approve"
    DENY = "deny"
    ESCALATE = "escalate"
    DEESCALATE = "deescalate"
    EXTEND_REQUEST = "extend_request"
    EXTEND = "extend"
    EXTEND_DENY = "extend_deny"
    REVIEW = "review"


class ApprovalTemplate(Template):
    """What an on_… hook may return to decide how a run goes on.

    Every function makes an event. Keyword arguments become fields of that event,
    where handlers, messages and audit records show them: reason, for example.

    A run only moves forward: on_request may approve, on_escalate may not deny. The
    guide has a table of what each hook may return.

    Example:
        @hook
        def on_request(event):
            if pagerduty.is_on_call(event.user):
                return ApprovalTemplate.approve(reason="On call")
    """

    @classmethod
    def prompt(cls, **kwargs: Any) -> TemplateEvent:
        """Shows the form.

        Args:
            kwargs: fields of the event.
        """
        return _event("prompt", kwargs)

    @classmethod
    def request(
        cls,
        *,
        target_srn: SRN | str | None = None,
        duration: int | None = None,
        **kwargs: Any,
    ) -> TemplateEvent:
        """Requests.

        Args:
            target_srn: the target to request, in place of the one that was chosen.
            duration: seconds of access, in place of those that were chosen.
            kwargs: fields of the event.

        Raises:
            SDKError: the duration is not whole seconds, one or more.
        """
        return _event("request", kwargs, target_srn, duration)

    @classmethod
    def request_expire(cls, **kwargs: Any) -> TemplateEvent:
        """Lets the request expire, though there are others who could be asked.

        Args:
            kwargs: fields of the event; reason is shown with it.
        """
        return _event("request_expire", kwargs)

    @classmethod
    def approve(
        cls,
        *,
        target_srn: SRN | str | None = None,
        duration: int | None = None,
        **kwargs: Any,
    ) -> TemplateEvent:
        """Approves.

        Args:
            target_srn: the target to grant, in place of the one that was asked for.
            duration: seconds of access, in place of those that were asked for.
            kwargs: fields of the event; reason is shown with the decision.

        Raises:
            SDKError: the duration is not whole seconds, one or more.
        """
        return _event("approve", kwargs, target_srn, duration)

    @classmethod
    def deny(cls, *, target_srn: SRN | str | None = None, duration: int | None = None, **kwargs: Any) -> TemplateEvent:
        """Denies.

        Args:
            target_srn: the target that is denied.
            duration: the seconds of access that are denied.
            kwargs: fields of the event; reason is shown with the decision.

        Raises:
            SDKError: the duration is not whole seconds, one or more.
        """
        return _event("deny", kwargs, target_srn, duration)

    @classmethod
    def escalate(
        cls,
        *,
        target_srn: SRN | str | None = None,
        duration: int | None = None,
        **kwargs: Any,
    ) -> TemplateEvent:
        """Grants access.

        Args:
            target_srn: the target to grant, in place of the one that was approved.
            duration: seconds of access, in place of those that were approved.
            kwargs: fields of the event.

        Raises:
            SDKError: the duration is not whole seconds, one or more.
        """
        return _event("escalate", kwargs, target_srn, duration)

    @classmethod
    def extend_request(cls, **kwargs: Any) -> TemplateEvent:
        """Asks for more time.

        Args:
            kwargs: fields of the event.
        """
        return _event("extend_request", kwargs)

    @classmethod
    def extend(cls, **kwargs: Any) -> TemplateEvent:
        """Grants the time that was asked for: access ends so much later.

        Args:
            kwargs: fields of the event; reason is shown with the decision.
        """
        return _event("extend", kwargs)

    @classmethod
    def extend_deny(cls, **kwargs: Any) -> TemplateEvent:
        """Refuses more time: access ends when it was to end.

        Args:
            kwargs: fields of the event; reason is shown with the decision.
        """
        return _event("extend_deny", kwargs)

    @classmethod
    def deescalate(cls, *, target_srn: SRN | str | None = None, **kwargs: Any) -> TemplateEvent:
        """Takes access away.

        Args:
            target_srn: the target to take away; the one that was granted, if None.
            kwargs: fields of the event.
        """
        return _event("deescalate", kwargs, target_srn)

    @classmethod
    def review(cls, **kwargs: Any) -> TemplateEvent:
        """Takes the review of access that somebody had without approval.

        Args:
            kwargs: fields of the event.
        """
        return _event("review", kwargs)


def _event(
    name: str,
    fields: dict[str, Any],
    target_srn: SRN | str | None = None,
    duration: int | None = None,
) -> TemplateEvent:
    if duration is not None and (isinstance(duration, bool) or not isinstance(duration, int) or duration < 1):
        raise SDKError("INVALID_DURATION", f"duration is {duration!r}.", "Give whole seconds, 1 or more.")
    return TemplateEvent(name, fields, target_srn=None if target_srn is None else str(target_srn), duration=duration)
