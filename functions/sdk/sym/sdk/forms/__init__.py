"""The form that a requester fills in, as on_change functions see and change it."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum
from typing import Any, Iterable, Mapping

from sym.sdk.exceptions import SDKError
from sym.sdk.field_option import FieldOption

__all__ = ["FieldOption", "FieldType", "PromptField", "SlackUserSelection", "SymPromptForm"]


class FieldType(str, Enum):
    """Types of prompt fields. Durations are seconds."""

    STRING = "string"
    INT = "int"
    BOOL = "bool"
    DURATION = "duration"
    SLACK_USER = "slack_user"
    SLACK_USER_LIST = "slack_user_list"
    STR_LIST = "str_list"
    INT_LIST = "int_list"


@dataclass(frozen=True)
class SlackUserSelection:
    """A person who was chosen in a field of type slack_user."""

    user_id: str
    """Slack's id of the person."""

    username: str | None = None
    """The person's e-mail address, if we know it."""


class PromptField:
    """A field of the form.

    value, label, required, visible and current_allowed_values can be changed; name,
    type and original_allowed_values can't.

    Args:
        name: the field's name.
        type: the field's type.
        value: what is filled in; None if nothing is.
        label: what people see beside it.
        required: whether it must be filled in while it is visible.
        visible: whether it is shown.
        current_allowed_values: the options it has now; None if anything goes.
        original_allowed_values: the options it had when the form opened.

    Raises:
        SDKError: a value is of the wrong type, or is changed that can't be.
    """

    _CHANGEABLE = ("value", "label", "required", "visible", "current_allowed_values")

    name: str
    type: FieldType
    value: Any
    label: str
    required: bool
    visible: bool
    current_allowed_values: list[FieldOption] | None
    original_allowed_values: tuple[FieldOption, ...] | None

    def __init__(
        self,
        *,
        name: str,
        type: FieldType | str,
        value: Any = None,
        label: str | None = None,
        required: bool = True,
        visible: bool = True,
        current_allowed_values: Iterable[FieldOption | str | int] | None = None,
        original_allowed_values: Iterable[FieldOption | str | int] | None = None,
    ) -> None:
        original = _options(name, original_allowed_values)
        vars(self).update(
            name=name,
            type=FieldType(type),
            original_allowed_values=None if original is None else tuple(original),
        )
        self.value = value
        self.label = name if label is None else label
        self.required = required
        self.visible = visible
        self.current_allowed_values = current_allowed_values  # type: ignore[assignment]

    def __setattr__(self, attribute: str, value: Any) -> None:
        if attribute not in self._CHANGEABLE:
            raise SDKError(
                "FIXED_ATTRIBUTE", f"{attribute} of the field {self.name} can't be changed.",
                f"Change one of {', '.join(self._CHANGEABLE)}.",
            )
        if attribute == "current_allowed_values":
            value = _options(self.name, value)
        expected = {"label": str, "required": bool, "visible": bool}.get(attribute)
        if expected and not isinstance(value, expected):
            raise SDKError(
                "WRONG_TYPE", f"{attribute} of the field {self.name} is {value!r}.", f"Give a {expected.__name__}."
            )
        vars(self)[attribute] = value

    def __delattr__(self, attribute: str) -> None:
        raise SDKError(
            "FIXED_ATTRIBUTE",
            f"{attribute} of the field {self.name} can't be deleted.",
            "Set another value.",
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PromptField) and vars(self) == vars(other)

    def __repr__(self) -> str:
        return f"<PromptField {self.name}={self.value!r}>"


class SymPromptForm:
    """The form as it is filled in now.

    fields and flow_vars stay what they are (though a field's attributes change);
    additional_header_text can be changed.

    Raises:
        SDKError: something is changed that can't be.

    Example:
        def on_change_target_id(username, form):
            form.fields["ticket"].visible = form.fields["target_id"].value == form.flow_vars["prod"]
            return form
    """

    fields: OrderedDict[str, PromptField]
    """The form's fields by their names, in their order."""

    flow_vars: dict[str, str]
    """The flow's vars."""

    additional_header_text: str | None
    """Text above the fields, in Slack's markup."""

    def __init__(
        self,
        *,
        fields: Mapping[str, PromptField],
        flow_vars: Mapping[str, str] | None = None,
        additional_header_text: str | None = None,
    ) -> None:
        for name, field in fields.items():
            if not isinstance(field, PromptField) or field.name != name:
                raise SDKError(
                    "INVALID_FORM",
                    f"The form has {field!r} under the name {name!r}.",
                    "Give a PromptField of this name.",
                )
        vars(self).update(fields=OrderedDict(fields), flow_vars=dict(flow_vars or {}))
        self.additional_header_text = additional_header_text

    def __setattr__(self, attribute: str, value: Any) -> None:
        if attribute != "additional_header_text":
            raise SDKError(
                "FIXED_ATTRIBUTE", f"{attribute} of the form can't be changed.",
                "Change attributes of its fields, or additional_header_text.",
            )
        if value is not None and not isinstance(value, str):
            raise SDKError("WRONG_TYPE", f"additional_header_text is {value!r}.", "Give a text, or None.")
        vars(self)[attribute] = value


def _options(field: str, values: Iterable[FieldOption | str | int] | None) -> list[FieldOption] | None:
    """The options; a plain value is its own label."""
    if values is None:
        return None
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise SDKError("WRONG_TYPE", f"The allowed values of {field} are {values!r}.", "Give a list of FieldOptions.")
    return [value if isinstance(value, FieldOption) else FieldOption(value=value, label=str(value)) for value in values]
