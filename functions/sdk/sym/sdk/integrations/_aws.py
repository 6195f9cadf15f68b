"""AWS's APIs by HTTP: credentials, signatures (version 4), and the few protocols used.

boto3 would do all this, but takes longer to import than most handlers run, and is
not there where no pip is. Credentials come from the environment, as in Lambda, or
from the container's address; addresses honour AWS_ENDPOINT_URL and
AWS_ENDPOINT_URL_<SERVICE> as AWS's own tools do.
"""

import hashlib
import hmac
import json
import os
import re
import urllib.parse
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sym.sdk import runtime
from sym.sdk.exceptions import AWSError
from sym.sdk.integration import Integration
from sym.sdk.integrations import _lookup
from sym.sdk.integrations._http import Answer, Client, Request

_THROTTLED = re.compile(r"Throttl|TooManyRequests|RequestLimitExceeded|SlowDown|EC2Throttled")
_MISSING = re.compile(r"NoSuchEntity|NotFound")
_REFUSED = re.compile(r"AccessDenied|UnauthorizedOperation")
_UNKNOWN = re.compile(
    r"ExpiredToken|InvalidClientTokenId|UnrecognizedClient|SignatureDoesNotMatch|InvalidSignature|MissingAuthentication"
)


@dataclass(frozen=True)
class Credentials:
    """What AWS requests are signed with."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str = field(default="", repr=False)


def sign(request: Request, credentials: Credentials, region: str, service: str, when: datetime) -> dict[str, str]:
    """The headers of a request with its signature among them.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html

    Args:
        service: the name that the service is signed for, such as "identitystore".
        when: the time, in UTC. AWS takes it for five minutes.
    """
    url = urllib.parse.urlsplit(request.url)
    stamp = when.strftime("%Y%m%dT%H%M%SZ")
    headers = {**request.headers, "Host": url.netloc, "X-Amz-Date": stamp}
    if credentials.session_token:
        headers["X-Amz-Security-Token"] = credentials.session_token
    signed = {name.lower(): " ".join(value.split()) for name, value in headers.items()}
    # These two may change on the way.
    signed = {name: signed[name] for name in sorted(signed) if name not in ("user-agent", "accept")}
    query = sorted(
        f"{urllib.parse.quote(key, safe='~')}={urllib.parse.quote(value, safe='~')}"
        for key, value in urllib.parse.parse_qsl(url.query, keep_blank_values=True)
    )
    canonical = "\n".join([
        request.method,
        urllib.parse.quote(url.path or "/", safe="/~"),  # what is quoted already is quoted once more
        "&".join(query),
        *(f"{name}:{value}" for name, value in signed.items()),
        "",
        ";".join(signed),
        hashlib.sha256(request.body).hexdigest(),
    ])
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    text = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{credentials.secret_access_key}".encode()
    for part in [stamp[:8], region, service, "aws4_request"]:
        key = hmac.digest(key, part.encode(), "sha256")
    headers["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credentials.access_key_id}/{scope}, "
        f"SignedHeaders={';'.join(signed)}, Signature={hmac.digest(key, text.encode(), 'sha256').hex()}"
    )
    return headers


def own_credentials() -> Credentials:
    """The credentials of the function that we run in.

    Raises:
        AWSError: there are none.
    """
    environ = os.environ
    if environ.get("AWS_ACCESS_KEY_ID") and environ.get("AWS_SECRET_ACCESS_KEY"):
        return Credentials(
            environ["AWS_ACCESS_KEY_ID"], environ["AWS_SECRET_ACCESS_KEY"], environ.get("AWS_SESSION_TOKEN", "")
        )
    address = environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    if relative := environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"):
        address = f"http://169.254.170.2{relative}"
    if not address:
        raise AWSError(
            "NO_CREDENTIALS",
            "There are no AWS credentials here.",
            "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; in AWS, the function's role provides them.",
        )
    parts = urllib.parse.urlsplit(address)
    token = environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")
    if file := environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"):
        with open(file, encoding="utf-8") as opened:
            token = opened.read().strip()
    client = Client(
        AWSError,
        f"{parts.scheme}://{parts.netloc}",
        {"Authorization": token} if token else {},
        name="aws",
        secrets=(token,),
        trusted_hosts=("169.254.170.2", "169.254.170.23", "fd00:ec2::23"),
        remaining=runtime.remaining,
        clock=_lookup.clock,
    )
    found = client.get(f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}")
    try:
        return Credentials(found["AccessKeyId"], found["SecretAccessKey"], found.get("Token", ""))
    except KeyError:
        raise AWSError("BAD_ANSWER", "The container's address gave no AWS credentials.", "Try again later.") from None


def own_region() -> str:
    """The region that we run in. Raises AWSError if nothing says."""
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if not region:
        raise AWSError("NO_REGION", "Nothing says which AWS region to use.", "Set AWS_REGION, or the setting region.")
    return region


def credentials_of(integration: Integration) -> Credentials:
    """The credentials for an integration: those of the role in its settings, with
    external_id if that is set too, or else our own.

    Raises:
        AWSError: there are none, or the role can't be assumed.
    """
    role = integration.settings.get("role_arn")
    if not role:
        return own_credentials()
    region = integration.settings.get("region") or own_region()
    sts = Service(AWSError, "sts", region, own_credentials(), integration.name)
    answer = sts.query(
        "AssumeRole",
        "2011-06-15",
        RoleArn=role,
        RoleSessionName="sym-flows",
        DurationSeconds="900",
        ExternalId=integration.settings.get("external_id"),
    )
    keys = ("AccessKeyId", "SecretAccessKey", "SessionToken")
    values = [answer.findtext(f".//{{*}}Credentials/{{*}}{key}") for key in keys]
    if not all(values):
        raise AWSError("BAD_ANSWER", "STS gave no credentials.", "Try again later.")
    return Credentials(*values)


class Service:
    """One service of AWS.

    Args:
        error: the exception class of its faults.
        service: its name in AWS_ENDPOINT_URL_<SERVICE>, such as "sso-admin".
        region: which region's. IAM and Organizations have one for a whole partition.
        credentials: whose.
        name: the integration's name, for hints.
        signed_for: its name in signatures, if that is another.
    """

    def __init__(
        self,
        error: type[AWSError],
        service: str,
        region: str,
        credentials: Credentials,
        name: str = "",
        *,
        signed_for: str = "",
    ) -> None:
        address, region = endpoint(service, region)
        signed_for = signed_for or service
        who = f"integration {name}" if name else "the handlers' function"
        self.client = Client(
            error,
            address,
            name=name,
            secrets=(credentials.secret_access_key, credentials.session_token),
            sign=lambda request: sign(request, credentials, region, signed_for, _lookup.now()),
            words=_words,
            meaning=_meaning,
            hints={
                401: f"Check the AWS credentials of {who}: wrong or expired?",
                403: f"Allow it in the policy of the role of {who}.",
            },
            remaining=runtime.remaining,
            clock=_lookup.clock,
        )
        self._error = error

    def query(self, action: str, version: str, *, what: str = "", **params: Any) -> ElementTree.Element:
        """Calls an action of a service that takes forms and answers XML.

        Args:
            what: what is looked for, for the error if it is missing.
            params: None values are left out.
        """
        form = {"Action": action, "Version": version, **{k: v for k, v in params.items() if v is not None}}
        answer = self.client.request(
            "POST",
            "/",
            body=urllib.parse.urlencode(form).encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded; charset=utf-8", "Accept": "application/xml"},
            repeatable=True,
            what=what,
        )
        try:
            tree = ElementTree.fromstring(answer.body)
        except ElementTree.ParseError:
            tree = ElementTree.Element("")
        if tree.tag.rpartition("}")[2] != f"{action}Response":
            raise self._error("BAD_ANSWER", f"The answer to {action} can't be understood.", "Try again later.")
        return tree

    def call(self, target: str, body: Mapping[str, Any], *, what: str = "") -> dict[str, Any]:
        """Calls an operation of a service that speaks JSON 1.1 and only reads.

        Args:
            target: such as "AWSIdentityStore.ListGroups".
            what: what is looked for, for the error if it is missing.
        """
        return self.client.object(self._ask(target, body, what))

    def list(self, target: str, body: Mapping[str, Any], items: str, *, what: str = "") -> Iterator[dict[str, Any]]:
        """All items of a list, page after page.

        Args:
            items: where they are in an answer, such as "Groups".
        """

        def following(page: Any, _: Answer, __: Any) -> dict[str, str] | None:
            return {"NextToken": page["NextToken"]} if page.get("NextToken") else None

        return self.client.pages(
            "/", body, lambda page: page[items], following, ask=lambda _, params: self._ask(target, params or {}, what)
        )

    def _ask(self, target: str, body: Mapping[str, Any], what: str) -> Answer:
        return self.client.request(
            "POST",
            "/",
            body=json.dumps(body).encode(),
            headers={"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": target},
            repeatable=True,
            what=what,
        )


def endpoint(service: str, region: str) -> tuple[str, str]:
    """A service's address, and the region that its requests are signed for.

    https://docs.aws.amazon.com/general/latest/gr/rande.html
    """
    if not re.fullmatch(r"[a-z]{2,4}(-[a-z]+)+-\d+", region):
        raise AWSError("BAD_REGION", f"{region!r} is no AWS region.", "Use one such as us-east-1.")
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    host = {"sso-admin": "sso"}.get(service, service)
    if service in ("iam", "organizations"):
        if region.startswith("cn-"):
            home = {"iam": "cn-north-1", "organizations": "cn-northwest-1"}[service]
            address, region = f"{host}.{home}.{suffix}", home
        elif region.startswith("us-gov-"):
            address, region = f"{host}.us-gov{'' if service == 'iam' else '-west-1'}.{suffix}", "us-gov-west-1"
        else:
            address, region = f"{host}.{'' if service == 'iam' else 'us-east-1.'}{suffix}", "us-east-1"
    else:
        address = f"{host}.{region}.{suffix}"
    named = service.replace("-", "_").upper()
    override = os.environ.get(f"AWS_ENDPOINT_URL_{named}") or os.environ.get("AWS_ENDPOINT_URL")
    return override or f"https://{address}", region


def _fault(answer: Answer) -> tuple[str, str]:
    """Code and message of an error, of any of AWS's protocols."""
    code = answer.headers.get("X-Amzn-ErrorType", "")
    message = ""
    if answer.body.lstrip().startswith(b"<"):
        try:
            tree = ElementTree.fromstring(answer.body)
        except ElementTree.ParseError:
            return code, message
        code = tree.findtext(".//{*}Code") or code
        message = tree.findtext(".//{*}Message") or ""
    else:
        try:
            body = json.loads(answer.body)
        except ValueError:
            body = None
        if isinstance(body, dict):
            code = code or body.get("__type") or body.get("code") or ""
            message = body.get("message") or body.get("Message") or ""
    return str(code).split(":")[0].split("#")[-1], str(message)


def _words(answer: Answer) -> str:
    return ": ".join(part for part in _fault(answer) if part)


def _meaning(answer: Answer) -> int:
    """The status that an error means: AWS says 400 for most."""
    if answer.status < 400:
        return answer.status
    code, _ = _fault(answer)
    for pattern, status in [(_THROTTLED, 429), (_UNKNOWN, 401), (_REFUSED, 403), (_MISSING, 404)]:
        if pattern.search(code):
            return status
    return answer.status
