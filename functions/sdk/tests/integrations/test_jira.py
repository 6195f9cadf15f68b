"""Jira Cloud: REST API v3, with page tokens in bodies, and documents for texts."""

import base64
import unittest

from sym.sdk.exceptions import JiraError, MissingArgument
from sym.sdk.integrations import jira
from tests.integrations.fakes import HANG_UP, Asked, Faults, IntegrationTest, Reply, pages

ISSUES = [{"id": str(i), "key": f"OPS-{i}", "fields": {"summary": f"Issue {i}"}} for i in range(1, 4)]


class JiraTest(Faults, IntegrationTest):
    service = "jira"
    error = JiraError
    external_id = "acme.atlassian.net"

    def settings(self):
        return {"api_url": self.server.url, "email": "bot@example.com"}

    def call(self):
        return jira.search_issues("project = OPS")

    def route(self, asked: Asked) -> Reply:
        pair = base64.b64encode(b"bot@example.com:s3cr3t-t0k3n").decode()
        self.assertEqual(asked.headers["Authorization"], f"Basic {pair}")
        self.assertEqual(asked.method, "POST")
        match asked.path.removeprefix("/rest/api/3/").split("/"):
            case ["search", "jql"]:
                start = int(asked.json.get("nextPageToken", "0"))
                some, more = pages(ISSUES, start, 1)
                return Reply(200, {"issues": some, "isLast": not more, **({"nextPageToken": str(start + 1)} if more else {})})
            case ["issue", "OPS-1", "comment"]:
                return Reply(201, {"id": "77", "body": asked.json["body"]})
            case ["issue"]:
                if asked.json["fields"]["project"]["key"] != "OPS":
                    return Reply(400, {"errorMessages": [], "errors": {"project": "valid project is required"}})
                return Reply(201, {"id": "10007", "key": "OPS-7", "self": f"{self.server.url}/rest/api/3/issue/10007"})
        return Reply(404, {"errorMessages": ["Issue does not exist or you do not have permission to see it."], "errors": {}})

    def test_search_issues(self) -> None:
        self.assertEqual([issue["key"] for issue in self.call()], ["OPS-1", "OPS-2", "OPS-3"])
        self.assertEqual(self.server.asked[0].json, {"jql": "project = OPS", "fields": ["*navigable"], "maxResults": 100})
        self.assertEqual(self.server.asked[1].json["nextPageToken"], "1")
        jira.search_issues("project = OPS", ["summary"], ["names", "changelog"])
        self.assertEqual(self.server.asked[-1].json["fields"], ["summary"])
        self.assertEqual(self.server.asked[-1].json["expand"], "names,changelog")

    def test_query_is_empty(self) -> None:
        for jql in ("", "  ", None):
            self.fails("BAD_ARGUMENT", lambda: jira.search_issues(jql))

    def test_query_is_refused(self) -> None:
        self.server.first = [Reply(400, {"errorMessages": ["The operator 'is' needs EMPTY."], "errors": {}})]
        self.assertIn("needs EMPTY", self.fails("REJECTED", self.call).message)

    def test_add_comment_to_issue(self) -> None:
        self.assertIsNone(jira.add_comment_to_issue("OPS-1", "Access ends.\nThanks\n\nBye", ["renderedBody"]))
        asked = self.server.asked[-1]
        self.assertEqual(asked.one("expand"), "renderedBody")
        text = lambda words: {"type": "text", "text": words}
        self.assertEqual(asked.json["body"], {
            "type": "doc",
            "version": 1,
            "content": [
                {"type": "paragraph", "content": [text("Access ends."), {"type": "hardBreak"}, text("Thanks")]},
                {"type": "paragraph", "content": [text("Bye")]},
            ],
        })

    def test_issue_is_not_there(self) -> None:
        failed = self.fails("NOT_FOUND", lambda: jira.add_comment_to_issue("OPS-9", "Hello"))
        self.assertEqual(failed.message, "Jira has no issue OPS-9.")

    def test_create_issue(self) -> None:
        self.assertEqual(jira.create_issue("Review", "OPS", "Task"), "OPS-7")
        self.assertEqual(self.server.asked[-1].json["fields"], {
            "summary": "Review", "project": {"key": "OPS"}, "issuetype": {"name": "Task"},
        })
        jira.create_issue(
            "Review", "OPS", "Sub-task", description="Why", due_date="2026-03-31", labels=["access"],
            parent_issue_id_or_key="OPS-1", priority_id="3", custom_fields={"customfield_10010": 5},
        )
        fields = self.server.asked[-1].json["fields"]
        self.assertEqual(fields["description"]["content"][0]["content"], [{"type": "text", "text": "Why"}])
        self.assertEqual(fields["parent"], {"key": "OPS-1"})
        self.assertEqual(
            {name: fields[name] for name in ("duedate", "labels", "priority", "customfield_10010")},
            {"duedate": "2026-03-31", "labels": ["access"], "priority": {"id": "3"}, "customfield_10010": 5},
        )
        jira.create_issue("Review", "OPS", "Sub-task", parent_issue_id_or_key="10001")
        self.assertEqual(self.server.asked[-1].json["fields"]["parent"], {"id": "10001"})

    def test_field_is_refused(self) -> None:
        failed = self.fails("REJECTED", lambda: jira.create_issue("Review", "NONE", "Task"))
        self.assertIn("project: valid project is required", failed.message)

    def test_what_may_have_been_done_is_not_done_again(self) -> None:
        for call in (lambda: jira.create_issue("Review", "OPS", "Task"), lambda: jira.add_comment_to_issue("OPS-1", "Hi")):
            for fault in (Reply(500, {}), Reply(503, {}), HANG_UP):
                self.server.asked.clear()
                self.server.first = [fault]
                self.fails("UNAVAILABLE", call)
                self.assertEqual(len(self.server.asked), 1)
            # What was not taken at all is.
            self.server.first = [Reply(429, {}, {"Retry-After": "1"})]
            call()

    def test_arguments(self) -> None:
        for call in (
            lambda: jira.create_issue("", "OPS", "Task"),
            lambda: jira.create_issue("Review", None, "Task"),
            lambda: jira.create_issue("Review", "OPS", ""),
            lambda: jira.add_comment_to_issue("", "Hi"),
            lambda: jira.add_comment_to_issue("OPS-1", ""),
        ):
            self.fails("MISSING_ARGUMENT", call, MissingArgument)

    def test_account_is_missing(self) -> None:
        del self.integration._settings["email"]
        self.fails("NOT_CONFIGURED", self.call)


if __name__ == "__main__":
    unittest.main()
