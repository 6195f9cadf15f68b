"""PagerDuty: REST API v2, with offsets, ratelimit-reset, and errors in an envelope."""

import socket
import unittest
from unittest import mock

from sym.sdk import runtime, testing
from sym.sdk.exceptions import IdentityNotFound, MissingArgument, PagerDutyError
from sym.sdk.integrations import pagerduty
from sym.sdk.integrations.pagerduty import PagerDutyStatus, PagerDutyUrgency
from tests.integrations.fakes import Asked, Faults, IntegrationTest, Reply, pages, user

USERS = [
    {"id": "PALICE", "name": "Alice", "email": "alice@example.com"},
    {"id": "PALICE2", "name": "Alice Too", "email": "alice@example.com.au"},
    {"id": "PBOB", "name": "Bob", "email": "Bob@example.com"},
    {"id": "PCAROL", "name": "Carol", "email": "carol@example.com"},
    {"id": "PLEFT", "name": "Left", "email": "left@example.com", "deleted_at": "2026-01-01T00:00:00Z"},
]
POLICIES = [
    {
        "id": "PP1",
        "name": "SRE",
        "escalation_rules": [
            {"targets": [{"id": "PS1", "type": "schedule_reference"}, {"id": "PBOB", "type": "user_reference"}]},
            {"targets": [{"id": "PCAROL", "type": "user_reference"}]},
        ],
    },
    {"id": "PP2", "name": "SRE night", "escalation_rules": [{"targets": [{"id": "PS2", "type": "schedule_reference"}]}]},
]
SCHEDULES = [
    {"id": "PS1", "name": "Primary", "escalation_policies": [{"id": "PP0"}, {"id": "PP1"}]},
    {"id": "PS2", "name": "Primary EU", "escalation_policies": [{"id": "PP2"}]},
    {"id": "PS3", "name": "Spare", "escalation_policies": []},
]
ON_CALLS = [
    {"user": "PCAROL", "policy": "PP1", "schedule": None, "level": 2},
    {"user": "PALICE", "policy": "PP1", "schedule": "PS1", "level": 1},
    {"user": "PLEFT", "policy": "PP1", "schedule": "PS1", "level": 1},
    {"user": "PBOB", "policy": "PP2", "schedule": "PS2", "level": 1},
]
INCIDENTS = [
    {"id": "PI1", "status": "triggered", "urgency": "high", "service": "PSVC1", "assignee": "PALICE"},
    {"id": "PI2", "status": "acknowledged", "urgency": "high", "service": "PSVC2", "assignee": "PBOB"},
    {"id": "PI3", "status": "resolved", "urgency": "high", "service": "PSVC1", "assignee": None},
    {"id": "PI4", "status": "triggered", "urgency": "low", "service": "PSVC1", "assignee": "PALICE"},
]


