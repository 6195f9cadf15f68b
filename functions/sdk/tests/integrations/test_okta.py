"""Okta: Core API v1, with the token in SSWS, errors by errorCode, pages by Link."""

import unittest
import urllib.parse

from sym.sdk.exceptions import IdentityNotFound, MissingArgument, OktaError
from sym.sdk.integrations import okta
from tests.integrations.fakes import Asked, Faults, IntegrationTest, Reply, pages, user

PEOPLE = {
    "00u1": {"id": "00u1", "status": "ACTIVE", "profile": {"login": "alice@example.com", "email": "alice@example.com", "department": "sre"}},
    "00u2": {"id": "00u2", "status": "ACTIVE", "profile": {"login": "bob", "email": "Bob@example.com"}},
    "00u3": {"id": "00u3", "profile": {"login": "carol@example.com"}},  # of whom nothing is said
    **{
        f"00x{status}": {"id": f"00x{status}", "status": status, "profile": {"login": login, "email": login}}
        for status in ("STAGED", "PROVISIONED", "RECOVERY", "PASSWORD_EXPIRED", "LOCKED_OUT", "SUSPENDED", "DEPROVISIONED")
        for login in [f"{status.lower()}@example.com"]
    },
    "00old": {"id": "00old", "status": "DEPROVISIONED", "profile": {"login": "bob.old", "email": "bob2@example.com"}},
    "00new": {"id": "00new", "status": "ACTIVE", "profile": {"login": "bob.new", "email": "bob2@example.com"}},
}
INACTIVE = [id for id in PEOPLE if id.startswith("00x")]
GROUPS = {
    "00g1": {"id": "00g1", "type": "OKTA_GROUP", "profile": {"name": "Engineering"}},
    "00g2": {"id": "00g2", "type": "APP_GROUP", "profile": {"name": "Engineers of AD"}},
    "00g3": {"id": "00g3", "type": "OKTA_GROUP", "profile": {"name": "Sales"}},
}
MEMBERS = {"00g1": ["00u1", *INACTIVE, "00u2", "00u3"], "00g2": [], "00g3": ["00u2", "00new"]}


