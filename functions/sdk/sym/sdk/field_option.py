"""Options of prompt fields."""

from __future__ import annotations

from dataclasses import dataclass

from sym.sdk.exceptions import SDKError

MAX_LENGTH = 55  # characters, of values and of labels


@dataclass(frozen=True)
class FieldOption:
    """One option of a prompt field: the value that handlers get, the label that
    people see.

    Raises:
        SDKError: one of them is empty, or longer than 55 characters.

    Example:
        FieldOption(value="i-0a1b2c3d", label="api (production)")
    """

    value: str | int
    label: str

    def __post_init__(self) -> None:
        for name in ("value", "label"):
            text = getattr(self, name)
            number = name == "value" and isinstance(text, int) and not isinstance(text, bool)
            if not number and not isinstance(text, str):
                raise SDKError("INVALID_OPTION", f"An option's {name} is {text!r}.", "Give a text.")
            if not 1 <= len(str(text)) <= MAX_LENGTH:
                raise SDKError(
                    "INVALID_OPTION",
                    f"An option's {name} has {len(str(text))} characters: {str(text)[:80]!r}.",
                    f"Give 1 to {MAX_LENGTH}.",
                )
