"""What the SDK asks of Sym Flows is what that answers: the table of ops in
internal/services/doc.go. A test there holds the other side to the same table."""

import ast
import inspect
import re
import unittest
from pathlib import Path

from sym.sdk.testing import FakeServices

SDK = Path(__file__).parents[1] / "sym"
TABLE = Path(__file__).parents[3] / "internal" / "services" / "doc.go"

# Functions whose first text argument is the op, as all that ask have it.
ASKING = {"ask", "_ask"}


def table() -> dict[str, set[str]]:
    """The arguments of each op."""
    ops = re.findall(r"(\w+) \{([\w ,:|]*)\}", " ".join(re.findall(r"(?m)^//\t(.*)$", TABLE.read_text(encoding="utf-8"))))
    return {op: {argument.split(":")[0] for argument in re.split(r", ", arguments)} for op, arguments in ops}


def asked() -> list[tuple[str, str, set[str]]]:
    """Every question in the sources: where it is, its op, its arguments."""
    found = []
    for path in sorted(SDK.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for function in [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]:
            for call in [node for node in ast.walk(function) if isinstance(node, ast.Call)]:
                names = {keyword.arg for keyword in call.keywords}
                if _name(call) not in ASKING or None in names:
                    continue  # **args hands on what somebody else asks
                for op in _texts(call) or _ops(tree, function.name):
                    found.append((f"{path.name}:{call.lineno}", op, {name for name in names if name}))
    return found


def _ops(tree: ast.AST, function: str) -> list[str]:
    """The ops that a function is called with, which asks for what it is told."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _name(node) == function]
    return [text for call in calls for text in _texts(call)]


def _name(call: ast.Call) -> str:
    return getattr(call.func, "attr", getattr(call.func, "id", ""))


def _texts(call: ast.Call) -> list[str]:
    return [a.value for a in call.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]


class Ops(unittest.TestCase):
    table = table()

    def test_every_question_has_an_answer(self):
        for where, op, arguments in asked():
            with self.subTest(where):
                self.assertIn(op, self.table)
                self.assertEqual(arguments, self.table[op])

    def test_every_answer_has_a_question(self):
        self.assertEqual({op for _, op, _ in asked()}, set(self.table))

    def test_fakes(self):
        for op, arguments in self.table.items():
            fake = getattr(FakeServices, f"_{op}", None)
            if fake is None:
                continue  # a test gives an answer of its own
            with self.subTest(op):
                inspect.signature(fake).bind(None, **dict.fromkeys(arguments))