class OktaTest(Faults, IntegrationTest):
    service = "okta"
    error = OktaError
    external_id = "acme.okta.com"
    # Okta says when, in seconds since 1970.
    rate_limited = Reply(429, {"errorCode": "E0000047"}, {"X-Rate-Limit-Reset": "1772452803"})

    def setUp(self) -> None:
        super().setUp()
        self.rate_limited.headers["X-Rate-Limit-Reset"] = str(int(self.clock.time) + 3)

    def call(self):
        return okta.users_in_group(group_id="00g1")

    def test_gives_up_after_some_tries(self) -> None:
        self.server.first = [self.rate_limited] * 4
        self.fails("RATE_LIMITED", self.call)
        self.assertEqual(len(self.clock.slept), 3)

    def route(self, asked: Asked) -> Reply:
        self.assertEqual(asked.headers["Authorization"], "SSWS s3cr3t-t0k3n")
        match asked.path.strip("/").split("/"):
            case ["api", "v1", "groups"]:
                prefix = asked.one("q").lower()
                found = [g for g in GROUPS.values() if g["profile"]["name"].lower().startswith(prefix)]
                return self.page(asked, found)
            case ["api", "v1", "groups", id] if id in GROUPS:
                return Reply(200, GROUPS[id])
            case ["api", "v1", "groups", id, "users"] if id in GROUPS:
                return self.page(asked, [PEOPLE[member] for member in MEMBERS[id]])
            case ["api", "v1", "users"]:
                wanted = asked.one("search")
                return Reply(200, [p for p in PEOPLE.values() if wanted == f'profile.email eq "{p["profile"].get("email")}"'])
            case ["api", "v1", "users", key]:
                for person in PEOPLE.values():
                    if key in (person["id"], person["profile"]["login"]):
                        return Reply(200, person)
            case ["api", "v1", "users", id, "groups"] if id in PEOPLE:
                return self.page(asked, [GROUPS[group] for group, members in MEMBERS.items() if id in members])
        return Reply(404, {"errorCode": "E0000007", "errorSummary": "Not found: Resource not found"})

    def page(self, asked: Asked, found: list) -> Reply:
        some, more = pages(found, int(asked.one("after", "0")), 1)
        link = f'<{self.server.url}{asked.path}?limit=1>; rel="self"'
        if more:
            query = urllib.parse.urlencode({**asked.query, "after": int(asked.one("after", "0")) + 1}, doseq=True)
            link += f', <{self.server.url}{asked.path}?{query}>; rel="next"'
        return Reply(200, some, {"Link": link})

    def test_users_in_group(self) -> None:
        found = okta.users_in_group(group_id="00g1")
        self.assertEqual(self.emails(found), ["alice@example.com", "bob@example.com", "carol@example.com"])
        self.assertEqual(okta.users_in_group(group_id="00g2"), [])

    def test_group_is_not_there(self) -> None:
        failed = self.fails("NOT_FOUND", lambda: okta.users_in_group(group_id="00g9"))
        self.assertEqual(failed.message, "Okta has no group 00g9.")
        self.fails("NOT_FOUND", lambda: okta.is_user_in_group(user(), group_id="00g9"))
        # Nothing in an id can lead to another resource.
        self.fails("NOT_FOUND", lambda: okta.users_in_group(group_id="../users/00u1"))
        self.assertEqual(self.server.asked[-1].target, "/api/v1/groups/..%2Fusers%2F00u1")

    def test_is_user_in_group(self) -> None:
        stored = ("okta", "acme.okta.com", "00u2")
        for who, group, want in [
            (user("alice@example.com"), "00g1", True),
            (user("alice@example.com"), "00g3", False),
            (user("robert@example.com", stored), "00g3", True),
            (user("Bob@example.com"), "00g3", True),  # whose login is another
        ]:
            with self.subTest(user=who, group=group):
                self.assertIs(okta.is_user_in_group(who, group_id=group), want)

    def test_only_the_active_are_members(self) -> None:
        for id in INACTIVE:
            who = user(PEOPLE[id]["profile"]["email"])
            with self.subTest(id):
                self.assertIs(okta.is_user_in_group(who, group_id="00g1"), False)
                self.assertEqual(okta.get_user_info(who)["status"], PEOPLE[id]["status"])
        self.assertIs(okta.is_user_in_group(user("carol@example.com"), group_id="00g1"), True)

    def test_address_of_somebody_who_left(self) -> None:
        self.assertIs(okta.is_user_in_group(user("bob2@example.com"), group_id="00g3"), True)

    def test_user_is_unknown(self) -> None:
        for call in (
            lambda: okta.get_user_info(user("nobody@example.com")),
            lambda: okta.is_user_in_group(user("nobody@example.com"), group_id="00g1"),
            # An identity of another Okta says nothing about this one.
            lambda: okta.get_user_info(user("nobody@example.com", ("okta", "other.okta.com", "00u2"))),
        ):
            failed = self.fails("NOT_FOUND", call, IdentityNotFound)
            self.assertIn("acme.okta.com", str(failed))

    def test_get_user_info(self) -> None:
        self.assertEqual(okta.get_user_info(user())["profile"]["department"], "sre")

    def test_list_groups(self) -> None:
        self.assertEqual([g["id"] for g in okta.list_groups()], ["00g1", "00g3"])
        self.assertEqual([g["id"] for g in okta.list_groups(only_native_groups=False)], ["00g1", "00g2", "00g3"])
        self.assertEqual([g["id"] for g in okta.list_groups(name_filter="eng")], ["00g1"])

    def test_list_groups_passes_on_filter_and_expand(self) -> None:
        okta.list_groups(filter='id eq "00g1"', expand=["stats", "app"])
        self.assertEqual(self.server.asked[0].one("filter"), 'id eq "00g1"')
        self.assertEqual(self.server.asked[0].one("expand"), "stats,app")

    def test_arguments(self) -> None:
        for call in (
            lambda: okta.users_in_group(group_id=""),
            lambda: okta.users_in_group(group_id=None),
            lambda: okta.get_user_info(None),
        ):
            self.fails("MISSING_ARGUMENT", call, MissingArgument)

    def test_next_page_is_elsewhere(self) -> None:
        away = {"Link": '<https://evil.example.com/api/v1/users>; rel="next"'}
        self.server.first = [Reply(200, GROUPS["00g1"]), Reply(200, [PEOPLE["00u1"]], away)]
        self.fails("BAD_URL", self.call)

    def test_vendor_repeats_the_token(self) -> None:
        self.server.first = [Reply(400, {"errorCode": "E1", "errorSummary": "bad header SSWS s3cr3t-t0k3n"})]
        failed = self.fails("REJECTED", self.call)
        self.assertIn("E1, bad header SSWS ***", failed.message)


class OktaAddressTest(IntegrationTest):
    service = "okta"
    error = OktaError

    def settings(self):
        return {}

    def test_external_id_is_no_domain(self) -> None:
        for external_id in ("", "acme.okta.com/admin", "user@acme.okta.com", "acme okta"):
            with self.subTest(external_id=external_id):
                self.integration._external_id = external_id
                self.fails("NOT_CONFIGURED", lambda: okta.list_groups())


if __name__ == "__main__":
    unittest.main()
