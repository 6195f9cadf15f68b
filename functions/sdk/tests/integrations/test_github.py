"""GitHub: REST API, with pages by Link, and 403 for too many requests."""

import unittest

from sym.sdk.exceptions import GitHubError, MissingArgument
from sym.sdk.integrations import github
from tests.integrations.fakes import Asked, Faults, IntegrationTest, Reply, pages, wire_user

PEOPLE = [
    {"login": "alice-gh", "role_name": "admin", "permissions": {"admin": True, "push": True}},
    {"login": "bob-gh", "role_name": "write", "permissions": {"admin": False, "push": True}},
    {"login": "carol-gh", "role_name": "release-manager", "permissions": {"push": True}},
    {"login": "dave-gh", "role_name": "admin", "permissions": {"admin": True}},
    {"login": "erin-gh", "role_name": "admin", "permissions": {"admin": True}},
    {"login": "stranger", "role_name": "admin", "permissions": {"admin": True}},
]
KNOWN = {"alice-gh": "alice@example.com", "bob-gh": "bob@example.com", "carol-gh": "carol@example.com",
         "dave-gh": "dave@example.com", "erin-gh": "erin@example.com"}
SUSPENDED = {"alice-gh": None, "dave-gh": "2026-01-01T00:00:00Z"}  # of erin, nothing is told


class GitHubTest(Faults, IntegrationTest):
    service = "github"
    error = GitHubError
    external_id = "acme"

    def setUp(self) -> None:
        super().setUp()
        self.services.ops["users_by_identities"] = self.users_by_identities

    def users_by_identities(self, service: str, service_id: str, user_ids: list) -> list:
        self.assertEqual((service, service_id), ("github", "acme"))
        return [
            wire_user(KNOWN[login], identities=[{"service": "github", "service_id": "acme", "user_id": login}])
            for login in user_ids
            if login in KNOWN
        ]

    def call(self):
        return github.get_repo_collaborators(repo_name="infra", roles={"admin"})

    def route(self, asked: Asked) -> Reply:
        self.assertEqual(asked.headers["Authorization"], "Bearer s3cr3t-t0k3n")
        self.assertEqual(asked.headers["Accept"], "application/vnd.github+json")
        self.assertEqual(asked.headers["X-GitHub-Api-Version"], "2022-11-28")
        if asked.path.startswith("/users/"):
            login = asked.path.removeprefix("/users/")
            self.assertIn(login, KNOWN)
            if login != "erin-gh":
                return Reply(200, {"login": login, "suspended_at": SUSPENDED.get(login)})
        if asked.path == "/repos/acme/old-infra/collaborators":
            return Reply(301, {"message": "Moved Permanently"}, {"Location": f"{self.server.url}/repositories/7/collaborators"})
        if asked.path not in ("/repos/acme/infra/collaborators", "/repositories/7/collaborators"):
            return Reply(404, {"message": "Not Found", "documentation_url": "https://docs.github.com/rest"})
        page = int(asked.one("page", "1"))
        some, more = pages(PEOPLE, page - 1, 1)
        link = f'<{self.server.url}{asked.path}?per_page=100&page={page + 1}>; rel="next", <{self.server.url}/x>; rel="last"'
        return Reply(200, some, {"Link": link} if more else {})

    def test_roles(self) -> None:
        for roles, want in [
            ({"admin"}, ["alice@example.com", "erin@example.com"]),
            (["write"], ["bob@example.com"]),
            (("admin", "write"), ["alice@example.com", "bob@example.com", "erin@example.com"]),
            ("release-manager", ["carol@example.com"]),
            (["triage"], []),
        ]:
            with self.subTest(roles=roles):
                self.assertEqual(self.emails(github.get_repo_collaborators(repo_name="infra", roles=roles)), want)

    def test_repository_is_not_there(self) -> None:
        call = lambda: github.get_repo_collaborators(repo_name="none", roles={"admin"})
        self.assertEqual(self.fails("NOT_FOUND", call).message, "GitHub has no repository acme/none.")

    def test_repository_was_renamed(self) -> None:
        found = github.get_repo_collaborators(repo_name="old-infra", roles={"admin"})
        self.assertEqual(self.emails(found), ["alice@example.com", "erin@example.com"])

    def test_redirect_to_another_server(self) -> None:
        self.server.first = [Reply(301, {}, {"Location": "https://evil.example.com/"})]
        self.fails("REJECTED", self.call)
        self.assertEqual(len(self.server.asked), 1)

    def test_too_many_requests_as_403(self) -> None:
        first = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(self.clock.time) + 4)}
        second = {"Retry-After": "5"}
        for headers, slept in [(first, 4.0), (second, 5.0)]:
            with self.subTest(headers=headers):
                self.clock.slept.clear()
                self.clock.time = 1_772_452_800.0
                self.server.first = [Reply(403, {"message": "API rate limit exceeded"}, headers)]
                self.assertEqual(len(self.call()), 2)
                self.assertEqual(self.clock.slept, [slept])

    def test_arguments(self) -> None:
        for args in ({"repo_name": "", "roles": {"admin"}}, {"repo_name": "infra", "roles": []}, {"repo_name": "infra", "roles": None}):
            with self.subTest(args=args):
                self.fails("MISSING_ARGUMENT", lambda: github.get_repo_collaborators(**args), MissingArgument)


if __name__ == "__main__":
    unittest.main()
