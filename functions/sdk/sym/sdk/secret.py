"""Secrets: only their names are known here, values are fetched when asked for."""

from __future__ import annotations

import json
import re
from typing import Any

from sym.sdk import runtime
from sym.sdk.exceptions import AWSError, SDKError
from sym.sdk.resource import SRN, SymResource

_ARN = re.compile(r"arn:aws:secretsmanager:(?P<region>[a-z0-9-]+):\d{12}:secret:(?P<name>.+)")
_SUFFIX = re.compile(r"-[A-Za-z0-9]{6}$")


class Secret(SymResource):
    """The name of a secret in AWS Secrets Manager.

    Example:
        token = event.flow.environment.integrations["victorops"].settings["secrets"][0].retrieve_value()
    """

    def __init__(
        self,
        *,
        path: str,
        name: str = "",
        id: str = "",
        srn: SRN | str = "",
        source: str = "aws_secrets_manager",
        settings: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(srn)
        self._id = id
        self._name = name
        self._path = path
        self._source = source
        self._settings = dict(settings or {})

    @property
    def id(self) -> str:
        """The secret's id; its name in the configuration if it has no other."""
        return self._id or self._name

    @property
    def name(self) -> str:
        """The secret's name in the configuration."""
        return self._name or self._path

    @property
    def path(self) -> str:
        """The secret's name in AWS Secrets Manager."""
        return self._path

    @property
    def source(self) -> str:
        """Where it is kept: "aws_secrets_manager"."""
        return self._source

    @property
    def settings(self) -> dict[str, Any]:
        """Its settings: json_key, if the value is one key of a JSON object."""
        return dict(self._settings)

    def retrieve_value(self) -> str:
        """Fetches the secret's value. It is kept nowhere; neither should you.

        Raises:
            AWSError: there is no such secret, or this function may not read it.
            SDKError: its value is bytes, or no JSON object with the key in
                settings.json_key.
        """
        json_key = self._settings.get("json_key")
        services = runtime.services()
        if services.offers("secret"):
            return services.ask("secret", path=self._path, json_key=json_key)
        return pick(self._from_aws(), self._path, json_key)

    def _from_aws(self) -> str:
        from sym.sdk.integrations import _aws  # which is built on this module

        arn = _ARN.fullmatch(self._path)
        region = arn["region"] if arn else _aws.own_region()
        manager = _aws.Service(AWSError, "secretsmanager", region, _aws.own_credentials())

        def read(name: str) -> dict[str, Any]:
            return manager.call("secretsmanager.GetSecretValue", {"SecretId": name}, what=f"the secret {self._path}")

        try:
            answer = read(self._path)
        except AWSError:
            # AWS takes an ARN for whole that ends like one, though that may be its name's end.
            if not arn or not _SUFFIX.search(self._path):
                raise
            try:
                answer = read(arn["name"])
            except AWSError:
                answer = {}
            if not _SUFFIX.fullmatch(str(answer.get("ARN", "")).removeprefix(self._path)):
                raise
        if not isinstance(answer.get("SecretString"), str):
            raise SDKError("BAD_SECRET", f"The secret {self._path} holds bytes.", "Store it as a text.")
        return answer["SecretString"]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and (self._path, self._settings) == (other._path, other._settings)

    def __hash__(self) -> int:
        return hash(self._path)

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"<Secret {self._path}>"


def pick(value: str, path: str, json_key: str | None) -> str:
    """The value itself, or what its JSON object has under json_key, as a text.

    Raises:
        SDKError: it is no JSON object, or has no such key. Values are never shown.
    """
    if not json_key:
        return value
    try:
        found = json.loads(value)[json_key]
    except (ValueError, KeyError, TypeError):
        raise SDKError(
            "BAD_SECRET", f"The secret {path} is no JSON object with the key {json_key!r}.",
            "Change settings.json_key of the secret, or its value.",
        ) from None
    return found if isinstance(found, str) else json.dumps(found)
