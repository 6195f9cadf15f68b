"""From the text of a file to its handlers."""

from __future__ import annotations

import ast
import difflib
import linecache
import sys
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Callable

from sym.run.faults import Fault
from sym.sdk.annotations import FIELD, KIND
from sym.sdk.request_permission import user_ids
from sym.sdk.strategies import AccessStrategy
from sym.sdk.templates import ApprovalTemplateStep
from sym.sdk.utils import persist_user_identity

HOOKS = tuple(f"{when}_{step.value}" for step in ApprovalTemplateStep for when in ("on", "after"))
REDUCERS = (
    "get_permissions",
    "get_request_notifications",
    "get_approvers",
    "get_identity",
    "get_identity_lookup",
    "get_flows",
)
LEGACY_REDUCERS = ("get_timeout", "get_title", "get_message")  # of Sym's early years: accepted, not called
ON_CHANGE = "on_change_"

# What a file has without importing it, as files had at Sym.
WITHOUT_IMPORT = {"persist_user_identity": persist_user_identity, "user_ids": user_ids}


@dataclass
class Handlers:
    """The handlers that a file defines."""

    file: str
    """Name of the file, as errors show it."""

    functions: dict[str, Callable[..., Any]] = field(default_factory=dict)
    """Functions by the names of the protocol: "on_request", "prefetch:repo", "on_change_repo"."""

    strategy: type[AccessStrategy] | None = None
    """The class that extends AccessStrategy, if there is one."""

    lines: dict[str, int] = field(default_factory=dict)
    """Lines of functions and classes by their own names."""

    warnings: list[Fault] = field(default_factory=list)
    """What the file has and nothing ever calls, though its author may think so."""

    def names(self) -> list[str]:
        """All of them, in the order of the file."""
        names = list(self.functions)
        if self.strategy:
            names.append(f"strategy:{self.strategy.__name__}")
        return names

    def line(self, function: Any) -> int | None:
        """The line where a function or class of the file is defined."""
        return self.lines.get(getattr(function, "__name__", ""))


def load(text: str, file: str = "impl.py") -> Handlers:
    """Runs a file and finds its handlers.

    Args:
        text: the file's content.
        file: its name; tracebacks and errors show it.

    Raises:
        Fault: a handler is named wrongly, or a reducer is not decorated.
        BaseException: whatever the file's top level raises, SyntaxError included.
    """
    tree = ast.parse(text, file)
    module = ModuleType(_module_name(file))
    module.__file__ = file
    sys.modules[module.__name__] = module  # dataclasses and pickle look it up there
    vars(module).update(WITHOUT_IMPORT)
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)  # for tracebacks that are printed
    exec(compile(tree, file, "exec", dont_inherit=True), vars(module))
    lines = {
        node.name: node.lineno
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef))
    }
    return find(vars(module), file, lines, module.__name__)


def find(names: dict[str, Any], file: str, lines: dict[str, int], module: str) -> Handlers:
    """The handlers among the names of a module.

    Args:
        names: what the module has.
        file: its name, for errors.
        lines: where functions and classes are defined.
        module: the module's name: classes from elsewhere are not its own.

    Raises:
        Fault: a handler is named wrongly, or a reducer is not decorated.
    """
    handlers = Handlers(file, lines=lines)
    for name, thing in names.items():
        if isinstance(thing, type):
            if issubclass(thing, AccessStrategy) and thing.__module__ == module:
                handlers.strategy = _more_special(handlers.strategy, thing, lines.get(name))
            continue
        if not callable(thing):
            continue
        kind = getattr(thing, KIND, None)
        warning = undecorated(name, kind, lines.get(name))
        if warning:
            handlers.warnings.append(warning)
            continue
        found = key(name, kind, getattr(thing, FIELD, None), lines.get(name))
        if found in handlers.functions and handlers.functions[found] is not thing:
            raise Fault("TWO_HANDLERS", f"{name} is a second {found}.", "Keep one of them.", lines.get(name))
        if found:
            handlers.functions[found] = thing
    return handlers


def undecorated(name: str, kind: str | None, line: int | None) -> Fault | None:
    """The warning about a hook without its decorator, which is passed over, as at Sym."""
    if kind is None and name in HOOKS:
        return Fault("NOT_DECORATED", f"{name} is not decorated, so it never runs.",
                     "Put @hook above it, or give it another name.", line)
    return None


def _more_special(
    found: type[AccessStrategy] | None,
    other: type[AccessStrategy],
    line: int | None,
) -> type[AccessStrategy]:
    """The one of two strategies that extends the other."""
    if found is None or issubclass(other, found):
        return other
    if issubclass(found, other):
        return found
    raise Fault("TWO_STRATEGIES", f"{other.__name__} is a second class that extends AccessStrategy.",
                "Keep one in the file.", line)


def key(name: str, kind: str | None, field: str | None, line: int | None) -> str | None:
    """The name of the protocol for a function; None if it is no handler.

    Args:
        name: the function's own name.
        kind: what it is decorated as: hook, reducer, prefetch or nothing.
        field: the prompt field of a prefetch.
        line: where it is defined, for errors.

    Raises:
        Fault: it is named wrongly, or not decorated.
    """
    if kind == "prefetch":
        return f"prefetch:{field}"
    if name.startswith(ON_CHANGE):
        return name
    if kind is None:
        if name in REDUCERS:
            raise Fault("NOT_DECORATED", f"{name} is not decorated, so it would never run.",
                        "Put @reducer above it, or give it another name.", line)
        return None
    known = HOOKS if kind == "hook" else REDUCERS + LEGACY_REDUCERS
    if name in known:
        return name
    alike = difflib.get_close_matches(name, known, 1)
    raise Fault("UNKNOWN_HANDLER", f"There is no {kind} {name}, so it would never run.",
                f"Name it {alike[0]}." if alike else f"Name it one of {', '.join(known)}.", line)


def _module_name(file: str) -> str:
    stem = file.rsplit("/", 1)[-1].removesuffix(".py")
    return f"sym_flow_{''.join(c if c.isalnum() else '_' for c in stem)}"
