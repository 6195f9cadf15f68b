"""Sends requests where the requester's department is, and lets a group of Okta approve."""

from sym.sdk.annotations import hook, reducer
from sym.sdk.integrations import okta, slack
from sym.sdk.notifications import Notification
from sym.sdk.request_permission import PermissionLevel, RequestPermission
from sym.sdk.templates import ApprovalTemplate


@reducer
def get_permissions(event):
    return RequestPermission(webapp_view=PermissionLevel.MEMBER, approve_deny=PermissionLevel.MEMBER)


@reducer
def get_request_notifications(event):
    department = okta.get_user_info(event.user)["profile"].get("department")
    channel = "#deploys" if department == "Engineering" else "#access-prod"
    return [Notification(destinations=[slack.channel(channel)], timeout=3600)]


@hook
def on_approve(event):
    if not okta.is_user_in_group(event.user, group_id=event.flow.vars["approvers"]):
        return ApprovalTemplate.ignore(message="Only the group of approvers in Okta may approve.")
