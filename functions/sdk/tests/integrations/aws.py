"""Plays AWS's side of signatures, as its documentation has it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hashlib
import hmac
import re
import urllib.parse
from collections.abc import Mapping

from tests.integrations.fakes import Asked

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"  # the example of AWS's documentation
ENVIRONMENT = {
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_SESSION_TOKEN": "s3ss10n",
}


def verify(
    method: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes,
    service: str,
    *,
    secret: str = SECRET,
    region: str = "us-east-1",
    must_sign: str = "host",
) -> None:
    """Raises AssertionError unless a request is signed for a service.

    Args:
        target: path and query, as they come.
        headers: by lower-case names.
        must_sign: a header that has to be signed too.
    """
    found = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=(\w+)/(\d{8})/([\w-]+)/([\w-]+)/aws4_request, "
        r"SignedHeaders=([\w;-]+), Signature=([0-9a-f]{64})",
        headers.get("authorization", ""),
    )
    assert found, f"no signature: {headers.get('authorization')}"
    _, day, for_region, for_service, names, signature = found.groups()
    assert (for_region, for_service) == (region, service), (for_region, for_service)
    signed = names.split(";")
    assert {"host", "x-amz-date", must_sign} <= set(signed) and signed == sorted(signed), signed
    path, _, query = target.partition("?")
    lines = [method, urllib.parse.quote(path or "/", safe="/-_.~"), "&".join(sorted(query.split("&"))) if query else ""]
    lines += [f"{name}:{headers[name].strip()}" for name in signed]
    lines += ["", names, hashlib.sha256(body).hexdigest()]
    text = "\n".join([
        "AWS4-HMAC-SHA256",
        headers["x-amz-date"],
        f"{day}/{region}/{service}/aws4_request",
        hashlib.sha256("\n".join(lines).encode()).hexdigest(),
    ])
    key = ("AWS4" + secret).encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    want = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    assert hmac.compare_digest(want, signature), "SignatureDoesNotMatch"


def check(asked: Asked, service: str, *, secret: str = SECRET, region: str = "us-east-1", token: str = "s3ss10n") -> None:
    """Raises AssertionError unless a request that the server got is signed for a service."""
    headers = {name.lower(): value for name, value in asked.headers.items()}
    assert headers.get("x-amz-security-token", "") == token, headers.get("x-amz-security-token")
    verify(asked.method, asked.target, headers, asked.body, service, secret=secret, region=region)
