"""Slack: destinations are values, everything else is asked of services."""

import json
import unittest
from pathlib import Path

from sym.sdk.exceptions import MissingArgument, SDKError, SlackError
from sym.sdk.integrations import slack
from sym.sdk.request_destination import (
    RequestDestination,
    RequestDestinationFallback,
    SlackChannelID,
    SlackChannelName,
    SlackUser,
    SlackUserGroup,
)
from tests.integrations.fakes import IntegrationTest, refuse, user, wire_user

ALICE = user("alice@example.com", ("slack", "T1", "U0ALICE"))
BOB = user("bob@example.com")  # of whom Slack's id is not known yet
PEOPLE = [
    {"id": "U0ALICE", "name": "alice", "real_name": "Alice A", "profile": {"display_name": "ali", "title": "SRE"}},
    {"id": "U0BOB", "name": "bob", "real_name": "Sam Smith", "profile": {"display_name": "bobby"}},
    {"id": "U0SAM", "name": "sam", "real_name": "Sam Smith", "profile": {}},
]


class SlackTest(IntegrationTest):
    service = "slack"
    error = SlackError
    secrets = {}

    def setUp(self) -> None:
        super().setUp()
        self.services.ops |= {
            "slack_users": lambda active_only: PEOPLE if active_only else [*PEOPLE, {"id": "U0GONE", "deleted": True}],
            "slack_user_info": lambda user: PEOPLE[0] if user in ("U0ALICE", "alice@example.com") else PEOPLE[1],
            "slack_group_members": lambda group_id: [wire_user("alice@example.com")],
            "slack_channel_members": lambda channel: [wire_user("alice@example.com"), wire_user("bob@example.com")],
            "send_message": lambda to, text: None,
            "send_thread_message": lambda text: None,
        }


class DestinationTest(SlackTest):
    def test_user(self) -> None:
        for identifier, want in [
            ("U0ALICE", "U0ALICE"),
            ("W012AB3CD", "W012AB3CD"),
            (" alice@example.com ", "alice@example.com"),
            (ALICE, "U0ALICE"),
            (BOB, "bob@example.com"),
            ("<@U0ALICE>", "U0ALICE"),
            ("<@U0ALICE|alice>", "U0ALICE"),
        ]:
            with self.subTest(identifier=identifier):
                self.assertEqual(slack.user(identifier), SlackUser(want))
        self.assertEqual(self.services.asked, [])
        self.assertEqual(slack.user(ALICE, True, 60), SlackUser("U0ALICE", allow_self=True, timeout=60))

    def test_user_by_mention(self) -> None:
        for mention, want in [("@alice", "U0ALICE"), ("@Alice A", "U0ALICE"), ("@ALI", "U0ALICE"), ("@sam", "U0SAM")]:
            with self.subTest(mention=mention):
                self.assertEqual(slack.user(mention).user_id, want)
        self.assertIn("Nobody", self.fails("INVALID_USER", lambda: slack.user("@nobody")).message)
        self.assertIn("More than one", self.fails("INVALID_USER", lambda: slack.user("@Sam Smith")).message)
        self.fails("INVALID_USER", lambda: slack.user("@"))

    def test_channel(self) -> None:
        for name, want in [
            ("#access", SlackChannelName("#access")),
            ("access", SlackChannelName("access")),
            ("C12345", SlackChannelID("C12345")),
            ("G012AB3CD", SlackChannelID("G012AB3CD")),
        ]:
            with self.subTest(name=name):
                self.assertEqual(slack.channel(name), want)
        self.assertEqual(slack.channel("#a", True, 5), SlackChannelName("#a", allow_self=True, timeout=5))

    def test_group(self) -> None:
        self.assertEqual(
            slack.group([ALICE, BOB, "U0SAM", slack.user("eve@example.com"), ALICE], allow_self=True, timeout=9),
            SlackUserGroup(("U0ALICE", "bob@example.com", "U0SAM", "eve@example.com"), allow_self=True, timeout=9),
        )

    def test_fallback(self) -> None:
        first, second = slack.channel("#a", timeout=60), slack.user(ALICE)
        self.assertEqual(slack.fallback(first, second), RequestDestinationFallback((first, second)))
        changed = slack.fallback(first, second, continue_on_delivery_failure=False, continue_on_timeout=True)
        self.assertIs(changed.continue_on_delivery_failure, False)
        self.assertIs(changed.continue_on_timeout, True)

    def test_what_is_none(self) -> None:
        for name, call in [
            ("INVALID_USER", lambda: slack.user("alice")),
            ("INVALID_USER", lambda: slack.user("")),
            ("INVALID_USER", lambda: slack.user(None)),
            ("INVALID_TIMEOUT", lambda: slack.user(ALICE, timeout=0)),
            ("INVALID_TIMEOUT", lambda: slack.channel("#a", timeout="60")),
            ("INVALID_CHANNEL", lambda: slack.channel("")),
            ("INVALID_CHANNEL", lambda: slack.channel(None)),
            ("INVALID_GROUP", lambda: slack.group([])),
            ("INVALID_GROUP", lambda: slack.group([f"U{i}" for i in range(8)])),
            ("INVALID_GROUP", lambda: slack.group("U0ALICE")),
            ("INVALID_GROUP", lambda: slack.group(ALICE)),
            ("INVALID_USER", lambda: slack.group(["nobody"])),
            ("INVALID_FALLBACK", lambda: slack.fallback(slack.user(ALICE))),
            ("INVALID_DESTINATION", lambda: slack.fallback(slack.user(ALICE), "#a")),
        ]:
            with self.subTest(name=name):
                self.fails(name, call)


