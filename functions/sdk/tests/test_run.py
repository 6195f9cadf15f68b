"""How handlers are found, called and answered for, in this process."""

import contextlib
import io
import json
import textwrap
import unittest

from sym.run import calls, encode, faults, source, values, wire
from sym.run.faults import Fault
from sym.sdk import testing
from sym.sdk.exceptions import SDKError
from sym.sdk.forms import PromptField, SlackUserSelection, SymPromptForm
from sym.sdk.request_destination import SlackChannelName
from sym.sdk.request_forward_context import RequestForwardContext
from sym.sdk.templates import ApprovalTemplate

IMPORTS = """\
from sym.sdk.annotations import hook, prefetch, reducer
from sym.sdk.exceptions import *
from sym.sdk.field_option import FieldOption
from sym.sdk.notifications import Notification
from sym.sdk.request_destination import *
from sym.sdk.request_permission import PermissionLevel, RequestPermission
from sym.sdk.strategies import AccessStrategy
from sym.sdk.templates import ApprovalTemplate, ApprovalTemplateStep, get_step_output
"""
FIRST = IMPORTS.count("\n") + 1  # the line after them

PERMISSIONS = """
@reducer
def get_permissions(event):
    return RequestPermission(webapp_view=PermissionLevel.MEMBER, approve_deny=PermissionLevel.ADMIN)
"""
NOTIFICATIONS = """
@reducer
def get_request_notifications(event):
    return [Notification(destinations=[SlackChannelName("#a")], timeout=60)]
"""
APPROVERS = """
@reducer
def get_approvers(event):
    return SlackChannelName("#b", allow_self=True)
"""
REQUEST = ["on_request", "get_permissions", "get_request_notifications", "get_approvers"]


def load(text, file="impl.py"):
    return source.load(IMPORTS + textwrap.dedent(text).lstrip("\n"), file)


def handle(text, event=None, names=None, services=None, **more):
    """The results of handlers by name."""
    event = event or testing.event()
    message = {"op": "handle", "handlers": names or [f"on_{event.name}"], "event": encode.event(event, **more)}
    results = calls.run(message, load(text), services or testing.FakeServices())
    return {result["handler"]: result for result in json.loads(json.dumps(list(results)))}


def fault_of(text):
    """The error, as a value, of loading a text."""
    try:
        load(text)
    except BaseException as error:  # assertRaises would take its traceback away
        return faults.value(error, "impl.py")
    raise AssertionError("it loads")


def states(results):
    return {name: result["state"] for name, result in results.items()}


def on(body, name="on_request", args="event", **more):
    """The result of a hook with a body."""
    text = f"@hook\ndef {name}({args}):\n" + textwrap.indent(textwrap.dedent(body), "    ")
    event = more.pop("event", None) or testing.event(name.split("_", 1)[1])
    return handle(text, event, [name], **more)[name]


