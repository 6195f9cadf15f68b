"""Repositories of GitHub.

The integration (type `github`) has your organization as external_id and a token as
api_token_secret, which may read the repositories' metadata (a classic token: `repo`).
GitHub Enterprise Server also has `api_url: https://github.example.com/api/v3`.

A collaborator counts unless GitHub says that the account is suspended.

https://docs.github.com/en/rest
"""

from collections.abc import Iterable
from typing import Literal, Union

from sym.sdk.exceptions import GitHubError
from sym.sdk.integrations import _lookup
from sym.sdk.integrations._http import Answer, Client, quote, words_at
from sym.sdk.user import User

GitHubDefaultRolesT = Literal["read", "triage", "write", "maintain", "admin"]
GitHubRoleT = Union[GitHubDefaultRolesT, str]


def get_repo_collaborators(*, repo_name: str, roles: Iterable[GitHubRoleT]) -> list[User]:
    """The people with one of some roles in a repository, as our users.

    A person has one role: an admin is not found under "write", so ask for both. Only
    people are found whose GitHub login is stored as a user's identity for the
    integration's organization (sym.sdk.utils.persist_user_identity).

    Args:
        repo_name: the repository's name, without the organization.
        roles: "read", "triage", "write", "maintain", "admin", or the name of a role
            of your own.

    Raises:
        GitHubError: there is no such repository (GitHub:NOT_FOUND), or GitHub can't be asked.
        MissingArgument: an argument is missing.

    Example:
        approve_deny=user_ids(github.get_repo_collaborators(repo_name="infra", roles={"admin", "maintain"}))
    """
    wanted = set([roles] if isinstance(roles, str) else _lookup.needed("roles", roles, Iterable))
    _lookup.needed("roles", wanted or None, set)
    integration = _lookup.integration("github")
    organization = integration.external_id
    token = integration.secret("api_token_secret").retrieve_value()
    github = _lookup.client(
        GitHubError,
        integration,
        "https://api.github.com",
        headers={
            "Authorization": f"Bearer {token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        },
        secrets=(token,),
        words=words_at("message"),
        meaning=_meaning,
        hints={
            401: f"Check api_token_secret of integration {integration.name}: wrong, expired or revoked?",
            403: f"Let the token of integration {integration.name} read the repository's collaborators;"
            " a fine-grained token needs Metadata: read.",
        },
    )
    people = github.pages_by_link(
        f"/repos/{quote(organization)}/{quote(_lookup.needed('repo_name', repo_name))}/collaborators",
        {"per_page": 100},
        what=f"repository {organization}/{repo_name}",
    )
    logins = [person["login"] for person in people if person.get("role_name") in wanted]
    if not logins:
        return []
    # Those first whom we know: GitHub tells who is suspended one by one.
    found = _lookup.ask(GitHubError, "users_by_identities", service="github", service_id=organization, user_ids=logins)
    return [user for user in _lookup.found_users(found) if _is_active(github, user, organization)]


def _is_active(github: Client, user: User, organization: str) -> bool:
    identity = user.identity("github", organization)
    account = github.find(f"/users/{quote(identity.user_id)}") if identity else None
    return not (account or {}).get("suspended_at")


def _meaning(answer: Answer) -> int:
    """GitHub says 403 for too many requests too, in one of two ways."""
    if answer.status == 403 and (
        answer.headers.get("Retry-After") or answer.headers.get("X-RateLimit-Remaining") == "0"
    ):
        return 429
    return answer.status
