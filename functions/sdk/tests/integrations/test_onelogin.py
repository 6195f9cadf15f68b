"""OneLogin: API v2, with a token for client credentials, and pages told in headers."""

import base64
import unittest

from sym.sdk.exceptions import IdentityNotFound, MissingArgument, OneLoginError
from sym.sdk.integrations import onelogin
from tests.integrations.fakes import Asked, Faults, IntegrationTest, Reply, pages, user

USERS = [
    {"id": 11, "email": "alice@example.com", "department": "sre", "status": 1},
    {"id": 12, "email": "Bob@example.com", "department": "sales", "status": 1},
    # Unactivated, suspended, locked, password expired, awaiting a reset, password pending, security questions.
    *({"id": 20 + status, "email": f"status{status}@example.com", "status": status} for status in (0, 2, 3, 4, 5, 7, 8)),
    *({"id": id, "email": f"user{id}@example.com", "status": 1} for id in range(100, 160)),
]
# What a role tells of its users.
MEMBERS = [{"id": u["id"], "name": "…", "username": "…", "added_by": {"id": 1}, "assigned": True} for u in USERS]
MANY = [f"user{id}@example.com" for id in range(100, 160)]
ROLES = [{"id": id, "name": f"Role {id}"} for id in range(1, 701)] + [{"id": 1000, "name": "Prod Admins"}]
TOKEN = Reply(200, {"access_token": "acc3ss", "token_type": "bearer", "expires_in": 36000})


class OneLoginTest(Faults, IntegrationTest):
    service = "onelogin"
    error = OneLoginError
    external_id = "acme.onelogin.com"
    secrets = {"client_secret": "s3cr3t-t0k3n"}

    def settings(self):
        return {"api_url": self.server.url, "client_id": "c1"}

    def call(self):
        return onelogin.list_roles()

    def sign_in(self):
        return [TOKEN]

    def route(self, asked: Asked) -> Reply:
        if asked.path == "/auth/oauth2/v2/token":
            pair = base64.b64encode(b"c1:s3cr3t-t0k3n").decode()
            self.assertEqual(asked.headers["Authorization"], f"Basic {pair}")
            self.assertEqual(asked.json, {"grant_type": "client_credentials"})
            return TOKEN
        self.assertEqual(asked.headers["Authorization"], "Bearer acc3ss")
        match asked.path.strip("/").split("/")[2:]:
            case ["roles"]:
                return self.by_cursor(asked, ROLES)
            case ["roles", "1000"]:
                return Reply(200, ROLES[-1])
            case ["roles", "1000", "users"]:
                return self.by_page(asked, MEMBERS)
            case ["users"] if ids := asked.one("user_ids"):
                self.assertLessEqual(ids.count(","), 49)
                return self.by_page(asked, [u for u in USERS if str(u["id"]) in ids.split(",")])
            case ["users"]:
                return Reply(200, [u for u in USERS if u["email"].lower() == asked.one("email")])
            case ["users", "11"]:
                return Reply(200, USERS[0])
        return Reply(404, {"statusCode": 404, "name": "NotFoundError", "message": "Not found"})

    def by_cursor(self, asked: Asked, found: list) -> Reply:
        start = int(asked.one("cursor", "0"))
        some, more = pages(found, start, 100)
        return Reply(200, some, {"After-Cursor": str(start + 100)} if more else {})

    def by_page(self, asked: Asked, found: list) -> Reply:
        page = int(asked.one("page", "1"))
        some, _ = pages(found, 20 * (page - 1), 20)
        return Reply(200, some, {"Current-Page": str(page), "Total-Pages": str(-(-len(found) // 20))})

    def test_list_roles(self) -> None:
        self.assertEqual(len(onelogin.list_roles()), 701)
        self.assertEqual([role["id"] for role in onelogin.list_roles("prod")], [1000])
        self.assertEqual(onelogin.list_roles("nothing like it"), [])

    def test_get_user_info(self) -> None:
        self.assertEqual(onelogin.get_user_info(user())["department"], "sre")
        stored = user("al@example.com", ("onelogin", "acme.onelogin.com", "11"))
        self.assertEqual(onelogin.get_user_info(stored)["id"], 11)

    def test_users_in_role(self) -> None:
        want = ["alice@example.com", "bob@example.com", *MANY]
        self.assertEqual(self.emails(onelogin.users_in_role(1000)), want)
        self.assertEqual(self.emails(onelogin.users_in_role("1000")), want)

    def test_is_user_in_role(self) -> None:
        self.assertIs(onelogin.is_user_in_role(user("bob@example.com"), role_id=1000), True)
        for status in (0, 2, 3, 4, 5, 7, 8):
            self.assertIs(onelogin.is_user_in_role(user(f"status{status}@example.com"), role_id=1000), False)
        stranger = user("eve@example.com", ("onelogin", "acme.onelogin.com", "99"))
        self.assertIs(onelogin.is_user_in_role(stranger, role_id="1000"), False)

    def test_role_is_not_there(self) -> None:
        failed = self.fails("NOT_FOUND", lambda: onelogin.users_in_role(7))
        self.assertEqual(failed.message, "OneLogin has no role 7.")
        self.fails("NOT_FOUND", lambda: onelogin.is_user_in_role(user(), role_id=7))

    def test_user_is_unknown(self) -> None:
        nobody = user("nobody@example.com")
        gone = user("al@example.com", ("onelogin", "acme.onelogin.com", "77"))
        self.fails("NOT_FOUND", lambda: onelogin.get_user_info(nobody), IdentityNotFound)
        self.fails("NOT_FOUND", lambda: onelogin.get_user_info(gone), IdentityNotFound)
        self.fails("NOT_FOUND", lambda: onelogin.is_user_in_role(nobody, role_id=1000), IdentityNotFound)

    def test_arguments(self) -> None:
        for role_id in (None, "", True):
            self.fails("MISSING_ARGUMENT", lambda: onelogin.users_in_role(role_id), MissingArgument)
        self.fails("MISSING_ARGUMENT", lambda: onelogin.is_user_in_role(None, role_id=1000), MissingArgument)

    def test_credential_pair_is_refused(self) -> None:
        self.server.first = [Reply(401, {"statusCode": 401, "message": "Authentication Failure"})]
        failed = self.fails("UNAUTHORIZED", self.call)
        self.assertIn("client_secret", failed.hint)

    def test_no_token_is_given(self) -> None:
        self.server.first = [Reply(200, {"status": "ok"})]
        self.fails("BAD_ANSWER", self.call)

    def test_client_id_is_missing(self) -> None:
        del self.integration._settings["client_id"]
        failed = self.fails("NOT_CONFIGURED", self.call)
        self.assertIn("client_id", failed.hint)


if __name__ == "__main__":
    unittest.main()