class Loading(unittest.TestCase):
    def test_names(self):
        handlers = load("""
            from sym.sdk.templates import ApprovalTemplate as Other

            def helper(): ...

            @hook
            def after_deescalate(event): ...

            @hook
            def on_request(event): ...

            @reducer
            def get_permissions(event): ...

            @reducer
            def get_title(event): ...

            @prefetch(field_name="repo")
            def get_repos(event): ...

            def on_change_repo(username, form): ...

            class Tickets(AccessStrategy):
                def fetch_remote_identity(self, user): ...
                def escalate(self, target_id, event): ...
                def deescalate(self, target_id, event): ...
        """)
        self.assertEqual(handlers.names(), [
            "after_deescalate", "on_request", "get_permissions", "get_title", "prefetch:repo", "on_change_repo",
            "strategy:Tickets",
        ])

    def test_every_hook_and_reducer(self):
        for name in source.HOOKS:
            self.assertEqual(load(f"@hook\ndef {name}(event): ...").names(), [name])
        for name in source.REDUCERS:
            self.assertEqual(load(f"@reducer\ndef {name}(event): ...").names(), [name])
        self.assertEqual(len(source.HOOKS), 24)

    def test_faults(self):
        strategies = "class A(AccessStrategy): ...\n\nclass B(AccessStrategy): ...\n"
        cases = [
            ("@hook\ndef on_aprove(event): ...", "SDK:UNKNOWN_HANDLER", "on_approve", FIRST + 1),
            ("@reducer\ndef get_things(event): ...", "SDK:UNKNOWN_HANDLER", "", FIRST + 1),
            ("@hook\ndef get_permissions(event): ...", "SDK:UNKNOWN_HANDLER", "", FIRST + 1),
            ("def get_permissions(event): ...", "SDK:NOT_DECORATED", "@reducer", FIRST),
            ('@prefetch(field_name="a")\ndef get_a(e): ...\n@prefetch(field_name="a")\ndef get_b(e): ...',
             "SDK:TWO_HANDLERS", "one", FIRST + 3),
            (strategies, "SDK:TWO_STRATEGIES", "one", FIRST + 2),
        ]
        for text, code, hint, line in cases:
            with self.subTest(text):
                error = fault_of(text)
                self.assertEqual((error["code"], error["line"], error["file"]), (code, line, "impl.py"))
                self.assertIn(hint, error["hint"])

    def test_hooks_that_are_not_decorated(self):
        """Sym passed over them, so they are no fault; nobody should take them for rules."""
        handlers = load("x = 1\ndef on_approve(event): ...\n@hook\ndef on_deny(event): ...\ndef after_deny(event): ...\ndef on_call(): ...")
        self.assertEqual(handlers.names(), ["on_deny"])
        self.assertEqual([(fault.error_code, fault.line) for fault in handlers.warnings],
                         [("SDK:NOT_DECORATED", FIRST + 1), ("SDK:NOT_DECORATED", FIRST + 4)])
        self.assertIn("@hook", handlers.warnings[0].hint)
        with self.assertWarnsRegex(UserWarning, r"impl.py:1: on_approve is not decorated.*@hook"):
            policy = testing.Policy.of_text("def on_approve(event): return 5")
        self.assertIsNone(policy.handle(testing.event("approve")).decision)

    def test_without_import(self):
        services = testing.FakeServices()
        results = handle("""
            @hook
            def on_request(event):
                persist_user_identity(email=event.user.email, service="custom", service_id="x", user_id="a1")
            @reducer
            def get_permissions(event):
                return RequestPermission("member", user_ids([event.user]))
        """, services=services, names=["on_request", "get_permissions"])
        self.assertEqual([op for op, _ in services.asked], ["save_identity"])
        self.assertEqual(results["get_permissions"]["value"]["approve_deny"], [str(testing.user().id)])
        self.assertEqual(load("def user_ids(people): return 5\nn = user_ids([])\ndef on_change_x(u, f): return n").functions["on_change_x"](0, 0), 5)
        from sym.sdk.utils import persist_user_identity
        from sym.sdk.utils.user import persist_user_identity as same

        self.assertIs(same, persist_user_identity)

    def test_special_strategy(self):
        self.assertEqual(load("""
            class Base(AccessStrategy): ...
            class Special(Base): ...
        """).strategy.__name__, "Special")

    def test_final_methods(self):
        for method in ("__init__", "get_requester_identity"):
            with self.subTest(method):
                error = fault_of(f"class A(AccessStrategy):\n    def {method}(self): ...")
                self.assertEqual((error["code"], error["line"]), ("AccessStrategy:FINAL_METHOD", FIRST))

    def test_prefetch_needs_a_field(self):
        with self.assertRaises(TypeError):
            load("@prefetch\ndef get_repos(event): ...")
        with self.assertRaises(SDKError):
            load('@prefetch(field_name="")\ndef get_repos(event): ...')

    def test_top_level_fails(self):
        cases = [
            ("1/0", "ZeroDivisionError", FIRST),
            ("def f(:", "SyntaxError", FIRST),
            ("import nothing_like_it", "nothing_like_it", FIRST),
            ("def f():\n    raise KeyError('x')\nf()", "KeyError: 'x'", FIRST + 1),
            ("raise SystemExit", "sys.exit", FIRST),
        ]
        for text, message, line in cases:
            with self.subTest(text):
                error = fault_of(text)
                self.assertEqual((error["line"], error["file"]), (line, "impl.py"))
                self.assertIn(message, error["message"])

    def test_annotations(self):
        for future in ("", "from __future__ import annotations\n"):
            handlers = source.load(future + "from dataclasses import dataclass\n@dataclass\nclass Point:\n    x: int\n"
                                   "kind = Point.__annotations__['x']\ndef on_change_x(username, form): return kind")
            kind = handlers.functions["on_change_x"]("", None)
            self.assertEqual(kind, "int" if future else int)

    def test_decorated_stay_functions(self):
        from sym.sdk.annotations import hook, prefetch, reducer

        for decorator in (hook, reducer, prefetch(field_name="x")):
            def f():
                return 5
            self.assertIs(decorator(f), f)
            self.assertEqual(f(), 5)


