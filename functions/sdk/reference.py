"""Prints the reference of sym.sdk in Markdown, from its docstrings: docs/sdk-reference.md.

    python3 functions/sdk/reference.py > docs/sdk-reference.md

It reads the source and imports nothing, so the text is the same everywhere.
"""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path
from typing import Iterator

ROOT = Path(__file__).parent / "sym" / "sdk"

# In the order in which a reader needs them. Integrations follow "integrations" by name.
MODULES = [
    "annotations",
    "templates.approval",
    "templates.template",
    "event",
    "payload",
    "channel",
    "run",
    "flow",
    "access_target",
    "strategy",
    "integration",
    "secret",
    "user",
    "resource",
    "request_permission",
    "notifications",
    "request_destination",
    "request_forward_context",
    "field_option",
    "forms",
    "strategies.access_strategy",
    "utils",
    "integrations",
    "exceptions",
    "testing",
]
# What a package offers from its files, under the package's own name.
HOMES = {"templates.approval": "templates", "templates.template": "templates", "strategies.access_strategy": "strategies"}

# Functions that handlers don't call: they are between the SDK and what runs it.
INNER = {"check_destination", "check_timeout", "from_code", "from_wire", "pick", "to_wire", "user_from"}

HEAD = """\
# Reference of the Python SDK

What handlers of a flow can use, module by module. [Handlers in Python](sdk.md) is the guide.

<!-- made by `make docs` from the docstrings of functions/sdk/sym/sdk -->"""

_SECTION = re.compile(r"^(Args|Returns|Raises|Yields|Example|Raises, from every method):$")


def reference() -> str:
    """The whole page."""
    parts = [HEAD]
    for name in MODULES:
        if name == "integrations":
            parts += [_module(f"integrations.{path.stem}", path) for path in sorted((ROOT / name).glob("[a-z]*.py"))]
        elif name == "exceptions":
            parts.append(_exceptions())
        else:
            path = ROOT / (name.replace(".", "/") + ".py")
            parts.append(_module(name, path if path.exists() else path.with_suffix("") / "__init__.py"))
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _module(name: str, path: Path) -> str:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    parts = [f"## sym.sdk.{HOMES.get(name, name)}", _text(ast.get_docstring(tree, clean=False))]
    if name == "templates.template":  # whose heading is there already
        parts = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            parts += _class(node)
        elif isinstance(node, ast.FunctionDef) and not node.name.startswith("_") and node.name not in INNER:
            parts += [f"### {node.name}", _signature(node), _text(ast.get_docstring(node))]
    return "\n\n".join(part for part in parts if part)


def _class(node: ast.ClassDef) -> Iterator[str]:
    yield f"### {node.name}"
    constructor = next((n for n in node.body if isinstance(n, ast.FunctionDef) and n.name == "__init__"), None)
    if constructor and (ast.get_docstring(constructor) or "Args:" in (ast.get_docstring(node) or "")):
        yield _signature(constructor, node.name)
    yield _text(ast.get_docstring(node))
    attributes = list(_attributes(node))
    if attributes:
        yield "\n".join(attributes)
    for method in _methods(node):
        if not _is_property(method):
            yield f"#### {node.name}.{method.name}"
            yield _signature(method)
            yield _text(ast.get_docstring(method))


def _attributes(node: ast.ClassDef) -> Iterator[str]:
    """Its fields, members and properties, a list item each."""
    for statement, following in zip(node.body, [*node.body[1:], None]):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            name, kind = statement.target.id, ast.unparse(statement.annotation)
        elif isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Constant):
            name, kind = ast.unparse(statement.targets[0]), repr(statement.value.value)
        else:
            continue
        if not name.startswith("_") and name != "service":
            text = ""
            if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
                text = _line(str(following.value.value))
            yield f"- `{name}` (`{kind}`){': ' + text if text else ''}"
    for method in _methods(node):
        if _is_property(method):
            kind = ast.unparse(method.returns) if method.returns else "Any"
            yield f"- `{method.name}` (`{kind}`): {_line(ast.get_docstring(method) or '')}"


def _methods(node: ast.ClassDef) -> list[ast.FunctionDef]:
    return [n for n in node.body if isinstance(n, ast.FunctionDef) and not n.name.startswith("_") and ast.get_docstring(n)]