class EscapeTest(unittest.TestCase):
    def test_as_the_app_does(self) -> None:
        """A test of internal/slackapp holds what that escapes to the same."""
        cases = json.loads((Path(__file__).parents[1] / "escaped.json").read_text(encoding="utf-8"))
        self.assertGreater(len(cases), 5)
        for text, want in cases:
            with self.subTest(text):
                self.assertEqual(slack.escape(text), want)

    def test_lines(self) -> None:
        text = "\n one\n> two\n  > three > four\n"
        self.assertEqual(slack.escape(text), "one\n\u2060&gt; two\n  \u2060&gt; three &gt; four")

    def test_what_is_no_text(self) -> None:
        self.assertEqual([slack.escape(one) for one in (None, 5, ["<"])], ["", "5", "['&lt;']"])


class AskingTest(SlackTest):
    def test_mention(self) -> None:
        for identifier, want in [
            ("U0ALICE", "<@U0ALICE>"), (ALICE, "<@U0ALICE>"), ("@alice", "<@U0ALICE>"),
            ("alice@example.com", "<@U0ALICE>"), (BOB, "<@U0BOB>"),
        ]:
            with self.subTest(identifier=identifier):
                self.assertEqual(slack.mention(identifier), want)

    def test_send_message(self) -> None:
        for destination, to in [
            (ALICE, {"kind": "user", "id": str(ALICE.id), "email": "alice@example.com"}),
            (slack.channel("#ops"), {"kind": "slack_channel_name", "name": "#ops", "allow_self": False, "timeout": None}),
            (slack.user("U0BOB"), {"kind": "slack_user", "id": "U0BOB", "allow_self": False, "timeout": None}),
        ]:
            with self.subTest(to=to):
                self.assertIsNone(slack.send_message(destination, "Hello"))
                self.assertEqual(self.services.asked[-1], ("send_message", {"to": to, "text": "Hello"}))
        self.fails("INVALID_MESSAGE", lambda: slack.send_message(ALICE, " "))
        self.fails("INVALID_MESSAGE", lambda: slack.send_message(ALICE, None))
        self.fails("INVALID_DESTINATION", lambda: slack.send_message("#ops", "Hello"))
        self.fails("INVALID_DESTINATION", lambda: slack.send_message(RequestDestination(), "Hello"))

    def test_send_thread_message(self) -> None:
        slack.send_thread_message("Done")
        self.assertEqual(self.services.asked[-1], ("send_thread_message", {"text": "Done"}))
        self.services.ops["send_thread_message"] = refuse("Slack:NO_THREAD", "no message")
        self.fails("NO_THREAD", lambda: slack.send_thread_message("Done"))
        self.fails("INVALID_MESSAGE", lambda: slack.send_thread_message(""))

    def test_get_user_info(self) -> None:
        self.assertEqual(slack.get_user_info(ALICE)["profile"]["title"], "SRE")
        self.assertEqual(self.services.asked[-1][1], {"user": "U0ALICE"})
        slack.get_user_info(BOB)
        self.assertEqual(self.services.asked[-1][1], {"user": "bob@example.com"})
        self.fails("MISSING_ARGUMENT", lambda: slack.get_user_info("U0ALICE"), MissingArgument)

    def test_list_users(self) -> None:
        self.assertEqual(len(slack.list_users()), 3)
        self.assertEqual(len(slack.list_users(active_only=False)), 4)

    def test_is_user_in_group(self) -> None:
        self.assertIs(slack.is_user_in_group(ALICE, group_id="S1"), True)
        self.assertIs(slack.is_user_in_group(BOB, group_id="S1"), False)
        self.assertEqual(self.services.asked[-1][1], {"group_id": "S1"})
        self.fails("MISSING_ARGUMENT", lambda: slack.is_user_in_group(ALICE, group_id=""), MissingArgument)
        self.fails("MISSING_ARGUMENT", lambda: slack.is_user_in_group(None, group_id="S1"), MissingArgument)

    def test_users_in_channel(self) -> None:
        for channel, want in [("#ops", "#ops"), ("C12345", "C12345"), (slack.channel("ops"), "ops"), (slack.channel("C1"), "C1")]:
            with self.subTest(channel=channel):
                self.assertEqual(self.emails(slack.users_in_channel(channel)), ["alice@example.com", "bob@example.com"])
                self.assertEqual(self.services.asked[-1][1], {"channel": want})
        for channel in ("ops", None, slack.user(ALICE)):
            self.fails("INVALID_CHANNEL", lambda: slack.users_in_channel(channel))

    def test_refusals_are_slack_errors(self) -> None:
        for op, call in [
            ("slack_user_info", lambda: slack.mention("nobody@example.com")),
            ("slack_user_info", lambda: slack.get_user_info(BOB)),
            ("slack_users", slack.list_users),
            ("slack_group_members", lambda: slack.is_user_in_group(BOB, group_id="S1")),
            ("slack_channel_members", lambda: slack.users_in_channel("#none")),
            ("send_message", lambda: slack.send_message(BOB, "Hello")),
        ]:
            for code in ("Slack:CHANNEL_NOT_FOUND", "User:NOT_FOUND", "HTTP:NO_ANSWER"):
                with self.subTest(op=op, code=code):
                    self.services.ops[op] = refuse(code, "no", "Look again.")
                    failed = self.fails(code.split(":")[1], call)
                    self.assertEqual(failed.hint, "Look again.")
        # A wrong use of the SDK stays one.
        self.services.ops["slack_users"] = refuse("SDK:NO_SERVICES")
        self.fails("NO_SERVICES", slack.list_users, SDKError)


if __name__ == "__main__":
    unittest.main()
