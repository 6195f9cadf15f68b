"""Google: token exchange for a request that AWS signed, then the Directory API."""

import json
import os
import unittest
import urllib.parse
from unittest import mock

from sym.sdk.exceptions import AWSError, GoogleError, MissingArgument
from sym.sdk.integrations import google
from tests.integrations.aws import ENVIRONMENT, verify
from tests.integrations.fakes import Asked, Faults, IntegrationTest, Reply, pages, user

AUDIENCE = "//iam.googleapis.com/projects/12/locations/global/workloadIdentityPools/sym/providers/aws"
MEMBERS = {
    "sre@example.com": [
        {"email": "alice@example.com", "type": "USER", "status": "ACTIVE"},
        {"email": "suspended@example.com", "type": "USER", "status": "SUSPENDED"},
        {"email": "oncall@example.com", "type": "GROUP"},
        {"email": "guest@elsewhere.com", "type": "USER"},
    ],
    "oncall@example.com": [
        {"email": "Bob@example.com", "type": "USER", "status": "ACTIVE"},
        {"email": "archived@example.com", "type": "USER", "status": "ARCHIVED"},
    ],
    "empty@example.com": [],
}
GROUPS = [{"email": email, "name": email.split("@")[0]} for email in MEMBERS]
EXCHANGED = Reply(200, {"access_token": "federated", "token_type": "Bearer", "expires_in": 3600})
IMPERSONATED = Reply(200, {"accessToken": "g00gl3", "expireTime": "2026-03-02T12:10:00Z"})


