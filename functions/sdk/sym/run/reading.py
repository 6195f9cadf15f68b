"""From the text of a file to the names of its handlers, without running it."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import Iterator

from sym.run import source
from sym.run.faults import Fault

_DECORATORS = ("hook", "reducer", "prefetch")
_STRATEGY = "AccessStrategy"
_OURS = (*_DECORATORS, _STRATEGY)


@dataclass(frozen=True)
class _Mark:
    """What a decorator makes of a function; of an undecorated one, nothing."""

    kind: str | None = None
    field: str | None = None


def outline(text: str, file: str = "impl.py") -> tuple[list[str], list[Fault]]:
    """The handlers that sym.run.source.load would find, and its warnings, as far as it
    shows: those that a file defines, or names, at its top level. Nothing of the file
    runs.

    Args:
        text: the file's content.
        file: its name, for errors.

    Raises:
        Fault: a handler is named wrongly, or not decorated, or can't be told
            without running the file.
        SyntaxError: this is no Python.
    """
    tree = ast.parse(text, file)
    compile(tree, file, "exec", dont_inherit=True)  # which finds what a parser lets pass, and runs nothing
    return _Reader().read(tree)


class _Reader:
    """What is known of a file's names, line by line."""

    def __init__(self) -> None:
        self._ours = {name: name for name in _OURS}  # as the file calls it → as it is called
        self._made: dict[str, _Mark] = {}  # what calls of decorators of ours gave, by name
        self._marks: dict[str, _Mark] = {}  # functions
        self._bases: dict[str, set[str]] = {}  # strategies, by name, and those that they extend
        self._lines: dict[str, int] = {}

    def read(self, tree: ast.Module) -> tuple[list[str], list[Fault]]:
        for node in _top_level(tree.body):
            self._take(node)
        found: dict[str, str] = {}
        warnings: list[Fault] = []
        for name, mark in self._marks.items():
            line = self._lines[name]
            if warning := source.undecorated(name, mark.kind, line):
                warnings.append(warning)
                continue
            key = source.key(name, mark.kind, mark.field, line)
            if key in found:
                raise Fault("TWO_HANDLERS", f"{name} is a second {key}.", "Keep one of them.", line)
            if key:
                found[key] = name
        strategy = self._strategy()
        return [*found, *([f"strategy:{strategy}"] if strategy else [])], warnings

    def _take(self, node: ast.stmt) -> None:
        match node:
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] == "sym":
                for name in node.names:
                    if name.name in _OURS:
                        self._ours[name.asname or name.name] = name.name
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                mark = _Mark()
                for decorator in node.decorator_list:
                    mark = self._mark(decorator) or mark
                self._name(node.name, mark, node.lineno)
            case ast.ClassDef():
                self._class(node)
            case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for target in targets:
                    self._assign_to(target, value, node.lineno)
            case ast.Delete():
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        self._forget(target.id)

    def _name(self, name: str, mark: _Mark, line: int) -> None:
        self._forget(name)
        self._marks[name], self._lines[name] = mark, line

    def _forget(self, name: str) -> None:
        for known in (self._marks, self._bases, self._ours, self._made):
            known.pop(name, None)

    def _assign_to(self, target: ast.expr, value: ast.expr, line: int) -> None:
        """target = value, also of several names at once."""
        match target, value:
            case ast.Name(id=name), _:
                self._assign(name, value, line)
            case (ast.Tuple(elts=names) | ast.List(elts=names)), (ast.Tuple(elts=values) | ast.List(elts=values)) if len(names) == len(values):
                for one, its in zip(names, values):
                    self._assign_to(one, its, line)
            case (ast.Tuple(elts=names) | ast.List(elts=names)), _:
                for one in names:
                    self._assign_to(one, ast.Constant(None), line)

    def _assign(self, name: str, value: ast.expr, line: int) -> None:
        """name = other, name = hook, name = hook(function), name = lambda event: …"""
        match value:
            case ast.Name() | ast.Attribute() if ours := self._called(value):
                self._forget(name)
                self._ours[name] = ours
            case ast.Name(id=other) if other in self._made:
                made = self._made[other]
                self._forget(name)
                self._made[name] = made
            case ast.Call(args=[]) if made := self._mark(value):
                self._forget(name)
                self._made[name] = made
            case ast.Name(id=other) if other in self._marks:
                self._name(name, self._marks[other], line)
            case ast.Lambda():
                self._name(name, _Mark(), line)
            case ast.Call(func=decorator, args=[argument]) if mark := self._mark(decorator):
                if isinstance(argument, ast.Name) and argument.id in self._marks:
                    self._marks[argument.id] = mark  # it is the function itself that is marked
                self._name(name, mark, line)
            case _:
                self._forget(name)

    def _mark(self, decorator: ast.expr) -> _Mark | None:
        """What a decorator of ours makes; None if it is somebody else's."""
        if isinstance(decorator, ast.Name) and decorator.id in self._made:
            return self._made[decorator.id]
        called = self._called(decorator)
        if called == "prefetch" and isinstance(decorator, ast.Call):
            for keyword in decorator.keywords:
                if keyword.arg == "field_name" and isinstance(keyword.value, ast.Constant) and isinstance(keyword.value.value, str):
                    return _Mark("prefetch", keyword.value.value)
            raise Fault("NOT_READABLE", "The field of prefetch can't be told without running the file.",
                        'Write its name: @prefetch(field_name="repo").', decorator.lineno)
        return _Mark(called) if called in ("hook", "reducer") else None

    def _called(self, expression: ast.expr) -> str | None:
        """The name of ours that an expression stands for: hook, annotations.hook."""
        match expression:
            case ast.Name(id=name):
                return self._ours.get(name)
            case ast.Attribute(attr=name) if name in _OURS:
                return name
            case ast.Call(func=function):
                return self._called(function)
        return None

    def _class(self, node: ast.ClassDef) -> None:
        self._forget(node.name)
        extended: set[str] = set()
        is_strategy = False
        for base in node.bases:
            known = self._bases.get(base.id) if isinstance(base, ast.Name) else None
            if known is not None:
                extended |= {base.id, *known}
            is_strategy = is_strategy or known is not None or self._called(base) == _STRATEGY
        if is_strategy:
            self._bases[node.name], self._lines[node.name] = extended, node.lineno

    def _strategy(self) -> str | None:
        """The one that extends the others."""
        found: str | None = None
        for name, extended in self._bases.items():
            if found is None or found in extended:
                found = name
            elif name not in self._bases[found]:
                raise Fault("TWO_STRATEGIES", f"{name} is a second class that extends AccessStrategy.",
                            "Keep one in the file.", self._lines[name])
        return found


def _top_level(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run when a file is imported, or may."""
    for node in body:
        yield node
        match node:
            case ast.If() | ast.For() | ast.While():
                yield from _top_level(node.body + node.orelse)
            case ast.With():
                yield from _top_level(node.body)
            case ast.Try() | ast.TryStar():
                handlers = [statement for handler in node.handlers for statement in handler.body]
                yield from _top_level(node.body + handlers + node.orelse + node.finalbody)
            case ast.Match():
                yield from _top_level([statement for case in node.cases for statement in case.body])