class Hooks(unittest.TestCase):
    def test_values(self):
        srn = "sym:access_target:custom:db:latest"
        cases = [
            ("return None", None),
            ("pass", None),
            ('return ApprovalTemplate.approve(reason="ok", n=1)', {"event": "approve", "fields": {"reason": "ok", "n": 1}}),
            ("return ApprovalTemplate.deny()", {"event": "deny", "fields": {}}),
            (f'return ApprovalTemplate.approve(target_srn="{srn}", duration=60)',
             {"event": "approve", "fields": {}, "target_srn": srn, "duration": 60}),
            ('return ApprovalTemplate.ignore(message="no")', {"event": "ignore", "message": "no"}),
            ("return ApprovalTemplate.ignore()", {"event": "ignore", "message": None}),
        ]
        for body, value in cases:
            with self.subTest(body):
                result = on(body)
                self.assertEqual((result["state"], result.get("value")), ("returned", value), result)
                self.assertIsInstance(result["ms"], int)

    def test_wrong_results(self):
        cases = [
            ("return 5", "SDK:WRONG_RESULT", FIRST + 1),
            ("return True", "SDK:WRONG_RESULT", FIRST + 1),
            ("return 'approve'", "SDK:WRONG_RESULT", FIRST + 1),
            ("return ApprovalTemplate", "SDK:WRONG_RESULT", FIRST + 1),
            ("return ApprovalTemplate.prompt()", "SDK:WRONG_RESULT", FIRST + 1),
            ("return ApprovalTemplate.approve(when=event)", "SDK:WRONG_RESULT", FIRST + 1),
            ("return ApprovalTemplate.approve(n=float('nan'))", "SDK:WRONG_RESULT", FIRST + 1),
            ("return ApprovalTemplate.approve(text='x' * 20000)", "SDK:RESULT_TOO_LARGE", FIRST + 1),
            ("class Odd:\n    def __repr__(self): raise ValueError\nreturn Odd()", "SDK:WRONG_RESULT", FIRST + 1),
            ("return ApprovalTemplate.approve(duration=0)", "SDK:INVALID_DURATION", FIRST + 2),
            ("return ApprovalTemplate.approve(duration='1h')", "SDK:INVALID_DURATION", FIRST + 2),
            ("return ApprovalTemplate.ignore(message=5)", "SDK:INVALID_MESSAGE", FIRST + 2),
        ]
        for body, code, line in cases:
            with self.subTest(body):
                result = on(body)
                self.assertEqual(result["state"], "failed", result)
                self.assertEqual((result["error"]["code"], result["error"]["line"]), (code, line), result)
                self.assertTrue(result["error"]["message"])

    def test_what_a_run_would_refuse(self):
        """The whole table is held to internal/flow and the guide by a test in internal/sdk."""
        for name, event in [("on_deny", "approve"), ("on_request", "escalate"), ("on_escalate", "ignore"), ("on_approve", "request")]:
            with self.subTest(f"{name} returns {event}"):
                error = on(f"return ApprovalTemplate.{event}()", name)["error"]
                self.assertEqual((error["code"], error["line"]), ("SDK:WRONG_RESULT", FIRST + 1))
                self.assertIn(event, error["message"])
        self.assertIn("None, deny, ignore,", on("return ApprovalTemplate.approve()", "on_deny")["error"]["hint"])
        self.assertEqual(on("return ApprovalTemplate.ignore()", "on_deescalate")["state"], "returned")
        self.assertEqual(on("return ApprovalTemplate.approve()", "on_request_expire")["state"], "returned")
        expired = on("return ApprovalTemplate.request_expire(reason='late')", "on_request_forward", "event, context",
                     forward=RequestForwardContext([SlackChannelName("#a")], 0))
        self.assertEqual(expired["value"], {"event": "request_expire", "fields": {"reason": "late"}})

    def test_exceptions(self):
        cases = [
            ("raise ValueError('no such job')", "SDK:HANDLER_ERROR", "ValueError: no such job", FIRST + 2),
            ("raise KeyError", "SDK:HANDLER_ERROR", "KeyError", FIRST + 2),
            ("import json\njson.loads('{')", "SDK:HANDLER_ERROR", "JSONDecodeError", FIRST + 3),
            ("raise SlackError('NO_CHANNEL', 'No channel.', 'Make one.')", "Slack:NO_CHANNEL", "No channel.", FIRST + 2),
            ("raise SymException('Billing', 'LATE', 'Pay.')", "Billing:LATE", "Pay.", FIRST + 2),
            ("raise SystemExit(1)", "SDK:HANDLER_ERROR", "sys.exit", FIRST + 2),
            ("raise KeyboardInterrupt", "SDK:HANDLER_ERROR", "KeyboardInterrupt", FIRST + 2),
            ("def f(): f()\nf()", "SDK:HANDLER_ERROR", "RecursionError", FIRST + 2),
            ("raise MemoryError", "SDK:WORKER_DIED", "memory", FIRST + 2),
            ("class Bad(Exception):\n    def __str__(self): raise ValueError\nraise Bad", "SDK:HANDLER_ERROR", "Bad", FIRST + 4),
            ("SlackChannelID('x')", "Slack:INVALID_CHANNEL", "x", FIRST + 2),
        ]
        for body, code, message, line in cases:
            with self.subTest(body):
                error = on(body)["error"]
                self.assertEqual((error["code"], error["line"], error["file"]), (code, line, "impl.py"), error)
                self.assertIn(message, error["message"])
        self.assertEqual(on("raise SlackError('X', 'm', 'Make one.')")["error"]["hint"], "Make one.")
        self.assertLess(len(on("raise ValueError('x' * 100000)")["error"]["message"]), 2100)

    def test_wrong_arguments(self):
        error = on("pass", args="")["error"]
        self.assertEqual((error["code"], error["line"]), ("SDK:HANDLER_ERROR", FIRST + 1))

    def test_after_decides_nothing(self):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            result = on("return ApprovalTemplate.deny()", "after_request")
        self.assertEqual((result["state"], result["value"]), ("returned", None))
        self.assertIn("does nothing", printed.getvalue())
        self.assertEqual(on("raise ValueError", "after_request")["state"], "failed")

    def test_forward_hooks(self):
        forward = RequestForwardContext([SlackChannelName("#a"), SlackChannelName("#b")], 0, 1)
        body = """
            names = [destination.channel_name for destination in context.all_request_destinations]
            return ApprovalTemplate.approve(seen=[names, context.current_destination_index, context.next_destination_index])
        """
        value = on(body, "on_request_forward", "event, context", forward=forward)["value"]
        self.assertEqual(value["fields"]["seen"], [["#a", "#b"], 0, 1])
        last = RequestForwardContext([SlackChannelName("#a")], 0)
        result = on("assert context.next_destination_index is None", "after_request_forward", "event, context", forward=last)
        self.assertEqual(result["state"], "returned", result)


