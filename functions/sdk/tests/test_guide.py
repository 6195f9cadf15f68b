"""docs/sdk.md: its examples work, its tables are whole."""

import contextlib
import io
import os
import re
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import reference
from sym.run import source
from sym.sdk import testing
from sym.sdk.exceptions import PagerDutyError
from sym.sdk.forms import PromptField, SymPromptForm

GUIDE = (Path(__file__).parents[3] / "docs" / "sdk.md").read_text(encoding="utf-8")
# Each example says on its first line in which file it would be.
EXAMPLES = dict(re.findall(r"(?ms)^```python\n# (\S+\.py)\n(.*?)^```$", GUIDE))


def policy(name: str) -> testing.Policy:
    return testing.Policy.of_text(EXAMPLES[name], name)


class Examples(unittest.TestCase):
    def test_all_are_here(self):
        self.assertEqual(len(EXAMPLES), GUIDE.count("```python"))
        self.assertEqual(
            set(EXAMPLES), {"impl.py", "rules.py", "tiers.py", "repos.py", "on_change.py", "wiki.py", "test_impl.py", "quorum.py", "agents.py"}
        )

    def test_quick_start(self):
        event = testing.event(vars={"schedule": "Primary"})
        is_on_call = "sym.sdk.integrations.pagerduty.is_on_call"
        down = PagerDutyError("UNAVAILABLE", "PagerDuty can't be reached.")
        for answer, decision, printed in [([True], "approve", ""), ([False], None, ""), (down, None, "People decide: ")]:
            with self.subTest(answer), contextlib.redirect_stdout(io.StringIO()) as output:
                with mock.patch(is_on_call, side_effect=answer):
                    outcome = policy("impl.py").handle(event)
                self.assertEqual(outcome.decision, decision)
                self.assertEqual(outcome.permissions["approve_deny"], "member")
                self.assertEqual(outcome.notifications[0]["destinations"][0]["name"], "#access-prod")
                self.assertEqual(output.getvalue()[:15], printed)

    def test_rules(self):
        rules = policy("rules.py")
        request = testing.event(fields={"duration": 7200})
        self.assertEqual(rules.handle(request, testing.FakeServices(event_counts={"request": 6})).decision, "ignore")
        cut = rules.handle(request, testing.FakeServices(event_counts={"request": 5}))
        self.assertEqual((cut.decision, cut.hook["duration"]), ("request", 3600))
        self.assertIsNone(rules.handle(testing.event(fields={"duration": 3600})).decision)
        self.assertEqual(rules.handle(testing.event("approve")).message, "Please say why you approve.")
        self.assertIsNone(rules.handle(testing.event("approve", fields={"decision_message": "ok"})).decision)
        services = testing.FakeServices()
        rules.after(testing.event("escalate", requester=testing.user("bob@example.com", first_name="Bob")), services)
        self.assertEqual(services.messages, [(None, "Bob is in.")])

    def test_agents(self):
        payroll, agent = testing.target("payroll-db"), testing.agent(owner=testing.user("bob@example.com", first_name="Bob"))
        denied = policy("agents.py").handle(testing.event(target=payroll, agent=agent))
        self.assertEqual((denied.decision, denied.hook["fields"]["reason"]), ("deny", "No agent gets into payroll: Bob has to ask in person."))
        for event in (testing.event(target=payroll), testing.event(target=testing.target("orders-db"), agent=agent)):
            self.assertIsNone(policy("agents.py").handle(event).decision)

    def test_tiers(self):
        for database, members in [("customers", 2), ("orders", None)]:
            with self.subTest(database):
                event = testing.event(fields={"duration": 60}, target=testing.target("db", database=database))
                outcome = policy("tiers.py").handle(event)
                self.assertEqual([n["timeout"] for n in outcome.notifications], [1800, 3600])
                may = outcome.permissions["approve_deny"]
                self.assertEqual("member" if members is None else members, may if members is None else len(may))

    def test_quorum(self):
        services = testing.FakeServices()
        decisions = [
            policy("quorum.py").handle(testing.event("approve", user=testing.user(email)), services).decision
            for email in ("bob@example.com", "bob@example.com", "carol@example.com")
        ]
        self.assertEqual(decisions, ["ignore", "ignore", None])

    def test_forms(self):
        options = policy("repos.py").prefetch("repo", testing.event("prompt", vars={"repositories": "api web"}))
        self.assertEqual([option["value"] for option in options], ["api", "web"])
        fields = [PromptField(name="target_id", type="string", value="t1"), PromptField(name="ticket", type="string")]
        for production, visible in [("t1", True), ("t2", False)]:
            form = SymPromptForm(fields={field.name: field for field in fields}, flow_vars={"production": production})
            changed = policy("on_change.py").on_change("target_id", form)
            self.assertEqual(changed.fields["ticket"].visible, visible)

    def test_strategy(self):
        wiki, editors, services = policy("wiki.py"), testing.target("editors"), testing.FakeServices()
        strategy = testing.custom_strategy(editors, integration=testing.integration("custom", external_id="w", space="ops"))
        event = testing.event("escalate", target=editors, strategy=strategy)
        granted = wiki.escalate(event, services)
        self.assertEqual(granted, {"member": "alice@example.com", "space": "ops"})
        event = testing.event("deescalate", target=editors, strategy=strategy)
        removed = wiki.deescalate(event, services, step_outputs={"escalate": granted})
        self.assertEqual(removed, {"removed": "alice@example.com"})
        with self.assertRaises(testing.HandlerFailed) as failed:
            wiki.escalate(testing.event("escalate", target=editors), services)
        self.assertEqual(failed.exception.error_code, "AccessStrategy:NO_SPACE")

    def test_test(self):
        here = os.getcwd()
        with tempfile.TemporaryDirectory() as directory:
            (Path(directory) / "impl.py").write_text(EXAMPLES["impl.py"], encoding="utf-8")
            os.chdir(directory)
            try:
                module: dict = {"__name__": "test_impl"}
                exec(compile(EXAMPLES["test_impl.py"], "test_impl.py", "exec"), module)
            finally:
                os.chdir(here)
        result = unittest.TestResult()
        with contextlib.redirect_stdout(io.StringIO()):
            unittest.defaultTestLoader.loadTestsFromTestCase(module["ProdAccess"]).run(result)
        self.assertEqual((result.testsRun, result.failures, result.errors), (2, [], []))


