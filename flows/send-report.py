"""Runs the function report for a request that was approved, and tells the requester."""

from sym.sdk.annotations import hook
from sym.sdk.integrations import aws_lambda, slack


@hook
def after_approve(event):
    requester = event.get_actor("request")
    fields = event.payload.fields
    answer = aws_lambda.invoke(
        event.flow.vars["report_arn"],
        {"table": fields["table"], "rows": fields["rows"], "requester": requester.email, "run": event.run.id},
    )
    slack.send_message(requester, slack.escape(answer["report"]))
