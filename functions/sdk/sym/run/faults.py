"""What went wrong, as a value of the protocol: code, message, hint, file, line."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from sym.sdk.exceptions import SDKError, SymException

MAX_MESSAGE = 2000  # characters; messages are shown to people


class Fault(SDKError):
    """A fault of a handler, or of how it is called.

    Args:
        name: second part of the code; the first is SDK.
        message: what is wrong.
        hint: what to do instead.
        line: the line in the handlers' file, if it is known.
    """

    def __init__(self, name: str, message: str, hint: str = "", line: int | None = None) -> None:
        super().__init__(name, message, hint)
        self.line = line


def value(error: BaseException, file: str, line: int | None = None) -> dict[str, Any]:
    """The error as a value.

    Args:
        error: whatever was raised.
        file: name of the handlers' file. The line is the innermost one in it, so
            that it is the customer's and not ours or a library's.
        line: where to point if error names no line of the file.
    """
    code, hint = "SDK:HANDLER_ERROR", ""
    if isinstance(error, SymException):
        code, message, hint = error.error_code, error.message, error.hint
    elif isinstance(error, MemoryError):
        code, message = "SDK:WORKER_DIED", "The handler needs more memory than there is."
        hint = "Give the function more memory, or read less at once."
    elif isinstance(error, SystemExit):
        message, hint = "The handler called sys.exit.", "Return, or raise an exception."
    else:
        message = f"{type(error).__name__}: {_text(error)}".rstrip(": ")
        if isinstance(error, ModuleNotFoundError):
            hint = "Import the standard library, sym.sdk and what requirements.txt lists; in Lambda, boto3 too."
    found = _line(error, file) or line
    return of(code, message, hint, file if found else "", found)


def of_import(error: BaseException, file: str) -> dict[str, Any]:
    """The error of an import as a value. Every fault of one has one code, except ours,
    which have their own."""
    found = value(error, file)
    if found["code"] == "SDK:HANDLER_ERROR":
        found["code"] = "SDK:IMPORT_ERROR"
    return found


def of(code: str, message: str, hint: str = "", file: str = "", line: int | None = None) -> dict[str, Any]:
    """An error of the protocol; parts that are empty are left out."""
    error = {"code": code, "message": _cut(str(message)), "hint": _cut(str(hint or "")), "file": file, "line": line}
    return {key: part for key, part in error.items() if part}


def _line(error: BaseException, file: str) -> int | None:
    if isinstance(error, Fault) and error.line:
        return error.line
    if isinstance(error, SyntaxError) and error.filename == file:
        return error.lineno
    found = None
    trace: TracebackType | None = error.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == file:
            found = trace.tb_lineno
        trace = trace.tb_next
    return found


def _text(error: BaseException) -> str:
    try:
        return error.msg if isinstance(error, SyntaxError) else str(error)
    except Exception:  # customers write __str__ too
        return ""


def _cut(text: str) -> str:
    return text if len(text) <= MAX_MESSAGE else text[:MAX_MESSAGE] + "…"
