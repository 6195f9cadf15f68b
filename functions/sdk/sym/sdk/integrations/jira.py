"""Issues of Jira Cloud.

The integration (type `jira`) has your site, such as "example.atlassian.net", as
external_id, and the e-mail address and API token of an account as email and
api_token_secret.

https://developer.atlassian.com/cloud/jira/platform/rest/v3/intro/
"""

import base64
from typing import Any

from sym.sdk.exceptions import JiraError
from sym.sdk.integrations import _lookup
from sym.sdk.integrations._http import Answer, Client, quote, words_at

_PAGE = 100


def search_issues(
    jql: str, fields: list[str] | None = None, expand: list[str] | None = None
) -> list[dict[str, Any]]:
    """The issues that a query finds, as Jira's search has them.

    Args:
        jql: the query, such as 'project = OPS AND status = "In Progress"'. Jira refuses
            one that does not limit what is searched.
        fields: which fields to tell of each issue. None: all that can be seen.
        expand: more to tell, such as "renderedFields" or "changelog".

    Raises:
        JiraError: the query is empty (Jira:BAD_ARGUMENT) or refused, or Jira can't be asked.

    Example:
        if not jira.search_issues(f'key = "{ticket}" AND assignee = "{event.user.email}"'):
            return ApprovalTemplate.ignore(message="The ticket is not yours.")
    """
    if not isinstance(jql, str) or not jql.strip():
        raise JiraError("BAD_ARGUMENT", "The query is empty.", "Pass a query in JQL, such as 'project = OPS'.")
    jira = _connect()
    body = {"jql": jql, "fields": fields or ["*navigable"], "maxResults": _PAGE}
    if expand:
        body["expand"] = ",".join(expand)

    def ask(path: str, params: Any) -> Answer:
        return jira.send_json("POST", path, params, repeatable=True)

    def following(page: Any, _: Answer, __: Any) -> dict[str, str] | None:
        return {"nextPageToken": page["nextPageToken"]} if page.get("nextPageToken") else None

    return list(jira.pages("/rest/api/3/search/jql", body, lambda page: page["issues"], following, ask=ask))


def add_comment_to_issue(issue_id_or_key: str, comment: str, expand: list[str] | None = None) -> None:
    """Adds a comment to an issue.

    Args:
        issue_id_or_key: such as "OPS-123".
        comment: the text. Empty lines separate paragraphs.
        expand: more for Jira to work out of the comment, such as "renderedBody".

    Raises:
        JiraError: there is no such issue (Jira:NOT_FOUND), or Jira can't be asked.

    Example:
        jira.add_comment_to_issue(event.payload.fields["ticket"], f"{event.user.name} has access now.")
    """
    _lookup.needed("issue_id_or_key", issue_id_or_key)
    _lookup.needed("comment", comment)
    path = f"/rest/api/3/issue/{quote(issue_id_or_key)}/comment"
    params = {"expand": ",".join(expand)} if expand else None
    _connect().post(path, {"body": _document(comment)}, params, what=f"issue {issue_id_or_key}")


def create_issue(
    title: str,
    project_key: str,
    issue_type_name: str,
    description: str | None = None,
    due_date: str | None = None,
    labels: list[str] | None = None,
    parent_issue_id_or_key: str | None = None,
    priority_id: str | None = None,
    custom_fields: dict[str, Any] | None = None,
) -> str:
    """Creates an issue.

    Args:
        title: its summary.
        project_key: the project that it belongs to, such as "OPS".
        issue_type_name: its type, such as "Task".
        description: a text. Empty lines separate paragraphs.
        due_date: as YYYY-MM-DD.
        labels: without spaces.
        parent_issue_id_or_key: the issue that it is part of; its type must allow that.
        priority_id: the id of a priority, such as "3".
        custom_fields: more fields by their ids, such as {"customfield_10010": …}, with
            values in the form that Jira wants them in.

    Returns:
        The issue's key, such as "OPS-124".

    Raises:
        JiraError: Jira refuses a field (Jira:REJECTED), and says which, or can't be asked.

    Example:
        key = jira.create_issue("Review access", "OPS", "Task", due_date="2026-03-31", labels=["access"])
    """
    fields: dict[str, Any] = {
        **(custom_fields or {}),
        "summary": _lookup.needed("title", title),
        "project": {"key": _lookup.needed("project_key", project_key)},
        "issuetype": {"name": _lookup.needed("issue_type_name", issue_type_name)},
    }
    if description:
        fields["description"] = _document(description)
    if due_date:
        fields["duedate"] = due_date
    if labels:
        fields["labels"] = list(labels)
    if parent_issue_id_or_key:
        fields["parent"] = {"id" if parent_issue_id_or_key.isdigit() else "key": parent_issue_id_or_key}
    if priority_id:
        fields["priority"] = {"id": str(priority_id)}
    answer = _connect().post("/rest/api/3/issue", {"fields": fields})
    key = answer.get("key")
    if not key:
        raise JiraError("BAD_ANSWER", "Jira did not tell the key of the issue.", "Look for it before you try again.")
    return key


def _connect() -> Client:
    integration = _lookup.integration("jira")
    account = _lookup.setting(JiraError, integration, "email")
    token = integration.secret("api_token_secret").retrieve_value()
    pair = base64.b64encode(f"{account}:{token}".encode()).decode()
    return _lookup.client(
        JiraError,
        integration,
        _lookup.host(JiraError, integration),
        headers={"Authorization": f"Basic {pair}"},
        secrets=(token, pair),
        words=words_at("errorMessages", "errors", "message"),
        hints={
            401: f"Check email and api_token_secret of integration {integration.name}: wrong, expired or revoked?",
            403: f"Give the account of integration {integration.name} the permission for this in the project.",
        },
    )


def _document(text: str) -> dict[str, Any]:
    """A text in the Atlassian Document Format: paragraphs, with breaks between lines."""
    paragraphs = []
    for paragraph in text.replace("\r\n", "\n").split("\n\n"):
        content: list[dict[str, Any]] = []
        for line in paragraph.split("\n"):
            if content:
                content.append({"type": "hardBreak"})
            if line:
                content.append({"type": "text", "text": line})
        paragraphs.append({"type": "paragraph", "content": content})
    return {"type": "doc", "version": 1, "content": paragraphs}
