"""What handlers can ask of other systems: `from sym.sdk.integrations import slack, pagerduty`.

One module per system. A call uses the integration of that type in the flow's
environment, or the one of the flow's strategy. Failures are exceptions of the
system, such as OktaError, with a code, a message and what to do about it.
"""
