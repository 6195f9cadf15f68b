"""sym.sdk.testing, as customers use it."""

import tempfile
import types
import unittest
from pathlib import Path
from unittest import mock

from sym.sdk import testing
from sym.sdk.exceptions import SymIntegrationError
from sym.sdk.flow import Flow
from sym.sdk.forms import PromptField, SymPromptForm
from sym.sdk.integrations import aws_lambda, pagerduty, slack, store, sym
from sym.sdk.user import UserIdentity

IMPL = """\
from sym.sdk.annotations import hook, prefetch, reducer
from sym.sdk.field_option import FieldOption
from sym.sdk.integrations import aws_lambda, pagerduty, slack, store
from sym.sdk.notifications import Notification
from sym.sdk.request_permission import PermissionLevel, RequestPermission
from sym.sdk.templates import ApprovalTemplate


@reducer
def get_permissions(event):
    return RequestPermission(webapp_view=PermissionLevel.ADMIN, approve_deny=PermissionLevel.MEMBER)


@reducer
def get_request_notifications(event):
    return [Notification(destinations=[slack.channel(event.flow.vars["channel"])], timeout=1800)]


@hook
def on_request(event):
    if event.payload.fields["reason"] == "?":
        return ApprovalTemplate.ignore(message="Please say why.")
    if pagerduty.is_on_call(event.user):
        return ApprovalTemplate.approve(reason="On call")


@hook
def after_request(event):
    slack.send_message(slack.channel("#log"), f"{event.user.email} asks")
    if event.user.get_event_count("request") == 1:
        store.put("first", event.user.email)


@hook
def on_approve(event):
    raise RuntimeError("The job is gone.")


@prefetch(field_name="repo")
def get_repos(event):
    return [FieldOption(value="api", label="API")]


@reducer
def get_identity(event, service_type, external_id, user):
    return user.email.split("@")[0]


@reducer
def get_flows(user, flows, flows_filter_vars):
    return flows if user.role == "admin" else flows[:1]


def on_change_repo(username, form):
    form.fields["branch"].visible = form.fields["repo"].value == "api"
    return form


def helper(event):
    return event.user.get_event_count("request")
"""


class Policies(unittest.TestCase):
    policy = testing.Policy.of_text(IMPL)

    def event(self, name="request", **fields):
        return testing.event(name, fields={"reason": "Disk full", **fields}, vars={"channel": "#access"})

    def test_decisions(self):
        with mock.patch("sym.sdk.integrations.pagerduty.is_on_call", return_value=True):
            on_call = self.policy.handle(self.event())
        self.assertEqual((on_call.decision, on_call.reason, on_call.fields), ("approve", "On call", {"reason": "On call"}))
        with mock.patch("sym.sdk.integrations.pagerduty.is_on_call", return_value=False):
            asleep = self.policy.handle(self.event())
        self.assertEqual((asleep.decision, asleep.reason, asleep.message), (None, None, None))
        self.assertEqual(asleep.permissions["approve_deny"], "member")
        [notification] = asleep.notifications
        self.assertEqual((notification["destinations"][0]["name"], notification["timeout"]), ("#access", 1800))
        self.assertIsNone(asleep.approvers)

    def test_ignored(self):
        outcome = self.policy.handle(self.event(reason="?"))
        self.assertEqual((outcome.decision, outcome.message), ("ignore", "Please say why."))
        self.assertEqual((outcome.permissions, outcome.notifications), (None, []))

    def test_services(self):
        services = testing.FakeServices(event_counts={"request": 1})
        self.policy.after(self.event(), services)
        [(destination, text)] = services.messages
        self.assertEqual((destination["name"], text), ("#log", "alice@example.com asks"))
        self.assertEqual(services.store, {"first": "alice@example.com"})

    def test_failures(self):
        with self.assertRaises(testing.HandlerFailed) as caught:
            self.policy.handle(self.event("approve"))
        error = caught.exception
        self.assertEqual((error.handler, error.error_code), ("on_approve", "SDK:HANDLER_ERROR"))
        self.assertEqual(IMPL.splitlines()[error.line - 1].strip(), 'raise RuntimeError("The job is gone.")')
        self.assertIn("The job is gone.", str(error))

    def test_other_handlers(self):
        self.assertEqual(self.policy.prefetch("repo", self.event()), [{"value": "api", "label": "API"}])
        form = SymPromptForm(fields={
            "repo": PromptField(name="repo", type="string", value="api"),
            "branch": PromptField(name="branch", type="string", visible=False),
        })
        self.assertTrue(self.policy.on_change("repo", form).fields["branch"].visible)
        self.assertFalse(form.fields["branch"].visible)
        self.assertEqual(self.policy.get_identity(self.event(), "okta", "x.okta.com"), "alice")
        flows = [Flow(srn=f"sym:flow:{name}:1.0.0") for name in ("a", "b")]
        self.assertEqual(self.policy.get_flows(testing.user(), flows), ["a"])
        self.assertEqual(self.policy.get_flows(testing.user(role="admin"), flows), ["a", "b"])
        with self.assertRaises(testing.HandlerFailed) as caught:
            self.policy.prefetch("branch", self.event())
        self.assertEqual(caught.exception.error_code, "SDK:NO_HANDLER")

    def test_sources(self):
        names = self.policy.handlers
        self.assertIn("prefetch:repo", names)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "impl.py")
            path.write_text(IMPL, encoding="utf-8")
            self.assertEqual(testing.Policy.of_file(path).handlers, names)
        module = types.ModuleType("impl")
        module.__file__ = "impl.py"
        exec(compile(IMPL, "impl.py", "exec"), vars(module))
        policy = testing.Policy.of_module(module)
        self.assertEqual(policy.handlers, names)
        with self.assertRaises(testing.HandlerFailed) as caught:
            policy.handle(self.event("approve"))
        self.assertEqual(caught.exception.line, IMPL.splitlines().index('    raise RuntimeError("The job is gone.")') + 1)

    def test_running(self):
        module = types.ModuleType("impl")
        exec(IMPL, vars(module))
        with testing.running(self.event(), testing.FakeServices(event_counts={"request": 4})):
            self.assertEqual(module.helper(self.event()), 4)
        with testing.running(self.event()) as services:
            self.assertEqual(module.helper(self.event()), 0)
        self.assertEqual(services.asked[0][0], "event_count")