class LoopGuard(unittest.TestCase):
    def test_merged_once(self):
        value = on("""
            if "seen" not in event.payload.fields:
                return ApprovalTemplate.request(seen=True, duration=60)
            assert event.payload.fields["duration"] == 60
        """)["value"]
        self.assertEqual(value, {"event": "request", "fields": {"seen": True}, "duration": 60})

    def test_then_another(self):
        value = on("""
            if "seen" not in event.payload.fields:
                return ApprovalTemplate.request(seen=True, duration=60)
            return ApprovalTemplate.approve(reason="ok")
        """)["value"]
        self.assertEqual(value, {"event": "approve", "fields": {"seen": True, "reason": "ok"}, "duration": 60})

    def test_then_ignored(self):
        value = on("""
            if "seen" not in event.payload.fields:
                return ApprovalTemplate.request(seen=True)
            return ApprovalTemplate.ignore(message="no")
        """)["value"]
        self.assertEqual(value, {"event": "ignore", "message": "no"})

    def test_for_ever(self):
        for name in ("request", "approve", "escalate"):
            error = on(f"return ApprovalTemplate.{name}()", f"on_{name}")["error"]
            self.assertEqual((error["code"], error["line"]), ("SDK:HOOK_LOOP", FIRST + 1))

    def test_twice_at_most(self):
        self.assertEqual(on("""
            calls = globals().setdefault("calls", [])
            calls.append(1)
            if len(calls) > 2:
                raise ValueError("called again")
            return ApprovalTemplate.request()
        """)["error"]["code"], "SDK:HOOK_LOOP")

    def test_target(self):
        one, two = testing.target("one"), testing.target("two")
        event = testing.event(target=one, strategy=testing.custom_strategy(one, two))
        value = on(f"""
            if event.payload.fields["target"].name == "one":
                return ApprovalTemplate.request(target_srn="{two}")
            assert event.payload.fields["target_id"] == "{two.id}"
        """, event=event)["value"]
        self.assertEqual(value, {"event": "request", "fields": {}, "target_srn": str(two)})
        error = on('return ApprovalTemplate.request(target_srn="sym:access_target:custom:no:latest")', event=event)["error"]
        self.assertIn(str(two), error["hint"])

    def test_reducers_see_the_change(self):
        results = handle("""
            @hook
            def on_request(event):
                if event.payload.fields["reason"] == "x":
                    return ApprovalTemplate.request(reason="y")
            @reducer
            def get_approvers(event):
                return SlackChannelName(event.payload.fields["reason"])
        """, testing.event(fields={"reason": "x"}), REQUEST)
        self.assertEqual(results["get_approvers"]["value"]["name"], "y")


