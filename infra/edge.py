"""Lets those requests pass that come by way of CloudFront, which knows a secret.

The API's own domain can be reached by anybody: without this, so could everything that
the firewall at CloudFront keeps out.
"""

import hmac
import os

import boto3

_secret = None


def handler(event, context):
    global _secret
    if _secret is None:
        answer = boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["EDGE_SECRET"])
        _secret = answer["SecretString"]
    given = (event.get("headers") or {}).get("x-sym-edge", "")
    return {"isAuthorized": hmac.compare_digest(given.encode(), _secret.encode())}
