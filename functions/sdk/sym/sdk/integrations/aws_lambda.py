"""Invoking AWS Lambda functions.

The handlers' function may invoke what its environment lists in lambda_arns. An
integration is not needed; if the environment has one (type `aws_lambda` or
`permission_context`) with role_arn among its settings, that role invokes.
"""

import json
import re
from typing import Any, Union

from sym.sdk import runtime
from sym.sdk.event import Event
from sym.sdk.exceptions import AWSLambdaError, SDKError
from sym.sdk.integrations import _aws, _lookup
from sym.sdk.integrations._http import Answer, Client, quote
from sym.sdk.integrations._record import record

_ARN = re.compile(r"arn:aws[a-z-]*:lambda:(?P<region>[a-z0-9-]+):\d{12}:function:[A-Za-z0-9_-]+(:[A-Za-z0-9$_-]+)?")
_LONGEST = 900.0  # seconds that a function can run


def invoke(arn: str, payload: Union[Event, dict[str, Any], None] = None) -> Any:
    """Invokes a function, waits for its result and returns that, decoded from JSON.

    It is invoked once: a failure is not tried again, for the function may have done a part of its work.

    Args:
        arn: the function's ARN, with or without version or alias.
        payload: what it gets, JSON-ready, or the event in the form
            of its audit record. None: an empty object.

    Raises:
        AWSLambdaError: the function failed (AWSLambda:FUNCTION_ERROR), or can't be invoked.

    Example:
        rows = aws_lambda.invoke(event.flow.vars["lambda_arn"], {"table": event.payload.fields["table"]})["rows"]
    """
    return _invoke("invoke", arn, payload)


def invoke_async(arn: str, payload: Union[Event, dict[str, Any], None] = None) -> bool:
    """Has a function invoked soon, without waiting for its result.

    Args:
        arn: the function's ARN, with or without version or alias.
        payload: what it gets, JSON-ready, or the event in the form
            of its audit record. None: an empty object.

    Returns:
        Whether Lambda took it. What the function does then is not known here.

    Raises:
        AWSLambdaError: the function can't be invoked.

    Example:
        aws_lambda.invoke_async(event.flow.vars["lambda_arn"], event)
    """
    return _invoke("invoke_async", arn, payload) is True


def _invoke(op: str, arn: str, payload: Union[Event, dict[str, Any], None]) -> Any:
    known = _ARN.fullmatch(_lookup.needed("arn", arn))
    if not known:
        raise AWSLambdaError(
            "BAD_ARN", f"{arn!r} is no ARN of a function.", "Use arn:aws:lambda:<region>:<account>:function:<name>."
        )
    if isinstance(payload, Event):
        payload = record(payload)
    try:
        body = json.dumps(payload or {}).encode()
    except (TypeError, ValueError) as fault:
        raise AWSLambdaError("BAD_PAYLOAD", f"The payload is not JSON-ready: {fault}.", "Use plain values.") from None
    if runtime.services().offers("invoke"):
        return _lookup.ask(AWSLambdaError, op, arn=arn, payload=json.loads(body))
    answer = _lambda(known["region"]).request(
        "POST",
        f"/2015-03-31/functions/{quote(arn)}/invocations",
        body=body,
        headers={
            "Content-Type": "application/json",
            "X-Amz-Invocation-Type": "Event" if op == "invoke_async" else "RequestResponse",
        },
        what=f"function {arn}",
        timeout=_LONGEST,
    )
    return answer.status == 202 if op == "invoke_async" else _result(arn, answer)


def _lambda(region: str) -> Client:
    try:
        integration = _lookup.integration("aws_lambda")
    except SDKError:
        return _aws.Service(AWSLambdaError, "lambda", region, _aws.own_credentials()).client
    return _aws.Service(AWSLambdaError, "lambda", region, _aws.credentials_of(integration), integration.name).client


def _result(arn: str, answer: Answer) -> Any:
    try:
        result = json.loads(answer.body) if answer.body.strip() else None
    except ValueError:
        raise AWSLambdaError("BAD_ANSWER", f"{arn} answered no JSON.", "Let the function return plain values.") from None
    if answer.headers.get("X-Amz-Function-Error"):
        fault = result if isinstance(result, dict) else {}
        words = ": ".join(str(fault[key]) for key in ("errorType", "errorMessage") if fault.get(key))
        raise AWSLambdaError("FUNCTION_ERROR", f"{arn} failed{': ' + words if words else '.'}", "See the function's log.")
    return result