class Steps(unittest.TestCase):
    def test_all(self):
        results = handle("@hook\ndef on_request(event): ...\n" + PERMISSIONS + NOTIFICATIONS, names=REQUEST)
        self.assertEqual(states(results), {
            "on_request": "returned", "get_permissions": "returned", "get_request_notifications": "returned",
            "get_approvers": "absent",
        })
        self.assertEqual(results["get_permissions"]["value"], {
            "webapp_view": "member", "approve_deny": "admin", "allow_self_approval": False,
        })
        self.assertEqual(results["get_request_notifications"]["value"], [{
            "destinations": [{"kind": "slack_channel_name", "name": "#a", "allow_self": False, "timeout": None}],
            "timeout": 60,
        }])

    def test_approvers_only_where_needed(self):
        for text, state in [
            (APPROVERS, "returned"),
            (APPROVERS + PERMISSIONS, "returned"),
            (APPROVERS + NOTIFICATIONS, "returned"),
            (APPROVERS + PERMISSIONS + NOTIFICATIONS, "skipped"),
        ]:
            self.assertEqual(handle(text, names=REQUEST)["get_approvers"]["state"], state)

    def test_rest_is_skipped(self):
        rest = PERMISSIONS + NOTIFICATIONS
        for body, state in [("raise ValueError", "failed"), ("return ApprovalTemplate.ignore()", "returned"), ("return 5", "failed")]:
            with self.subTest(body):
                results = handle(f"@hook\ndef on_request(event):\n    {body}\n" + rest, names=REQUEST)
                self.assertEqual(list(states(results).values()), [state, "skipped", "skipped", "absent"])
        for body in ("return ApprovalTemplate.approve()", "return ApprovalTemplate.deny()", "return"):
            results = handle(f"@hook\ndef on_request(event):\n    {body}\n" + rest, names=REQUEST)
            self.assertEqual(list(states(results).values()), ["returned", "returned", "returned", "absent"])

    def test_reducers_are_independent(self):
        results = handle("@reducer\ndef get_permissions(event): 1/0\n" + NOTIFICATIONS, names=REQUEST)
        self.assertEqual(list(states(results).values()), ["absent", "failed", "returned", "absent"])

    def test_wrong_reducers(self):
        cases = [
            ("get_permissions", "return None"),
            ("get_permissions", "return 'admin'"),
            ("get_request_notifications", "return []"),
            ("get_request_notifications", "return None"),
            ("get_request_notifications", "return [SlackChannelName('#a')]"),
            ("get_request_notifications", "return Notification([SlackChannelName('#a')])"),
            ("get_approvers", "return None"),
            ("get_approvers", "return '#a'"),
            ("get_approvers", "return [SlackChannelName('#a')]"),
        ]
        for name, body in cases:
            with self.subTest(f"{name}: {body}"):
                error = handle(f"@reducer\ndef {name}(event):\n    {body}", names=REQUEST)[name]["error"]
                self.assertEqual((error["code"], error["line"]), ("SDK:WRONG_RESULT", FIRST + 1))

    def test_approvers(self):
        alice = testing.user("a@example.com")
        b = {"kind": "slack_channel_name", "name": "#b", "allow_self": False, "timeout": 15}
        c = {"kind": "slack_user", "id": "U1", "allow_self": False, "timeout": None}
        cases = [
            ("event.user", {"kind": "user", "id": str(alice.id), "email": "a@example.com"}),
            ("SlackChannelName('#b', timeout=15)", b),
            ("RequestDestinationFallback([SlackChannelName('#b', timeout=15), SlackUser('U1')], continue_on_timeout=True)",
             {"kind": "fallback", "destinations": [b, c], "continue_on_delivery_failure": True, "continue_on_timeout": True}),
        ]
        for text, value in cases:
            with self.subTest(text):
                results = handle(f"@reducer\ndef get_approvers(event):\n    return {text}", testing.event(user=alice), REQUEST)
                self.assertEqual(results["get_approvers"]["value"], value)

    def test_user_lists(self):
        ids = handle(
            "@reducer\ndef get_permissions(event):\n    return RequestPermission([event.user.id], [event.user.id], True)", names=REQUEST
        )["get_permissions"]["value"]
        alice = str(testing.user().id)
        self.assertEqual(ids, {"webapp_view": [alice], "approve_deny": [alice], "allow_self_approval": True})


