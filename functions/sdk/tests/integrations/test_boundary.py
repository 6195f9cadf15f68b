"""Boundary: controller API, with a token for a password, and pages by list tokens."""

import unittest

from sym.sdk.exceptions import BoundaryError, MissingArgument
from sym.sdk.integrations import boundary
from tests.integrations.fakes import Asked, Faults, IntegrationTest, Reply, pages

GROUPS = [
    {"id": "g_1", "name": "Operators", "scope_id": "global", "member_ids": ["u_1"]},
    {"id": "g_2", "name": "Auditors", "scope_id": "global"},
    {"id": "g_3", "name": "Developers", "scope_id": "o_1"},
]
SIGNED_IN = Reply(200, {"attributes": {"id": "at_1", "token": "at_1_t0k3n"}, "command": "login"})


class BoundaryTest(Faults, IntegrationTest):
    service = "boundary"
    error = BoundaryError
    secrets = {"password_secret": "s3cr3t-t0k3n"}

    def settings(self):
        return {"auth_method_id": "ampw_1", "login_name": "sym-flows"}

    def setUp(self) -> None:
        super().setUp()
        self.integration._external_id = self.server.url + "/"

    def call(self):
        return boundary.list_groups()

    def sign_in(self):
        return [SIGNED_IN]

    def route(self, asked: Asked) -> Reply:
        if asked.path == "/v1/auth-methods/ampw_1:authenticate":
            self.assertEqual(asked.method, "POST")
            self.assertEqual(asked.json["attributes"], {"login_name": "sym-flows", "password": "s3cr3t-t0k3n"})
            return SIGNED_IN
        self.assertEqual(asked.headers["Authorization"], "Bearer at_1_t0k3n")
        if asked.path == "/v1/groups":
            found = [g for g in GROUPS if asked.one("recursive") == "true" or g["scope_id"] == asked.one("scope_id")]
            start = int(asked.one("list_token", "0"))
            some, more = pages(found, start, 1)
            answer = {"response_type": "delta" if more else "complete", "list_token": str(start + 1)}
            return Reply(200, {**answer, "items": some} if some else answer)
        for group in GROUPS:
            if asked.path == f"/v1/groups/{group['id']}":
                return Reply(200, group)
        return Reply(404, {"kind": "NotFound", "message": "Resource not found."})

    def test_list_groups(self) -> None:
        for args, want in [
            ({}, ["g_1", "g_2"]),
            ({"scope_id": "o_1"}, ["g_3"]),
            ({"scope_id": "p_1"}, []),
            ({"recursive": True}, ["g_1", "g_2", "g_3"]),
        ]:
            with self.subTest(args=args):
                self.assertEqual([group["id"] for group in boundary.list_groups(**args)], want)

    def test_filter_is_passed_on(self) -> None:
        boundary.list_groups(filter='"/item/name" == "Operators"')
        self.assertEqual(self.server.asked[1].one("filter"), '"/item/name" == "Operators"')

    def test_old_version_without_pages(self) -> None:
        self.server.first = [SIGNED_IN, Reply(200, {"items": GROUPS})]
        self.assertEqual(len(boundary.list_groups()), 3)

    def test_get_group(self) -> None:
        self.assertEqual(boundary.get_group("g_1")["member_ids"], ["u_1"])
        self.assertEqual(self.fails("NOT_FOUND", lambda: boundary.get_group("g_9")).message, "Boundary has no group g_9.")
        self.fails("MISSING_ARGUMENT", lambda: boundary.get_group(""), MissingArgument)

    def test_password_is_refused(self) -> None:
        self.server.first = [Reply(401, {"kind": "Unauthenticated", "message": "Unable to authenticate."})]
        self.assertIn("password_secret", self.fails("UNAUTHORIZED", self.call).hint)

    def test_no_token_is_given(self) -> None:
        self.server.first = [Reply(200, {"attributes": None})]
        self.fails("BAD_ANSWER", self.call)

    def test_filter_makes_no_sense(self) -> None:
        words = {"message": "Invalid request.", "details": {"request_fields": [{"name": "filter"}]}}
        self.server.first = [SIGNED_IN, Reply(400, words)]
        self.assertIn("Invalid request.", self.fails("REJECTED", lambda: boundary.list_groups(filter="x")).message)


if __name__ == "__main__":
    unittest.main()