class GoogleTest(Faults, IntegrationTest):
    service = "google"
    error = GoogleError
    external_id = "example.com"
    secrets = {}

    def settings(self):
        return {
            "api_url": self.server.url,
            "type": "external_account",
            "audience": AUDIENCE,
            "token_url": f"{self.server.url}/v1/token",
            "service_account_impersonation_url": f"{self.server.url}/v1/projects/-/serviceAccounts/sym@p.iam:generateAccessToken",
            "customer_id": "C012",
        }

    def setUp(self) -> None:
        super().setUp()
        self.stack.enter_context(mock.patch.dict(os.environ, ENVIRONMENT, clear=True))

    def call(self):
        return google.list_groups()

    def sign_in(self):
        return [EXCHANGED, IMPERSONATED]

    def route(self, asked: Asked) -> Reply:
        if asked.path == "/v1/token":
            return self.exchange(asked.json)
        if asked.path.endswith(":generateAccessToken"):
            self.assertEqual(asked.headers["Authorization"], "Bearer federated")
            self.assertEqual(len(asked.json["scope"]), 2)
            return IMPERSONATED
        self.assertEqual(asked.headers["Authorization"], "Bearer g00gl3")
        match asked.path.removeprefix("/admin/directory/v1/").split("/"):
            case ["groups"]:
                found = [g for g in GROUPS if g["email"].endswith(asked.one("domain", "example.com"))]
                return self.page(asked, "groups", found if asked.one("customer", "C012") == "C012" else [])
            case ["groups", group] if group in MEMBERS:
                return Reply(200, {"email": group})
            case ["groups", group, "hasMember", member] if group in MEMBERS:
                if not member.endswith("@example.com"):
                    return self.refusal(400, "Invalid Input: memberKey")
                return Reply(200, {"isMember": member in self.derived(group)})
            case ["groups", group, "members"] if group in MEMBERS:
                found = MEMBERS[group]
                if asked.one("includeDerivedMembership") == "true":
                    found = found + [m for one in found for m in MEMBERS.get(one["email"], [])]
                return self.page(asked, "members", found)
            case ["groups", group, "members", member] if group in MEMBERS:
                for one in MEMBERS[group]:
                    if one["email"] == member:
                        return Reply(200, one)
                return self.refusal(404, "Resource Not Found: memberKey")
        return self.refusal(404, "Resource Not Found: groupKey")

    def exchange(self, body: dict) -> Reply:
        """Google's Security Token Service: has AWS check who signed."""
        self.assertEqual(body["audience"], AUDIENCE)
        self.assertEqual(body["grantType"], "urn:ietf:params:oauth:grant-type:token-exchange")
        self.assertEqual(body["subjectTokenType"], "urn:ietf:params:aws:token-type:aws4_request")
        signed = json.loads(urllib.parse.unquote(body["subjectToken"]))
        headers = {one["key"].lower(): one["value"] for one in signed["headers"]}
        self.assertEqual(headers["x-goog-cloud-target-resource"], AUDIENCE)
        self.assertEqual(headers["host"], "sts.us-east-1.amazonaws.com")
        url = urllib.parse.urlsplit(signed["url"])
        self.assertEqual(url.query, "Action=GetCallerIdentity&Version=2011-06-15")
        verify(signed["method"], f"{url.path}?{url.query}", headers, b"", "sts", must_sign="x-goog-cloud-target-resource")
        return EXCHANGED

    def derived(self, group: str) -> list[str]:
        below = [m["email"].lower() for m in MEMBERS[group]]
        return below + [m["email"].lower() for one in below for m in MEMBERS.get(one, [])]

    def page(self, asked: Asked, key: str, found: list) -> Reply:
        start = int(asked.one("pageToken", "0"))
        some, more = pages(found, start, 1)
        answer = {key: some} if found else {}
        return Reply(200, {**answer, "nextPageToken": str(start + 1)} if more else answer)

    def refusal(self, status: int, message: str, reason: str = "notFound") -> Reply:
        return Reply(status, {"error": {"code": status, "message": message, "errors": [{"reason": reason}]}})

    def test_is_user_in_group(self) -> None:
        for email, group, want in [
            ("alice@example.com", "sre@example.com", True),
            ("bob@example.com", "sre@example.com", True),  # by the group in it
            ("bob@example.com", "empty@example.com", False),
            ("guest@elsewhere.com", "sre@example.com", True),
            ("suspended@example.com", "sre@example.com", False),
            ("archived@example.com", "sre@example.com", False),  # by the group in it
            ("guest@elsewhere.com", "oncall@example.com", False),
        ]:
            with self.subTest(email=email, group=group):
                self.assertIs(google.is_user_in_group(user(email), group_email=group), want)

    def test_stored_identity_counts(self) -> None:
        alias = user("alice.a@example.com", ("google", "example.com", "alice@example.com"))
        self.assertIs(google.is_user_in_group(alias, group_email="sre@example.com"), True)

    def test_users_in_group(self) -> None:
        found = google.users_in_group("sre@example.com")
        self.assertEqual(self.emails(found), ["alice@example.com", "guest@elsewhere.com", "bob@example.com"])
        found = google.users_in_group("sre@example.com", include_indirect_members=False)
        self.assertEqual(self.emails(found), ["alice@example.com", "guest@elsewhere.com"])
        self.assertEqual(google.users_in_group("empty@example.com"), [])

    def test_group_is_not_there(self) -> None:
        failed = self.fails("NOT_FOUND", lambda: google.users_in_group("none@example.com"))
        self.assertEqual(failed.message, "Google has no group none@example.com.")
        self.fails("NOT_FOUND", lambda: google.is_user_in_group(user(), group_email="none@example.com"))
        self.fails("MISSING_ARGUMENT", lambda: google.users_in_group(""), MissingArgument)

    def test_list_groups(self) -> None:
        self.assertEqual([g["name"] for g in google.list_groups()], ["sre", "oncall", "empty"])
        self.assertEqual(google.list_groups("elsewhere.com"), [])

    def test_too_many_requests_as_403(self) -> None:
        self.server.first = [*self.sign_in(), self.refusal(403, "Slow down", "userRateLimitExceeded")]
        self.assertEqual(len(google.list_groups()), 3)

    def test_without_impersonation(self) -> None:
        del self.integration._settings["service_account_impersonation_url"]
        self.server.first = [Reply(200, {"access_token": "g00gl3"})]
        self.assertEqual(len(google.list_groups()), 3)
        self.assertIn("admin.directory.group.readonly", self.server.asked[0].json["scope"])

    def test_exchange_is_refused(self) -> None:
        refusal = {"error": "unauthorized_client", "error_description": "The caller does not match the condition."}
        self.server.first = [Reply(400, refusal)]
        failed = self.fails("REJECTED", self.call)
        self.assertIn("does not match the condition", failed.message)
        self.assertIn("audience", failed.hint)

    def test_settings_are_missing(self) -> None:
        del self.integration._settings["audience"]
        self.fails("NOT_CONFIGURED", self.call)

    def test_token_url_is_not_safe(self) -> None:
        self.integration._settings["token_url"] = "http://sts.example.com/v1/token"
        self.fails("BAD_URL", self.call)

    def test_no_credentials_of_aws(self) -> None:
        with mock.patch.dict(os.environ, {"AWS_REGION": "us-east-1"}, clear=True):
            self.fails("NO_CREDENTIALS", self.call, AWSError)


if __name__ == "__main__":
    unittest.main()