class Strategies(unittest.TestCase):
    policy = testing.Policy.of_text("""\
from sym.sdk.strategies import AccessStrategy
from sym.sdk.templates import ApprovalTemplateStep, get_step_output

class Tickets(AccessStrategy):
    def fetch_remote_identity(self, user):
        return self.integration.settings["secrets"][0].retrieve_value() + user.email

    def escalate(self, target_id, event):
        return {"grant": self.get_requester_identity(event)}

    def deescalate(self, target_id, event):
        return {"was": get_step_output(ApprovalTemplateStep.ESCALATE)["grant"]}
""")

    def test_round(self):
        integration = testing.integration("custom", external_id="tickets", secrets=["key"])
        target = testing.target("db")
        strategy = testing.custom_strategy(target, integration=integration)
        services = testing.FakeServices(secrets={"key": "k-"})
        event = testing.event("escalate", target=target, strategy=strategy)
        output = self.policy.escalate(event, services)
        self.assertEqual(output, {"grant": "k-alice@example.com"})
        self.assertIn("save_identity", [op for op, _ in services.asked])
        event = testing.event("deescalate", target=target, strategy=strategy)
        self.assertEqual(self.policy.deescalate(event, step_outputs={"escalate": output}), {"was": "k-alice@example.com"})
        self.assertEqual(self.policy.fetch_remote_identity(testing.user(), strategy, services), "k-alice@example.com")


class Fakes(unittest.TestCase):
    def test_store(self):
        with testing.running(testing.event(), testing.FakeServices(store={"a": 1})) as services:
            self.assertEqual(store.fetch("a"), 1)
            store.put("b", {"c": 2})
            self.assertEqual(services.store, {"a": 1, "b": {"c": 2}})
            store.put("a", 3, shared=True)
            store.put("d", 4, shared=True)
            self.assertEqual((store.fetch("a"), store.fetch("d")), (1, 4))
            self.assertEqual((services.store, services.shared_store), ({"a": 1, "b": {"c": 2}}, {"a": 3, "d": 4}))

    def test_users(self):
        bob = testing.user("bob@example.com", role="admin")
        with testing.running(testing.event(), testing.FakeServices(users=[bob])):
            self.assertEqual(sym.get_or_create_user_by_email("bob@example.com").role, "admin")
            self.assertEqual(sym.get_or_create_user_by_email("new@example.com").role, "member")
            self.assertEqual([u.email for u in sym.get_or_create_users_by_emails(["bob@example.com", "new@example.com"])],
                             ["bob@example.com", "new@example.com"])

    def test_users_by_identities(self):
        bob = testing.user("bob@example.com", identities=[UserIdentity("github", "acme", "bob")])
        services = testing.FakeServices(users=[bob, testing.user()])
        ask = {"service": "github", "service_id": "acme", "user_ids": ["bob", "nobody"]}
        self.assertEqual([one["email"] for one in services.ask("users_by_identities", **ask)], ["bob@example.com"])
        self.assertEqual(services.ask("users_by_identities", **{**ask, "service_id": "other"}), [])

    def test_lambdas(self):
        arn = "arn:aws:lambda:us-east-1:123456789012:function:report"
        other = arn + "2"
        with testing.running(testing.event(), testing.FakeServices(lambdas={arn: {"rows": 5}, other: lambda payload: payload})):
            self.assertEqual(aws_lambda.invoke(arn, {"table": "orders"}), {"rows": 5})
            self.assertEqual(aws_lambda.invoke(other, {"table": "orders"}), {"table": "orders"})
            self.assertIs(aws_lambda.invoke_async(arn), True)

    def test_answers(self):
        services = testing.FakeServices(answers={"store_get": lambda path: path.upper(), "store_put": SymIntegrationError("FULL", "m")})
        with testing.running(testing.event(), services):
            self.assertEqual(store.fetch("a"), "A")
            with self.assertRaises(SymIntegrationError):
                store.put("a", 1)
            with self.assertRaises(SymIntegrationError) as caught:
                services.ask("dance")
        self.assertIn("dance", caught.exception.hint)

    def test_messages(self):
        with testing.running(testing.event()) as services:
            slack.send_message(slack.channel("#a"), "one")
            slack.send_thread_message("two")
        self.assertEqual([(to and to["name"], text) for to, text in services.messages], [("#a", "one"), (None, "two")])

    def test_says_what_is_missing(self):
        with testing.running(testing.event()) as services:
            for op, args in [("secret", {"path": "p"}), ("invoke", {"arn": "a"})]:
                with self.assertRaises(SymIntegrationError) as caught:
                    services.ask(op, **args)
                self.assertEqual(caught.exception.error_code, "SymIntegration:NO_FAKE")

    def test_patching(self):
        with mock.patch("sym.sdk.integrations.pagerduty.is_on_call", return_value=True):
            self.assertTrue(pagerduty.is_on_call(testing.user()))
