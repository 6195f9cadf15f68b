"""The root of all exceptions of the SDK."""

from typing import Any, ClassVar


class SymException(Exception):
    """An error with a code of the form `Type:NAME`, which programs can tell apart.

    Whatever the SDK raises is one. A handler may raise one too; its code and
    message then show up in the run, in Slack and in the audit record.

    Args:
        error_type: first part of the code, such as "Okta".
        name: second part, such as "USER_NOT_FOUND".
        message: what is wrong, for people.

    Example:
        raise SymException("Tickets", "NOT_FOUND", "There is no ticket of this number.")
    """

    def __init__(self, error_type: str, name: str, message: str) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.name = name
        self.message = message
        self.error_code = f"{error_type}:{name}"

    @property
    def hint(self) -> str:
        """What to do about it; empty if there is nothing to add to the message."""
        return ""

    def to_dict(self) -> dict[str, Any]:
        """The error as JSON-ready dictionary, in the shape of the API's errors."""
        return {"error": True, "message": self.message, "code": self.error_code}

    def __str__(self) -> str:
        return self.message


class ExceptionWithHint(SymException):
    """A SymException that says what to do about it.

    Args:
        error_type: first part of the code.
        name: second part of the code.
        message: what is wrong.
        hint: what to do instead. to_dict() has it beside the message, str() after it.
    """

    def __init__(self, error_type: str, name: str, message: str, hint: str = "") -> None:
        super().__init__(error_type, name, message)
        self._hint = hint

    @property
    def hint(self) -> str:
        return self._hint

    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "hint": self.hint} if self.hint else super().to_dict()

    def __str__(self) -> str:
        return f"{self.message} {self.hint}" if self.hint else self.message


class ServiceException(ExceptionWithHint):
    """An error of one system, whose name is the first part of every code it has.

    Subclasses set `service`. The type of an exception and that part of its code
    always tell the same, so either can be used to tell errors apart.

    Args:
        name: second part of the code.
        message: what is wrong.
        hint: what to do instead.
    """

    service: ClassVar[str]

    def __init__(self, name: str, message: str, hint: str = "") -> None:
        super().__init__(self.service, name, message, hint)
