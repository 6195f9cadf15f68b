"""Tells CloudFormation that publish has ended without an answer.

Lambda calls it with what publish was asked and how that failed, if publish could
not start, ran out of time or memory, or was never run
(https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html).
Without it CloudFormation would wait, and say no more than that it timed out.
"""

import json
import urllib.request

LONGEST = 2000  # characters: CloudFormation takes an answer of 4 KB


def handler(event, context):
    asked, said = event["requestPayload"], event.get("responsePayload") or {}
    why = event.get("requestContext", {}).get("condition", "unknown")
    if isinstance(said, dict) and said.get("errorMessage"):
        why = f"{said.get('errorType', 'error')}: {said['errorMessage']}"
    answer = {
        "Status": "FAILED" if asked["RequestType"] != "Delete" else "SUCCESS",
        "Reason": f"publish gave no answer ({why[:LONGEST]}); its log is in CloudWatch, and is kept",
        "PhysicalResourceId": asked.get("PhysicalResourceId", "symflows-configuration"),
        "StackId": asked["StackId"],
        "RequestId": asked["RequestId"],
        "LogicalResourceId": asked["LogicalResourceId"],
    }
    request = urllib.request.Request(asked["ResponseURL"], json.dumps(answer).encode(), {"Content-Type": ""}, method="PUT")
    with urllib.request.urlopen(request, timeout=20):
        pass
