"""What handlers of flows import: hooks and reducers, events and users, exceptions
and integrations.

    from sym.sdk.annotations import hook, reducer
    from sym.sdk.integrations import pagerduty, slack
    from sym.sdk.templates import ApprovalTemplate
"""