class Tables(unittest.TestCase):
    def test_handlers(self):
        for name in [*source.REDUCERS, *source.LEGACY_REDUCERS]:
            self.assertRegex(GUIDE, rf"`{name}\b")
        for step in {hook.partition("_")[2] for hook in source.HOOKS}:
            self.assertIn(f"\n| `{step}` | ", GUIDE)

    def test_settings(self):
        """The row of each integration has what its module reads."""
        rows = dict(re.findall(r"(?m)^\| `(\w+)` \| [^|]* \| (.*) \|$", GUIDE))
        read = re.compile(r"(?:\.secret\(|integration\.settings\.get\(|_lookup\.setting\(\w+, \w+, )\"(\w+)\"")
        integrations = reference.ROOT / "integrations"
        shared = set(read.findall((integrations / "_aws.py").read_text(encoding="utf-8")))
        self.assertEqual(shared, {"role_arn", "region", "external_id"})
        for path in integrations.glob("[a-z]*.py"):
            names = set(read.findall(path.read_text(encoding="utf-8")))
            if path.stem in ("slack", "store", "sym"):
                self.assertEqual(names, set())  # asked of Sym Flows
                continue
            names |= shared if path.stem.startswith("aws_") else set()
            with self.subTest(path.stem):
                self.assertLessEqual(names, set(re.findall(r"`(\w+)`", rows[path.stem])))


if __name__ == "__main__":
    unittest.main()
