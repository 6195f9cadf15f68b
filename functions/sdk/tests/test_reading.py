"""Reading a file finds what running it does, and runs nothing."""

import tempfile
import textwrap
import unittest
from pathlib import Path

from sym.run import reading, source
from sym.run.faults import Fault

FLOWS = Path(__file__).parents[3] / "flows"
IMPORTS = "from sym.sdk.annotations import hook, prefetch, reducer\nfrom sym.sdk.strategies import AccessStrategy\n"
STRATEGY = """
class Tickets(AccessStrategy):
    def fetch_remote_identity(self, user): ...
    def escalate(self, target_id, event): ...
    def deescalate(self, target_id, event): ...
"""

ALIKE = {
    "nothing": "",
    "each kind": """
        @hook
        def on_request(event): ...
        @reducer
        def get_permissions(event): ...
        @prefetch(field_name="repo")
        def get_repos(event): ...
        def on_change_repo(username, form): ...
        def helper(): ...
        """,
    "other names": """
        from sym.sdk.annotations import hook as h
        from sym.sdk import annotations
        @h
        def on_request(event): ...
        @annotations.reducer
        def get_approvers(event): ...
        """,
    "assigned names": """
        from sym.sdk import annotations
        d = hook
        e = d
        r, p = annotations.reducer, [prefetch][0]
        repos = prefetch(field_name="repo")
        again = repos
        Base = AccessStrategy
        @d
        def on_request(event): ...
        @e
        def on_approve(event): ...
        @r
        def get_permissions(event): ...
        @again
        def get_repos(event): ...
        class Tickets(Base):
            def fetch_remote_identity(self, user): ...
            def escalate(self, target_id, event): ...
            def deescalate(self, target_id, event): ...
        """,
    "names of others": """
        d = hook
        d = print
        def hook(function): return lambda event: None
        r = reducer
        def reducer(function): return function
        @hook
        def on_request(event): ...
        @r
        def get_permissions(event): ...
        """,
    "a name that is deleted": "d = hook\n@d\ndef on_request(event): ...\ndel d, hook\n",
    "with other decorators": """
        def noted(function): return function
        @noted
        @hook
        def on_approve(event): ...
        """,
    "assigned": """
        on_request = hook(lambda event: None)
        get_flows: object = reducer(lambda event: [])
        options = prefetch(field_name="db")(lambda event: [])
        """,
    "assigned under another name": "def decide(event): ...\non_request = hook(decide)\n",
    "defined twice": """
        def on_deny(event): ...
        @hook
        def on_deny(event): ...
        """,
    "below conditions": """
        try:
            import a_module_that_is_not_there
        except ImportError:
            @hook
            def on_request(event): ...
        if True:
            @hook
            def after_deny(event): ...
        """,
    "deleted": "@hook\ndef on_request(event): ...\ndel on_request\n",
    "within": "def factory():\n    @hook\n    def on_request(event): ...\n    return on_request\n",
    "strategy": STRATEGY,
    "strategies that extend each other": STRATEGY + "\nclass More(Tickets): ...\nclass Other: ...\n",
    "undecorated": "def get_permissions(event): ...",
    "undecorated hook": "def on_request(event): ...\ndef after_deny(event): ...",
    "misspelt": "@hook\ndef on_requests(event): ...",
    "two of one": "@prefetch(field_name='a')\ndef a(event): ...\n@prefetch(field_name='a')\ndef b(event): ...",
    "two strategies": STRATEGY + STRATEGY.replace("Tickets", "Badges"),
    "no Python": "def on_request(event:\n",
    "not in a function": "return 1",
}


def run(text, file="impl.py"):
    """What running a file finds."""
    handlers = source.load(text, file)
    return handlers.names(), handlers.warnings


def told(find, text):
    """What is found, or the error with its line."""
    try:
        names, warnings = find(text)
        return names, [(str(warning), warning.line) for warning in warnings]
    except (Fault, SyntaxError) as error:
        return type(error).__name__, str(error), getattr(error, "line", None) or getattr(error, "lineno", None)


class Reading(unittest.TestCase):
    def test_finds_what_running_finds(self):
        for name, text in ALIKE.items():
            with self.subTest(name):
                text = IMPORTS + textwrap.dedent(text)
                want = told(run, text)
                self.assertEqual(told(reading.outline, text), want)

    def test_finds_what_the_examples_have(self):
        files = [f for f in FLOWS.glob("**/*.py") if not f.name.endswith("_test.py") and "functions" not in f.parts]
        self.assertGreater(len(files), 0)
        for file in files:
            with self.subTest(file.name):
                self.assertEqual(reading.outline(file.read_text(), file.name), run(file.read_text(), file.name))

    def test_says_what_it_cant_tell(self):
        with self.assertRaises(Fault) as raised:
            reading.outline(IMPORTS + "FIELD = 'repo'\n@prefetch(field_name=FIELD)\ndef get(event): ...\n")
        self.assertEqual((raised.exception.error_code, raised.exception.line), ("SDK:NOT_READABLE", 4))

    def test_runs_nothing(self):
        ran = Path(self.enterContext(tempfile.TemporaryDirectory())) / "ran"
        text = f"from sym.sdk.annotations import hook\nopen({str(ran)!r}, 'w').close()\n@hook\ndef on_request(event): ...\n"
        self.assertEqual(reading.outline(text), (["on_request"], []))
        self.assertFalse(ran.exists())
        source.load(text)
        self.assertTrue(ran.exists(), "the file does what it must not do when it is read")


if __name__ == "__main__":
    unittest.main()
