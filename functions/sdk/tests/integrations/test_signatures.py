"""The contract of every module: which functions there are, with which signatures.

Handlers that were written for Sym call them by position and by keyword, so each name,
order and default is fixed. A bare * stands for the keyword-only part.
"""

import importlib
import inspect
import pkgutil
import typing
import unittest

from sym.sdk import integrations

WHERE = "escalation_policy_name=None, escalation_policy_id=None, schedule_name=None, schedule_id=None, escalation_level=None"
INCIDENTS = "*, assignees=None, service_ids=None, statuses=None, urgencies=None, since=None, until=None"

SIGNATURES = {
    "slack": {
        "user": "identifier, allow_self=False, timeout=None",
        "mention": "identifier",
        "escape": "text",
        "channel": "name, allow_self=False, timeout=None",
        "group": "users, allow_self=False, timeout=None",
        "fallback": "*destinations, continue_on_delivery_failure=True, continue_on_timeout=False",
        "send_message": "destination, message",
        "send_thread_message": "message",
        "get_user_info": "user",
        "list_users": "active_only=True",
        "is_user_in_group": "user, *, group_id",
        "users_in_channel": "channel",
    },
    "pagerduty": {
        "is_on_call": f"user, *, {WHERE}",
        "users_on_call": f"*, {WHERE}",
        "users_for_schedule": "*, schedule_name=None, schedule_id=None, escalation_level=None",
        "get_incidents": INCIDENTS,
        "has_incident": INCIDENTS,
    },
    "okta": {
        "is_user_in_group": "user, *, group_id",
        "users_in_group": "*, group_id",
        "get_user_info": "user",
        "list_groups": "*, name_filter=None, filter=None, expand=None, only_native_groups=True",
    },
    "onelogin": {
        "list_roles": "name_filter=None",
        "get_user_info": "user",
        "users_in_role": "role_id",
        "is_user_in_role": "user, *, role_id",
    },
    "google": {
        "is_user_in_group": "user, *, group_email",
        "list_groups": "domain=None",
        "users_in_group": "group_email, *, include_indirect_members=True",
    },
    "github": {"get_repo_collaborators": "*, repo_name, roles"},
    "aws_iam": {"is_user_in_group": "user, *, group_name"},
    "aws_sso": {
        "is_user_in_group": "user, *, group_name",
        "list_groups": "",
        "users_in_group": "group_name",
        "list_accounts": "organizational_unit_id=None",
    },
    "aws_lambda": {"invoke": "arn, payload=None", "invoke_async": "arn, payload=None"},
    "boundary": {"list_groups": "scope_id='global', filter=None, recursive=False", "get_group": "group_id"},
    "jira": {
        "search_issues": "jql, fields=None, expand=None",
        "add_comment_to_issue": "issue_id_or_key, comment, expand=None",
        "create_issue": "title, project_key, issue_type_name, description=None, due_date=None, labels=None, "
        "parent_issue_id_or_key=None, priority_id=None, custom_fields=None",
    },
    "knowbe4": {
        "get_training_enrollments_for_user": "user, store_purchase_id=None, campaign_id=None",
        "is_user_in_group": "user, group_id",
    },
    "sym": {
        "get_or_create_user_by_email": "email",
        "get_or_create_users_by_emails": "emails, raise_on_error=False",
    },
    "store": {"fetch": "path", "put": "path, value, *, shared=False"},
}

ENUMS = {
    "PagerDutyStatus": {"TRIGGERED": "triggered", "ACKNOWLEDGED": "acknowledged", "RESOLVED": "resolved"},
    "PagerDutyUrgency": {"LOW": "low", "HIGH": "high"},
}


def functions(name: str) -> dict[str, typing.Any]:
    module = importlib.import_module(f"sym.sdk.integrations.{name}")
    return {
        name: function
        for name, function in vars(module).items()
        if inspect.isfunction(function) and not name.startswith("_") and function.__module__ == module.__name__
    }


def plain(function: typing.Any) -> str:
    """The signature without annotations."""
    signature = inspect.signature(function)
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
    return str(inspect.Signature(bare))[1:-1]


class ContractTest(unittest.TestCase):
    def test_modules(self) -> None:
        found = {module.name for module in pkgutil.iter_modules(integrations.__path__)}
        self.assertEqual({name for name in found if not name.startswith("_")}, set(SIGNATURES))

    def test_signatures(self) -> None:
        for name, want in SIGNATURES.items():
            with self.subTest(module=name):
                self.assertEqual({fn: plain(function) for fn, function in functions(name).items()}, want)

    def test_every_function_is_documented_and_typed(self) -> None:
        for module in SIGNATURES:
            for name, function in functions(module).items():
                with self.subTest(function=f"{module}.{name}"):
                    doc = inspect.getdoc(function) or ""
                    if (module, name) != ("slack", "escape"):  # which takes everything
                        self.assertIn("Raises:", doc.replace("Args and Raises:", "Raises:"))
                    self.assertIn("Example:", doc)
                    hints = typing.get_type_hints(function)
                    self.assertEqual(set(hints), {*inspect.signature(function).parameters, "return"})

    def test_enums_of_pagerduty(self) -> None:
        module = importlib.import_module("sym.sdk.integrations.pagerduty")
        for name, members in ENUMS.items():
            enum = getattr(module, name)
            self.assertEqual({member.name: member.value for member in enum}, members)
            self.assertTrue(issubclass(enum, str))

    def test_exceptions_can_be_imported_from_the_modules_that_raise_them(self) -> None:
        for module, error in [
            ("slack", "SlackError"), ("pagerduty", "PagerDutyError"), ("okta", "OktaError"), ("onelogin", "OneLoginError"),
            ("google", "GoogleError"), ("github", "GitHubError"), ("aws_iam", "AWSIAMError"), ("aws_sso", "AWSSSOError"),
            ("aws_lambda", "AWSLambdaError"), ("boundary", "BoundaryError"), ("jira", "JiraError"), ("knowbe4", "KnowBe4Error"),
        ]:
            self.assertTrue(hasattr(importlib.import_module(f"sym.sdk.integrations.{module}"), error), module)


if __name__ == "__main__":
    unittest.main()
