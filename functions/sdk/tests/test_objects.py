"""Exceptions, names, users, permissions, notifications, options, forms, secrets."""

import json
import unittest
import uuid
from datetime import datetime, timedelta, timezone

from sym.sdk import exceptions, testing
from sym.sdk.exceptions import ExceptionWithHint, IdentityNotFound, SDKError, SlackError, SymException
from sym.sdk.field_option import FieldOption
from sym.sdk.forms import FieldType, PromptField, SlackUserSelection, SymPromptForm
from sym.sdk.notifications import Notification
from sym.sdk.request_destination import (
    RequestDestination,
    RequestDestinationFallback,
    SlackChannelID,
    SlackChannelName,
    SlackUser,
    SlackUserGroup,
    from_wire,
    to_wire,
)
from sym.sdk.request_permission import PermissionLevel, RequestPermission, user_ids
from sym.sdk.resource import SRN, InvalidSlugError, InvalidSRNError, MultipleErrors, TrailingSeparatorError
from sym.sdk.secret import pick
from sym.sdk.templates import ApprovalTemplateStep
from sym.sdk.user import User, UserIdentity
from sym.sdk.utils import persist_user_identity


class Exceptions(unittest.TestCase):
    def test_code(self):
        error = SymException("Tickets", "NOT_FOUND", "No such ticket.")
        self.assertEqual(error.error_code, "Tickets:NOT_FOUND")
        self.assertEqual(error.to_dict(), {"error": True, "message": "No such ticket.", "code": "Tickets:NOT_FOUND"})
        self.assertEqual((str(error), error.hint), ("No such ticket.", ""))

    def test_hint(self):
        error = ExceptionWithHint("Tickets", "NOT_FOUND", "No such ticket.", "Open one.")
        self.assertEqual(error.to_dict()["hint"], "Open one.")
        self.assertEqual(str(error), "No such ticket. Open one.")
        self.assertNotIn("hint", ExceptionWithHint("A", "B", "c").to_dict())

    def test_from_code(self):
        for kind in exceptions.ServiceException.__subclasses__():
            with self.subTest(kind.__name__):
                error = exceptions.from_code(f"{kind.service}:SOMETHING", "m", "h")
                self.assertIs(type(error), kind)
                self.assertEqual((error.error_code, error.message, error.hint), (f"{kind.service}:SOMETHING", "m", "h"))
        for code in ("Billing:LATE", "nonsense", ""):
            self.assertIs(type(exceptions.from_code(code, "m")), ExceptionWithHint)

    def test_services_differ(self):
        services = [kind.service for kind in exceptions.ServiceException.__subclasses__()]
        self.assertEqual(len(services), len(set(services)))

    def test_identity_not_found(self):
        error = IdentityNotFound("alice@example.com", "okta", "example.okta.com")
        self.assertEqual(error.error_code, "Identity:NOT_FOUND")
        self.assertIn("alice@example.com", error.message)
        self.assertIn("persist_user_identity", error.hint)


class SRNs(unittest.TestCase):
    def test_good(self):
        cases = {
            "sym:flow:prod-access:latest": ("sym", "flow", None, "prod-access", "latest", None),
            "sym:flow:prod_access:1.0.123456": ("sym", "flow", None, "prod_access", "1.0.123456", None),
            "org:run:flow:2.0.0:1f2e": ("org", "run", None, "flow", "2.0.0", "1f2e"),
            "org:user:normal:1f2e:latest": ("org", "user", "normal", "1f2e", "latest", None),
            "o:integration:slack:main:999.999.999:x": ("o", "integration", "slack", "main", "999.999.999", "x"),
        }
        for raw, (organization, model, type, slug, version, identifier) in cases.items():
            with self.subTest(raw):
                srn = SRN.parse(raw)
                self.assertEqual(srn, SRN(organization, model, slug, version, type, identifier))
                self.assertEqual(str(srn), raw)

    def test_typed_models(self):
        for model in ("access_strategy", "access_target", "user", "secret", "secrets", "integration", "log_destination"):
            self.assertEqual(SRN.parse(f"sym:{model}:kind:name:1.0.0").type, "kind")
            with self.assertRaises(InvalidSRNError):
                SRN.parse(f"sym:{model}:name:1.0.0")

    def test_bad(self):
        cases = {
            "": InvalidSRNError,
            "sym:flow": InvalidSRNError,
            "sym:flow:a:1.0": InvalidSRNError,
            "sym:flow:a:1.0.0.0": InvalidSRNError,
            "sym:flow:a:1000.0.0": InvalidSRNError,
            "sym:flow:a:newest": InvalidSRNError,
            "sym:flow:a:1.0.0:b:c": InvalidSRNError,
            "sym:flow:a b:1.0.0": InvalidSlugError,
            "sym:flow::1.0.0": InvalidSlugError,
            "sym:flow:a:1.0.0\n": InvalidSRNError,
            "sym:flow:a:1.0.0:": TrailingSeparatorError,
            "s m:fl ow:a:1.0.0": MultipleErrors,
        }
        for raw, kind in cases.items():
            with self.subTest(raw), self.assertRaises(InvalidSRNError) as caught:
                SRN.parse(raw)
            self.assertIs(type(caught.exception), kind, raw)
            self.assertEqual(caught.exception.error_code, "SRN:INVALID_SRN")