class Events(unittest.TestCase):
    def test_actors(self):
        bob, alice = testing.user("b@example.com"), testing.user("a@example.com")
        event = testing.event("approve", user=bob, requester=alice)
        self.assertEqual(event.get_actor("request"), alice)
        self.assertEqual(event.get_actor("approve"), bob)
        with self.assertRaises(SDKError) as caught:
            event.get_actor("escalate")
        self.assertIn("request", caught.exception.hint)

    def test_context(self):
        self.assertEqual(testing.event(context={"a": 1}).get_context("request"), {"a": 1})
        self.assertEqual(testing.event().get_context("request"), {})

    def test_step_output(self):
        text = """
            value = [get_step_output(), get_step_output("escalate"), get_step_output(ApprovalTemplateStep.ESCALATE)]
            return ApprovalTemplate.deescalate(value=value)
        """
        outputs = {"escalate": {"body": {"user": "u1"}, "errors": []}, "deescalate": {"x": 1}}
        with self.subTest("of the step itself"):
            body = "if 'value' not in event.payload.fields: return ApprovalTemplate.escalate(value=get_step_output())"
            fields = on(body, "on_escalate", step_outputs=outputs)["value"]["fields"]
            self.assertEqual(fields["value"], outputs["escalate"])
        value = on(text.replace("ApprovalTemplate.deescalate(", "ApprovalTemplate.ignore(message=str(value)) or dict("), "on_deescalate",
                   step_outputs=outputs)["value"]
        self.assertEqual(value["message"], str([outputs["deescalate"], outputs["escalate"], outputs["escalate"]]))
        self.assertEqual(on("assert get_step_output('escalate') == {}")["state"], "returned")
        self.assertEqual(on("get_step_output('revoke')")["error"]["code"], "SDK:UNKNOWN_STEP")

    def test_round_trip(self):
        one = testing.target("one", group="g")
        event = testing.event(
            "approve", user=testing.user("b@example.com", role="admin", identities={"okta": "1"}), requester=testing.user(),
            target=one, fields={"duration": 60}, vars={"a": "b"}, context={"c": 1},
            integrations={"github": testing.integration("github", external_id="org", secrets=["api_token_secret"], url="x")},
        )
        encoded = encode.event(event)
        self.assertEqual(encode.event(wire.event(json.loads(json.dumps(encoded)))), encoded)

    def test_agents(self):
        owner = testing.user("bob@example.com", identities={"okta": "1"})
        agent = testing.agent("helper", owner=owner, purpose="<!channel> order 42")
        for name, caused in (("request", agent.user), ("approve", testing.user())):
            encoded = encode.event(testing.event(name, agent=agent))
            event = wire.event(json.loads(json.dumps(encoded)))
            self.assertEqual(encode.event(event), encoded)
            self.assertEqual(event.user, caused)
            self.assertEqual((event.user.is_agent, event.user.type.value == "bot"), (name == "request",) * 2)
            self.assertEqual((event.run.agent.user.name, event.run.agent.user.is_agent), ("helper", True))
            self.assertEqual((event.run.agent.owner, event.run.agent.owner.is_agent), (owner, False))
            self.assertEqual(event.run.agent.owner.identity("okta").user_id, "1")
            self.assertEqual(event.run.agent.purpose, "<!channel> order 42")
        self.assertEqual(event.get_actor("request"), owner)
        self.assertNotEqual(testing.agent("helper").user, agent.user)  # of another owner
        bot = wire.event(encode.event(testing.event(user=testing.user("ci", type="bot"))))
        self.assertEqual((bot.run.agent, bot.user.is_agent), (None, False))

    def test_agents_are_told_apart(self):
        rule = """
            agent = event.run.agent
            if agent and event.user.is_agent and agent.owner.email != "lead@example.com":
                return ApprovalTemplate.deny(reason=f"Not for {agent.user.name}, which wants to {agent.purpose}")
        """
        agent = testing.agent("helper", purpose="look")
        self.assertEqual(on(rule, event=testing.event(agent=agent))["value"]["fields"], {"reason": "Not for helper, which wants to look"})
        for other in (testing.agent(owner=testing.user("lead@example.com")), None):
            self.assertIsNone(on(rule, event=testing.event(agent=other))["value"])

    def test_unknown_and_missing_fields(self):
        least = {"name": "request", "user": {"id": str(testing.user().id), "email": "a@example.com"}, "flow": {"name": "f"}}
        event = wire.event({**least, "novel": 1, "user": {**least["user"], "novel": 1}})
        self.assertEqual((event.payload.fields, event.flow.vars, event.channel.type), ({}, {}, "internal"))
        self.assertIsNone(event.run.source_channel)
        self.assertIsNone(event.flow.strategy)

    def test_moments(self):
        for text in ("2024-01-01T00:00:00Z", "2024-01-01T01:00:00.123456789+01:00", "2024-01-01T00:00:00"):
            self.assertEqual(wire.moment(text).replace(microsecond=0).timestamp(), 1704067200)

    def test_what_handlers_change_stays_theirs(self):
        result = handle("""
            @hook
            def on_request(event):
                event.payload.fields["reason"] = "changed"
                event.flow.vars.clear()
                assert event.flow.vars == {"a": "b"}
            @reducer
            def get_approvers(event):
                return SlackChannelName(event.payload.fields["reason"])
        """, testing.event(fields={"reason": "x"}, vars={"a": "b"}), REQUEST)
        self.assertEqual(result["get_approvers"]["value"]["name"], "x")

    def test_event_count_through_services(self):
        services = testing.FakeServices(event_counts={"prompt": 1})
        value = on("return ApprovalTemplate.approve(n=event.user.get_event_count('prompt'))", services=services)["value"]
        self.assertEqual(value["fields"], {"n": 1})