def _is_property(method: ast.FunctionDef) -> bool:
    return any(isinstance(d, ast.Name) and d.id == "property" for d in method.decorator_list)


def _signature(node: ast.FunctionDef, name: str = "") -> str:
    """The signature; of a constructor, with the name of its class."""
    args = node.args
    positional = list(zip(args.args, [None] * (len(args.args) - len(args.defaults)) + args.defaults))
    shown = [_argument(arg, default) for arg, default in positional if arg.arg not in ("self", "cls")]
    if args.vararg:
        shown.append(f"*{_argument(args.vararg)}")
    elif args.kwonlyargs:
        shown.append("*")
    shown += [_argument(arg, default) for arg, default in zip(args.kwonlyargs, args.kw_defaults)]
    if args.kwarg:
        shown.append(f"**{_argument(args.kwarg)}")
    returns = f" -> {ast.unparse(node.returns)}" if node.returns and not name else ""
    line = f"{name or node.name}({', '.join(shown)}){returns}"
    if len(line) > 100:
        line = f"{name or node.name}(\n    " + ",\n    ".join(shown) + f",\n){returns}"
    return f"```python\n{line}\n```"


def _argument(arg: ast.arg, default: ast.expr | None = None) -> str:
    kind = f": {ast.unparse(arg.annotation)}" if arg.annotation else ""
    if default is None:
        return arg.arg + kind
    return f"{arg.arg}{kind}{' = ' if kind else '='}{ast.unparse(default)}"


def _exceptions() -> str:
    """All exceptions in one table."""
    rows = []
    package = ROOT / "exceptions"
    for path in sorted(package.glob("[a-z]*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                codes = [s.value.value for s in node.body if isinstance(s, ast.Assign) and isinstance(s.value, ast.Constant)]
                what = _line((ast.get_docstring(node) or "").split("\n\n")[0])
                rows.append(f"| `{node.name}` | {f'`{codes[0]}:…`' if codes else ''} | `{ast.unparse(node.bases[0])}` | {what} |")
    head = "| exception | codes | is a | when |\n| --- | --- | --- | --- |"
    about = _text(ast.get_docstring(ast.parse((package / "__init__.py").read_text(encoding="utf-8"))))
    return "\n\n".join(["## sym.sdk.exceptions", about, "\n".join([head, *sorted(rows)])])


def _text(docstring: str | None) -> str:
    """A docstring in Markdown: sections become lists, indented blocks become code."""
    parts: list[str] = []
    section, block = "", []

    def close() -> None:
        text = "\n".join(block).strip("\n")
        block.clear()
        if not text.strip():
            return
        if section in ("", "Returns", "Yields"):
            head = f"**{section}** " if section else ""
            indented = text.startswith("    ") and not section
            parts.append(f"```python\n{_dedent(text)}\n```" if indented else head + _dedent(text))
        elif section == "Example":
            parts.append(f"```python\n{_dedent(text)}\n```")
        else:
            items = re.split(r"\n(?=\S)", _dedent(text))
            parts.append(f"**{section}**\n\n" + "\n".join(_item(item) for item in items))

    for line in (docstring or "").split("\n"):
        heading = _SECTION.match(line)
        if heading:
            close()
            section = heading[1]
        elif section and line and not line.startswith(" "):
            close()
            section = ""
            block.append(line)
        elif not section and block and block[0].startswith("    ") and (not line or line.startswith("    ")):
            block.append(line)  # code goes on over empty lines
        elif not section and (not line or (block and line.startswith("    ") != block[0].startswith("    "))):
            close()
            block += [line] if line else []
        else:
            block.append(line)
    close()
    return "\n\n".join(parts)


def _item(text: str) -> str:
    name, colon, rest = " ".join(text.split()).partition(": ")
    return f"- `{name}`: {rest}" if colon else f"- {name}"


def _line(text: str) -> str:
    return " ".join(_dedent(text).split())


def _dedent(text: str) -> str:
    lines = text.split("\n")
    width = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return "\n".join(line[width:] for line in lines)


if __name__ == "__main__":
    sys.stdout.write(reference())
