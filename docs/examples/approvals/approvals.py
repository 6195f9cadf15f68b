"""Some people approve; they and the requester deny."""

from sym.sdk.annotations import hook, reducer
from sym.sdk.request_permission import PermissionLevel, RequestPermission
from sym.sdk.templates import ApprovalTemplate


@reducer
def get_permissions(event):
    # Everybody sees the buttons, requesters among them. The hooks say whose count.
    return RequestPermission(
        webapp_view=PermissionLevel.MEMBER, approve_deny=PermissionLevel.MEMBER, allow_self_approval=True
    )


@hook
def on_approve(event):
    if event.user.id == event.get_actor("request").id:
        return ApprovalTemplate.ignore(message="Somebody else has to approve what you ask for.")
    if not may_decide(event):
        return ApprovalTemplate.ignore(message=f"Only {event.flow.vars['approvers']} may approve.")


@hook
def on_deny(event):
    if event.user.id != event.get_actor("request").id and not may_decide(event):
        return ApprovalTemplate.ignore(message=f"Only {event.flow.vars['approvers']} and the requester may deny.")


def may_decide(event):
    return event.user.email in [address.strip() for address in event.flow.vars["approvers"].split(",")]
