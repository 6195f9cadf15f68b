"""What all templates have: ignoring an event, and outputs of steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from sym.sdk import runtime
from sym.sdk.exceptions import SDKError


class TemplateStep(str, Enum):
    """Events that every template has."""

    IGNORE = "ignore"


@dataclass(frozen=True)
class TemplateEvent:
    """An event that a hook wants in place of the one it handles.
    The functions of ApprovalTemplate make them."""

    name: str
    fields: dict[str, Any] = field(default_factory=dict)
    target_srn: str | None = None
    duration: int | None = None
    message: str | None = None


class Template:
    """What all templates have."""

    @classmethod
    def ignore(cls, *, message: str | None = None, **kwargs: Any) -> TemplateEvent:
        """Drops the event and leaves the run as it is.

        Args:
            message: shown to the user who caused the event, and to nobody else.
            kwargs: fields of the event.

        Example:
            return ApprovalTemplate.ignore(message="Please say why you approve.")
        """
        if message is not None and not isinstance(message, str):
            raise SDKError("INVALID_MESSAGE", f"message is {message!r}.", "Give a text, or none.")
        return TemplateEvent(TemplateStep.IGNORE.value, kwargs, message=message)


def get_step_output(step_name: str | Enum | None = None) -> dict[str, Any]:
    """What a step's strategy answered, such as {"body": {…}, "errors": []} for an
    AWS Lambda function, or what escalate of a custom strategy returned.

    Args:
        step_name: "escalate" or "deescalate", or such a step of ApprovalTemplateStep.
            None: the step of the event that is handled.

    Returns:
        The output; empty if the step has none, or has not run yet.

    Raises:
        SDKError: no step has this name, or no event is handled.

    Example:
        user = get_step_output(ApprovalTemplateStep.ESCALATE)["body"]["username"]
    """
    from sym.sdk.templates.approval import ApprovalTemplateStep  # it is built on this module

    if step_name is None:
        step_name = runtime.event().name
    name = step_name.value if isinstance(step_name, Enum) else step_name
    steps = [step.value for step in ApprovalTemplateStep]
    if name not in steps:
        raise SDKError("UNKNOWN_STEP", f"There is no step {name!r}.", f"Use one of {', '.join(steps)}.")
    return runtime.current().step_outputs.get(name) or {}