class PagerDutyTest(Faults, IntegrationTest):
    service = "pagerduty"
    error = PagerDutyError
    external_id = "acme.pagerduty.com"
    rate_limited = Reply(429, {"error": {"message": "Rate Limit Exceeded", "code": 2020}}, {"ratelimit-reset": "3"})

    def call(self):
        return pagerduty.users_on_call()

    def route(self, asked: Asked) -> Reply:
        self.assertEqual(asked.headers["Authorization"], "Token token=s3cr3t-t0k3n")
        self.assertEqual(asked.headers["Accept"], "application/vnd.pagerduty+json;version=2")
        by_id = {one["id"]: one for one in [*USERS, *POLICIES, *SCHEDULES]}
        match asked.path.strip("/").split("/"):
            case ["users"]:
                # The query finds parts of names and addresses.
                return self.page(asked, "users", [u for u in USERS if asked.one("query") in u["email"].lower()])
            case ["escalation_policies" | "schedules" as kind]:
                all = POLICIES if kind == "escalation_policies" else SCHEDULES
                return self.page(asked, kind, [one for one in all if asked.one("query") in one["name"]])
            case ["users", id] if id in by_id:
                return Reply(200, {"user": by_id[id]})
            case ["schedules", id] if id in by_id:
                users = [{"id": "PALICE"}, {"id": "PBOB"}, {"id": "PGONE"}, {"id": "PLEFT"}, {"id": "PALICE"}]
                return Reply(200, {"schedule": {**by_id[id], "users": users}})
            case ["escalation_policies", id] if id in by_id:
                return Reply(200, {"escalation_policy": by_id[id]})
            case ["oncalls"]:
                found = [
                    {
                        "user": by_id[o["user"]] if "users" in asked.query.get("include[]", []) else {"id": o["user"]},
                        "escalation_level": o["level"],
                    }
                    for o in ON_CALLS
                    if o["policy"] in asked.query.get("escalation_policy_ids[]", [o["policy"]])
                    and o["schedule"] in asked.query.get("schedule_ids[]", [o["schedule"]])
                    and o["user"] in asked.query.get("user_ids[]", [o["user"]])
                ]
                return self.page(asked, "oncalls", found)
            case ["incidents"]:
                if "user_ids[]" in asked.query and "resolved" in asked.query["statuses[]"]:
                    return Reply(400, {"error": {"message": "Invalid Input Provided", "errors": ["statuses"]}})
                found = [
                    i
                    for i in INCIDENTS
                    if i["status"] in asked.query["statuses[]"]
                    and i["urgency"] in asked.query["urgencies[]"]
                    and i["service"] in asked.query.get("service_ids[]", [i["service"]])
                    and i["assignee"] in asked.query.get("user_ids[]", [i["assignee"]])
                ]
                return self.page(asked, "incidents", found)
        return Reply(404, {"error": {"message": "Not Found", "code": 2100}})

    def page(self, asked: Asked, key: str, found: list) -> Reply:
        offset = int(asked.one("offset", "0"))
        some, more = pages(found, offset, 1)
        return Reply(200, {key: some, "limit": 1, "offset": offset, "more": more, "total": None})

    def test_is_on_call(self) -> None:
        alice, bob = user("alice@example.com"), user("bob@example.com")
        stored = user("bobby@example.com", ("pagerduty", "acme.pagerduty.com", "PBOB"))
        for who, where, want in [
            (alice, {}, True),
            (alice, {"schedule_name": "Primary"}, True),
            (alice, {"schedule_name": "Primary EU"}, False),
            (bob, {"escalation_policy_name": "SRE"}, False),
            (bob, {"escalation_policy_id": "PP2"}, True),
            (stored, {"schedule_id": "PS2"}, True),
            (bob, {"escalation_policy_name": "SRE night", "schedule_name": "Primary EU"}, True),
            (user("carol@example.com"), {"escalation_policy_name": "SRE"}, True),
            (user("left@example.com", ("pagerduty", "acme.pagerduty.com", "PLEFT")), {}, False),
            (alice, {"escalation_policy_name": "SRE", "escalation_level": 1}, True),
            (alice, {"escalation_policy_name": "SRE", "escalation_level": 2}, False),
            (user("carol@example.com"), {"escalation_level": 1}, False),
            (user("carol@example.com"), {"escalation_level": 2}, True),
            (user("carol@example.com"), {"escalation_level": 3}, False),
        ]:
            with self.subTest(user=who, where=where):
                self.assertIs(pagerduty.is_on_call(who, **where), want)

    def test_names_are_whole_names(self) -> None:
        failed = self.fails("NOT_FOUND", lambda: pagerduty.users_on_call(escalation_policy_name="SR"))
        self.assertIn("'SR'", failed.message)
        self.fails("NOT_FOUND", lambda: pagerduty.users_on_call(schedule_id="PS9"))
        self.fails("NOT_FOUND", lambda: pagerduty.is_on_call(user(), escalation_policy_id="PP9"))

    def test_users_on_call(self) -> None:
        self.assertEqual(
            self.emails(pagerduty.users_on_call()), ["alice@example.com", "bob@example.com", "carol@example.com"]
        )
        self.assertEqual(
            self.emails(pagerduty.users_on_call(escalation_policy_name="SRE")), ["alice@example.com", "carol@example.com"]
        )
        self.assertEqual(self.emails(pagerduty.users_on_call(schedule_id="PS2")), ["bob@example.com"])
        self.assertEqual(
            self.emails(pagerduty.users_on_call(escalation_policy_name="SRE", escalation_level=1)), ["alice@example.com"]
        )
        self.assertEqual(self.emails(pagerduty.users_on_call(escalation_level=2)), ["carol@example.com"])
        self.assertEqual(pagerduty.users_on_call(escalation_level=3), [])

    def test_levels_count_from_one(self) -> None:
        for level in (0, -1, "1", True, 1.5):
            with self.subTest(level=level):
                self.fails("BAD_ARGUMENT", lambda: pagerduty.is_on_call(user(), escalation_level=level))
                self.fails("BAD_ARGUMENT", lambda: pagerduty.users_on_call(escalation_level=level))
                self.fails("BAD_ARGUMENT", lambda: pagerduty.users_for_schedule(schedule_id="PS1", escalation_level=level))

    def test_users_for_schedule(self) -> None:
        want = ["alice@example.com", "bob@example.com"]  # the third left PagerDuty
        self.assertEqual(self.emails(pagerduty.users_for_schedule(schedule_name="Primary")), want)
        self.assertEqual(self.emails(pagerduty.users_for_schedule(schedule_id="PS1")), want)
        self.assertEqual(self.emails(pagerduty.users_for_schedule(schedule_id="PS1", escalation_level=1)), want)
        for schedule, level in [("PS1", 2), ("PS1", 3), ("PS3", 1)]:
            self.assertEqual(pagerduty.users_for_schedule(schedule_id=schedule, escalation_level=level), [])
        self.fails("NOT_FOUND", lambda: pagerduty.users_for_schedule(schedule_id="PS9"))
        self.fails("MISSING_ARGUMENT", pagerduty.users_for_schedule, MissingArgument)

    def test_get_incidents(self) -> None:
        for args, want in [
            ({}, ["PI1", "PI2"]),
            ({"assignees": [user()]}, ["PI1"]),
            ({"assignees": [user(), user("bob@example.com")]}, ["PI1", "PI2"]),
            ({"service_ids": ["PSVC2"]}, ["PI2"]),
            ({"statuses": [PagerDutyStatus.RESOLVED]}, ["PI3"]),
            ({"statuses": ["RESOLVED"]}, ["PI3"]),
            ({"urgencies": [PagerDutyUrgency.LOW, PagerDutyUrgency.HIGH]}, ["PI1", "PI2", "PI4"]),
        ]:
            with self.subTest(args=args):
                self.assertEqual([incident["id"] for incident in pagerduty.get_incidents(**args)], want)

    def test_incidents_since(self) -> None:
        pagerduty.get_incidents()
        self.assertEqual(self.server.asked[-1].one("since"), "2026-03-01T12:00:00+00:00")
        self.assertNotIn("until", self.server.asked[-1].query)
        pagerduty.get_incidents(since="2026-02-01T00:00:00Z", until="2026-02-02T00:00:00Z")
        self.assertEqual(self.server.asked[-1].one("since"), "2026-02-01T00:00:00Z")
        self.assertEqual(self.server.asked[-1].one("until"), "2026-02-02T00:00:00Z")

    def test_incidents_that_make_no_sense(self) -> None:
        for args in (
            {"assignees": [user()], "statuses": [PagerDutyStatus.RESOLVED]},
            {"assignees": []},
            {"statuses": ["burning"]},
            {"urgencies": ["medium"]},
        ):
            with self.subTest(args=args):
                self.fails("BAD_ARGUMENT", lambda: pagerduty.get_incidents(**args))

    def test_has_incident(self) -> None:
        self.assertIs(pagerduty.has_incident(assignees=[user()]), True)
        self.assertIs(pagerduty.has_incident(service_ids=["PSVC9"]), False)

    def test_user_is_unknown(self) -> None:
        nobody = user("nobody@example.com")
        self.fails("NOT_FOUND", lambda: pagerduty.is_on_call(nobody), IdentityNotFound)
        self.fails("NOT_FOUND", lambda: pagerduty.get_incidents(assignees=[nobody]), IdentityNotFound)

    def test_vendors_words_are_told(self) -> None:
        words = {"error": {"message": "Invalid Input Provided", "errors": ["Since is bad", "Until too"]}}
        self.server.first = [Reply(400, words)]
        failed = self.fails("REJECTED", self.call)
        self.assertIn("Invalid Input Provided, Since is bad, Until too", failed.message)

    def test_more_than_pagerduty_counts(self) -> None:
        self.server.first = [Reply(200, {"oncalls": [{}] * 100, "offset": 9_900, "more": True})]
        self.fails("TOO_MANY", self.call)


class Silent(unittest.TestCase):
    def test_a_handler_has_time_left_to_do_without(self) -> None:
        event = testing.event()
        services = testing.FakeServices(secrets={"api_token_secret": "k"})
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"http://127.0.0.1:{silent.getsockname()[1]}"
            integration = testing.integration("pagerduty", secrets=["api_token_secret"], api_url=url)
            around = runtime.Runtime(services=services, event=event, integrations={"pagerduty": integration})
            with runtime.use(around), mock.patch.object(runtime, "remaining", return_value=0.05) as remaining:
                with self.assertRaises(PagerDutyError) as failed:
                    pagerduty.is_on_call(event.user)
                remaining.assert_called()
        self.assertEqual(failed.exception.error_code, "PagerDuty:TIMEOUT")


if __name__ == "__main__":
    unittest.main()