class OtherOps(unittest.TestCase):
    def run_one(self, text, message, services=None):
        [result] = calls.run(message, load(text), services or testing.FakeServices())
        return json.loads(json.dumps(result))

    def prefetch(self, body):
        text = f'@prefetch(field_name="repo")\ndef get_repos(event):\n    {body}'
        return self.run_one(text, {"op": "prefetch", "field": "repo", "event": encode.event(testing.event())})

    def test_prefetch(self):
        result = self.prefetch('return [FieldOption(value="a", label="A"), FieldOption(value=5, label="five")]')
        self.assertEqual(result["handler"], "prefetch:repo")
        self.assertEqual(result["value"], [{"value": "a", "label": "A"}, {"value": 5, "label": "five"}])
        self.assertEqual(len(self.prefetch('return [FieldOption("v" * 55, "ü" * 55)] * 1000')["value"]), 1000)
        for body, code in [
            ('return [FieldOption("a", "A")] * 1001', "SDK:TOO_MANY_OPTIONS"),
            ('return [FieldOption("v" * 56, "A")]', "SDK:INVALID_OPTION"),
            ('return ["a"]', "SDK:WRONG_RESULT"),
            ("return None", "SDK:WRONG_RESULT"),
        ]:
            with self.subTest(body):
                self.assertEqual(self.prefetch(body)["error"]["code"], code)
        absent = self.run_one("", {"op": "prefetch", "field": "repo", "event": encode.event(testing.event())})
        self.assertEqual(absent, {"handler": "prefetch:repo", "state": "absent"})

    def test_on_change(self):
        long = "x" * 80  # labels of targets may be longer than handlers' own options
        form = {"fields": [
            {"name": "target-id", "type": "string", "value": "t1", "label": "Target",
             "current_allowed_values": [{"value": "t1", "label": long}], "original_allowed_values": ["t1"]},
            {"name": "customer", "type": "slack_user", "value": "U1", "visible": False, "required": False},
            {"name": "people", "type": "slack_user_list", "value": ["U1", {"user_id": "U2", "username": "b@example.com"}]},
        ], "flow_vars": {"prod": "t1"}}
        result = self.run_one("""
            def on_change_target_id(username, form):
                assert username == "alice@example.com"
                assert form.fields["people"].value[1].username == "b@example.com"
                form.fields["customer"].visible = form.fields["target-id"].value == form.flow_vars["prod"]
                form.additional_header_text = "Careful"
                return form
        """, {"op": "on_change", "field": "target-id", "username": "alice@example.com", "form": form})
        self.assertEqual((result["state"], result["handler"]), ("returned", "on_change_target_id"), result)
        target, customer, people = result["value"]["fields"]
        self.assertEqual(target, {
            "name": "target-id", "type": "string", "value": "t1", "label": "Target", "required": True, "visible": True,
            "current_allowed_values": [{"value": "t1", "label": long}],
            "original_allowed_values": [{"value": "t1", "label": "t1"}],
        })
        self.assertEqual((customer["visible"], customer["required"], customer["value"]), (True, False, "U1"))
        self.assertEqual(people["value"], ["U1", "U2"])
        self.assertEqual(result["value"]["additional_header_text"], "Careful")
        result = self.run_one("def on_change_a(username, form): ...", {"op": "on_change", "field": "a", "username": "a", "form": {}})
        self.assertEqual(result["error"]["code"], "SDK:WRONG_RESULT")

    def test_identity(self):
        event = testing.event()
        message = {"op": "identity", "handler": "get_identity", "service": "okta", "external_id": "x.okta.com",
                   "user": encode.user(testing.user("b@example.com")), "event": encode.event(event)}
        text = "@reducer\ndef get_identity(event, service_type, external_id, user):\n    return "
        self.assertEqual(self.run_one(text + "f'{service_type} {external_id} {user.email}'", message)["value"],
                         "okta x.okta.com b@example.com")
        unnamed = {k: v for k, v in message.items() if k != "external_id"}  # a strategy without an integration
        self.assertEqual(self.run_one(text + "f'{service_type} {external_id!r}'", unnamed)["value"], "okta ''")
        self.assertIsNone(self.run_one(text + "None", message)["value"])
        self.assertEqual(self.run_one(text + "5", message)["error"]["code"], "SDK:WRONG_RESULT")
        self.assertEqual(self.run_one(text + "5", {**message, "handler": "get_identity_lookup"})["state"], "absent")

    def test_flows(self):
        flows = [{"name": name, "srn": f"sym:flow:{name}:1.0.0"} for name in ("a", "b")]
        message = {"op": "flows", "handler": "get_flows", "user": encode.user(testing.user()), "flows": flows, "vars": {"hide": "a"}}
        text = "@reducer\ndef get_flows(user, flows, flows_filter_vars):\n    return "
        self.assertEqual(self.run_one(text + "[f for f in flows if f.name != flows_filter_vars['hide']]", message)["value"], ["b"])
        self.assertEqual(self.run_one(text + "[]", message)["value"], [])
        for bad in ("None", "['a']", "[user]"):
            self.assertEqual(self.run_one(text + bad, message)["error"]["code"], "SDK:WRONG_RESULT")

    def test_describe(self):
        self.assertEqual(list(calls.run({"op": "describe"}, load(""))), [])

    def test_bad_messages(self):
        event = encode.event(testing.event())
        for message in (
            {"op": "dance"},
            {"op": "handle", "handlers": ["on_request"]},
            {"op": "handle", "handlers": ["get_identity"], "event": event},
            {"op": "handle", "event": event},
            {"op": "handle", "handlers": ["on_request"], "event": {"name": "request"}},
            {"op": "handle", "handlers": ["on_request"], "event": {**event, "timestamp": "noon"}},
            {"op": "strategy", "method": "dance", "event": event},
            {"op": "strategy", "method": "escalate", "event": event},
            {"op": "identity", "handler": "on_request", "event": event},
            {"op": "prefetch", "event": event},
            {"op": "on_change", "field": "a"},
            {"op": "flows"},
        ):
            with self.subTest(message), self.assertRaises(Fault) as caught:
                list(calls.run(message, load("")))
            self.assertEqual(caught.exception.error_code, "SDK:BAD_MESSAGE")


