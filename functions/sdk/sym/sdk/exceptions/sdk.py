"""Errors in how the SDK is used."""

from sym.sdk.exceptions.sym_exception import ServiceException


class SDKError(ServiceException):
    """The SDK was used in a way that can't work. The hint says how it does."""

    service = "SDK"


class MissingArgument(SDKError):
    """A function was called without an argument that it can't do without.

    Args:
        message: which one, and of which function.
        hint: what to pass.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__("MISSING_ARGUMENT", message, hint)