class Users(unittest.TestCase):
    def test_equality(self):
        self.assertEqual(testing.user("a@example.com"), testing.user("A@example.com"))
        self.assertNotEqual(testing.user("a@example.com"), testing.user("b@example.com"))
        self.assertEqual(len({testing.user("a@example.com"), testing.user("a@example.com")}), 1)

    def test_identity(self):
        first, second = UserIdentity("okta", "one.okta.com", "1"), UserIdentity("okta", "two.okta.com", "2")
        alice = testing.user(identities=[first, second])
        self.assertEqual(alice.identity("okta"), first)
        self.assertEqual(alice.identity("okta", "two.okta.com"), second)
        self.assertIsNone(alice.identity("okta", "three.okta.com"))
        self.assertIsNone(alice.identity("slack"))

    def test_name(self):
        id = uuid.uuid4()
        self.assertEqual(User(id=id, email="a@example.com").name, "a@example.com")
        self.assertEqual(User(id=id, email="a@example.com", first_name="A", last_name="B").name, "A B")
        self.assertEqual(User(id=id, email="a@example.com", first_name="A", name="Ab").name, "Ab")

    def test_event_count(self):
        services = testing.FakeServices(event_counts={"request": 7})
        alice = testing.user()
        since = datetime(2024, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
        with testing.running(testing.event(), services):
            count = alice.get_event_count("request", since, datetime(2024, 1, 2), "target", include_errored=True)
            alice.get_event_count(ApprovalTemplateStep.DENY, since=timedelta(days=1))
            for bad in ({"event_name": "ignore"}, {"event_name": "request", "filter_on": "run"}):
                with self.subTest(bad), self.assertRaises(SDKError):
                    alice.get_event_count(**bad)
        self.assertEqual(count, 7)
        self.assertEqual(services.asked[0], ("event_count", {
            "user_id": str(alice.id), "event": "request", "since": "2024-01-01T00:00:00+00:00",
            "until": "2024-01-02T00:00:00+00:00", "filter_on": "target", "include_errored": True,
        }))
        ago = datetime.now(timezone.utc) - datetime.fromisoformat(services.asked[1][1]["since"])
        self.assertAlmostEqual(ago, timedelta(days=1), delta=timedelta(minutes=5))
        asked = services.asked[1][1]
        self.assertEqual((asked["event"], asked["until"], asked["filter_on"]), ("deny", None, "flow"))
        self.assertEqual(len(services.asked), 2)

    def test_persist_identity(self):
        args = {"email": "a@example.com", "service": "custom", "service_id": "x", "user_id": "u"}
        services = testing.FakeServices()
        with testing.running(testing.event(), services):
            self.assertEqual(persist_user_identity(**args), UserIdentity("custom", "x", "u"))
            for name in args:
                with self.subTest(name), self.assertRaises(exceptions.CouldNotSaveError):
                    persist_user_identity(**{**args, name: ""})
        self.assertEqual(services.asked, [("save_identity", args)])


class Requests(unittest.TestCase):
    def test_permission(self):
        alice, bob = testing.user("a@example.com"), testing.user("b@example.com")
        permission = RequestPermission(webapp_view="member", approve_deny=user_ids([alice, bob]))
        self.assertEqual(permission.webapp_view, PermissionLevel.MEMBER)
        self.assertEqual(list(permission.approve_deny), [alice.id, bob.id])
        self.assertIs(permission.allow_self_approval, False)
        for other in ([bob.id], [str(bob.id)], [bob], (bob,), iter([bob])):
            self.assertEqual(RequestPermission("admin", other).approve_deny, (bob.id,))

    def test_bad_permission(self):
        cases = [
            ((PermissionLevel.ADMIN, []), "SDK:EMPTY_PERMISSION"),
            (([], PermissionLevel.ADMIN), "SDK:EMPTY_PERMISSION"),
            (("everyone", PermissionLevel.ADMIN), "SDK:INVALID_PERMISSION"),
            ((PermissionLevel.ADMIN, None), "SDK:INVALID_PERMISSION"),
            ((PermissionLevel.ADMIN, ["a@example.com"]), "SDK:INVALID_PERMISSION"),
            ((PermissionLevel.ADMIN, [5]), "SDK:INVALID_PERMISSION"),
            ((PermissionLevel.ADMIN, PermissionLevel.ADMIN, "yes"), "SDK:INVALID_PERMISSION"),
        ]
        for args, code in cases:
            with self.subTest(args), self.assertRaises(SDKError) as caught:
                RequestPermission(*args)
            self.assertEqual(caught.exception.error_code, code)
            self.assertTrue(caught.exception.hint)
        with self.assertRaises(SDKError):
            user_ids(["a@example.com"])

    def test_destinations(self):
        alice = testing.user("a@example.com")
        rest = {"allow_self": False, "timeout": None}
        cases = [
            (SlackChannelID("C012AB3CD", allow_self=True, timeout=5),
             {"kind": "slack_channel_id", "id": "C012AB3CD", "allow_self": True, "timeout": 5}),
            (SlackChannelID("G1"), {"kind": "slack_channel_id", "id": "G1", **rest}),
            (SlackChannelID("D1"), {"kind": "slack_channel_id", "id": "D1", **rest}),
            (SlackChannelName("#access"), {"kind": "slack_channel_name", "name": "#access", **rest}),
            (SlackUser("W1"), {"kind": "slack_user", "id": "W1", **rest}),
            (SlackUser("a@example.com"), {"kind": "user", "email": "a@example.com", **rest}),
            (SlackUserGroup(["U1", "b@example.com"]), {"kind": "slack_user_group", "users": ["U1", "b@example.com"], **rest}),
        ]
        for destination, wire in cases:
            with self.subTest(wire):
                self.assertEqual(to_wire(destination), wire)
                self.assertEqual(from_wire(wire), destination)
        self.assertEqual(to_wire(alice), {"kind": "user", "id": str(alice.id), "email": "a@example.com"})
        self.assertIsNone(from_wire({"kind": "pigeon"}))

    def test_bad_destinations(self):
        channel = SlackChannelName("#a")
        cases = [
            lambda: SlackChannelID("X1"),
            lambda: SlackChannelID("#access"),
            lambda: SlackChannelID(None),
            lambda: SlackChannelName("#"),
            lambda: SlackChannelName(" "),
            lambda: SlackUser("C1"),
            lambda: SlackUser("alice"),
            lambda: SlackUserGroup([]),
            lambda: SlackUserGroup("U1"),
            lambda: SlackUserGroup([f"U{i}" for i in range(8)]),
            lambda: SlackUserGroup(["U1", "C1"]),
            lambda: SlackChannelName("#a", timeout=0),
            lambda: SlackChannelName("#a", timeout=1.5),
            lambda: SlackChannelName("#a", timeout=True),
            lambda: RequestDestinationFallback([channel]),
            lambda: RequestDestinationFallback([channel, "#b"]),
            lambda: to_wire(RequestDestination()),
        ]
        for i, case in enumerate(cases):
            with self.subTest(i), self.assertRaises(SlackError) as caught:
                case()
            self.assertTrue(caught.exception.hint)
        SlackUserGroup([f"U{i}" for i in range(7)])

    def test_notification(self):
        alice, channel = testing.user(), SlackChannelName("#a")
        Notification([channel], timeout=1)
        Notification([channel, alice, testing.user("b@example.com")])
        cases = [
            lambda: Notification([]),
            lambda: Notification(channel),
            lambda: Notification("#a"),
            lambda: Notification(alice),
            lambda: Notification(["#a"]),
            lambda: Notification([channel, SlackUser("U1")]),
            lambda: Notification([channel], timeout=0),
            lambda: Notification([channel], timeout="30"),
        ]
        for i, case in enumerate(cases):
            with self.subTest(i), self.assertRaises(SDKError) as caught:
                case()
            self.assertEqual(caught.exception.error_code, "SDK:INVALID_NOTIFICATION")

    def test_option(self):
        FieldOption(value="v" * 55, label="l" * 55)
        FieldOption(value=5, label="five")
        for value, label in [("v" * 56, "l"), ("v", "l" * 56), ("", "l"), ("v", ""), (None, "l"), ("v", None), (True, "l")]:
            with self.subTest((value, label)), self.assertRaises(SDKError) as caught:
                FieldOption(value=value, label=label)
            self.assertEqual(caught.exception.error_code, "SDK:INVALID_OPTION")


class Forms(unittest.TestCase):
    def setUp(self):
        self.field = PromptField(
            name="urgency", type=FieldType.STRING, value="low", current_allowed_values=["low", FieldOption("high", "High")],
            original_allowed_values=["low"],
        )
        self.form = SymPromptForm(fields={"urgency": self.field}, flow_vars={"a": "b"})

    def test_defaults(self):
        plain = PromptField(name="reason", type="string")
        self.assertEqual(
            (plain.type, plain.value, plain.label, plain.required, plain.visible, plain.current_allowed_values),
            (FieldType.STRING, None, "reason", True, True, None),
        )
        self.assertEqual(self.field.current_allowed_values, [FieldOption("low", "low"), FieldOption("high", "High")])
        self.assertIsNone(self.form.additional_header_text)

    def test_changeable(self):
        for name, value in [("value", 7), ("label", "L"), ("required", False), ("visible", False)]:
            setattr(self.field, name, value)
            self.assertEqual(getattr(self.field, name), value)
        self.field.current_allowed_values = ["a"]
        self.assertEqual(self.field.current_allowed_values, [FieldOption("a", "a")])
        self.field.current_allowed_values = None
        self.assertIsNone(self.field.current_allowed_values)
        self.form.additional_header_text = "*Read this*"
        self.assertEqual(self.form.additional_header_text, "*Read this*")

    def test_fixed(self):
        cases = [
            (self.field, "name", "x"), (self.field, "type", "int"), (self.field, "original_allowed_values", []),
            (self.field, "hidden", True), (self.form, "fields", {}), (self.form, "flow_vars", {}), (self.form, "title", "x"),
        ]
        for thing, name, value in cases:
            with self.subTest(name), self.assertRaises(SDKError) as caught:
                setattr(thing, name, value)
            self.assertEqual(caught.exception.error_code, "SDK:FIXED_ATTRIBUTE")
        with self.assertRaises(SDKError):
            del self.field.value
        with self.assertRaises(AttributeError):
            self.field.original_allowed_values.append("x")

    def test_wrong_types(self):
        for name, value in [("visible", 1), ("required", "no"), ("label", None), ("current_allowed_values", "low"),
                            ("current_allowed_values", 5)]:
            with self.subTest(name), self.assertRaises(SDKError) as caught:
                setattr(self.field, name, value)
            self.assertEqual(caught.exception.error_code, "SDK:WRONG_TYPE")
        with self.assertRaises(SDKError):
            self.form.additional_header_text = 5
        with self.assertRaises(ValueError):
            PromptField(name="x", type="date")
        with self.assertRaises(SDKError):
            SymPromptForm(fields={"other": self.field})

    def test_selection(self):
        self.assertEqual(SlackUserSelection("U1"), SlackUserSelection(user_id="U1", username=None))


class Secrets(unittest.TestCase):
    def test_offered(self):
        event = testing.event(integrations={"custom": testing.integration("custom", secrets=["key"])})
        secret = event.flow.environment.integrations["custom"].settings["secrets"][0]
        with testing.running(event, testing.FakeServices(secrets={"key": "s3cret"})):
            self.assertEqual(secret.retrieve_value(), "s3cret")
        self.assertNotIn("s3cret", repr(secret) + str(vars(secret)))

    def test_pick(self):
        self.assertEqual(pick("plain", "p", None), "plain")
        self.assertEqual(pick('{"a": "x", "b": 5}', "p", "a"), "x")
        self.assertEqual(pick('{"a": "x", "b": 5}', "p", "b"), "5")
        for value in ("plain", "[]", '{"a": 1}', "5"):
            with self.subTest(value), self.assertRaises(SDKError) as caught:
                pick(value, "p", "z")
            self.assertNotIn(value, str(caught.exception))
            self.assertIsNone(caught.exception.__cause__)

    def test_missing_setting(self):
        with self.assertRaises(SDKError) as caught:
            testing.integration("okta", name="main").secret("api_token_secret")
        self.assertEqual(caught.exception.error_code, "SDK:NO_SECRET")


class Outside(unittest.TestCase):
    def test_no_handler(self):
        for call in (
            lambda: testing.user().get_event_count("request"),
            lambda: testing.integration("x", secrets=["key"]).secret("key").retrieve_value(),
        ):
            with self.assertRaises(SDKError) as caught:
                call()
            self.assertEqual(caught.exception.error_code, "SDK:NO_HANDLER")
        json.dumps(caught.exception.to_dict())