class Strategies(unittest.TestCase):
    TEXT = """
        class Tickets(AccessStrategy):
            def fetch_remote_identity(self, user):
                return self.integration.settings.get(user.email)

            def escalate(self, target_id, event):
                return {"who": self.get_requester_identity(event), "target": target_id, "name": event.payload.fields["target"].name}

            def deescalate(self, target_id, event):
                return {"was": get_step_output(ApprovalTemplateStep.ESCALATE)["who"]}
    """

    def call(self, method, services=None, identities=(), text=TEXT, outputs=None, settings=None):
        target = testing.target("db")
        integration = testing.integration("custom", external_id="tickets", **(settings or {}))
        event = testing.event(
            "escalate" if method != "deescalate" else method, user=testing.user("b@example.com"),
            requester=testing.user(identities=identities), target=target,
            strategy=testing.custom_strategy(target, integration=integration),
        )
        message = {"op": "strategy", "method": method, "target_id": target.id, "user": encode.user(event.get_actor("request")),
                   "event": encode.event(event, outputs)}
        [result] = calls.run(message, load(text), services or testing.FakeServices())
        return result

    def test_stored_identity_first(self):
        from sym.sdk.user import UserIdentity

        services = testing.FakeServices()
        stored = [UserIdentity("custom", "other", "no"), UserIdentity("custom", "tickets", "alice1")]
        result = self.call("escalate", services, stored, settings={"alice@example.com": "fetched"})
        self.assertEqual(result["value"], {"who": "alice1", "target": testing.target("db").id, "name": "db"})
        self.assertEqual((services.asked, result["handler"]), ([], "strategy:Tickets"))

    def test_fetched_identity_is_saved(self):
        services = testing.FakeServices()
        result = self.call("escalate", services, settings={"alice@example.com": "alice2"})
        self.assertEqual(result["value"]["who"], "alice2")
        self.assertEqual(services.asked, [("save_identity", {
            "email": "alice@example.com", "service": "custom", "service_id": "tickets", "user_id": "alice2",
        })])

    def test_nobody(self):
        self.assertEqual(self.call("escalate")["error"]["code"], "Identity:NOT_FOUND")
        self.assertEqual(self.call("escalate", settings={"alice@example.com": 5})["error"]["code"], "AccessStrategy:INVALID_IDENTITY")

    def test_fetch(self):
        self.assertEqual(self.call("fetch_remote_identity", settings={"alice@example.com": "alice2"})["value"], "alice2")
        self.assertIsNone(self.call("fetch_remote_identity")["value"])

    def test_deescalate_finds_output(self):
        self.assertEqual(self.call("deescalate", outputs={"escalate": {"who": "alice1"}})["value"], {"was": "alice1"})

    def test_wrong_results(self):
        for returned, code in [("[1]", "SDK:WRONG_RESULT"), ("{'a': event}", "SDK:WRONG_RESULT"), ("{'a': 'x' * 20000}", "SDK:RESULT_TOO_LARGE")]:
            text = f"""
                class A(AccessStrategy):
                    def fetch_remote_identity(self, user): ...
                    def escalate(self, target_id, event): return {returned}
                    def deescalate(self, target_id, event): ...
            """
            self.assertEqual(self.call("escalate", text=text)["error"]["code"], code)
            self.assertEqual(self.call("deescalate", text=text)["value"], None)

    def test_unfinished(self):
        error = self.call("escalate", text="class A(AccessStrategy):\n    def escalate(self, target_id, event): ...")["error"]
        self.assertEqual((error["code"], error["line"]), ("SDK:HANDLER_ERROR", FIRST))
        self.assertIn("deescalate", error["message"])

    def test_absent(self):
        self.assertEqual(self.call("escalate", text=""), {"handler": "strategy", "state": "absent"})


class Values(unittest.TestCase):
    def test_limits(self):
        self.assertEqual((values.MAX_RESULT, values.MAX_LIST, values.MAX_OPTIONS), (16384, 262144, 1000))
        self.assertEqual(values.size("x", "a" * (values.MAX_RESULT - 2), values.MAX_RESULT), "a" * (values.MAX_RESULT - 2))
        with self.assertRaises(Fault):
            values.size("x", "a" * (values.MAX_RESULT - 1), values.MAX_RESULT)

    def test_selection(self):
        form = SymPromptForm(fields={"a": PromptField(name="a", type="slack_user", value=SlackUserSelection("U1", "b"))})
        self.assertEqual(values.form("f", form)["fields"][0]["value"], "U1")

    def test_templates(self):
        self.assertEqual(ApprovalTemplate.approve(target_srn=testing.target("db").srn).target_srn, str(testing.target("db")))
