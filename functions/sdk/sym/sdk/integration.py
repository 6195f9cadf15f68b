"""Integrations: the systems that an environment is connected to."""

from __future__ import annotations

from typing import Any, Mapping

from sym.sdk.exceptions import SDKError
from sym.sdk.resource import SRN, SymResource
from sym.sdk.secret import Secret


class Integration(SymResource):
    """A system that the flow's environment is connected to.

    Args:
        type: such as "pagerduty".
        external_id: which one of that type, such as "example.pagerduty.com".
        settings: settings that are no secrets.
        secrets: its secrets by the setting that names them, such as "api_token_secret".

    Example:
        token = event.flow.environment.integrations["github"].settings["api_token_secret"].retrieve_value()
    """

    def __init__(
        self,
        *,
        type: str,
        external_id: str = "",
        name: str = "",
        srn: SRN | str = "",
        settings: Mapping[str, Any] | None = None,
        secrets: Mapping[str, Secret] | None = None,
    ) -> None:
        super().__init__(srn or f"sym:integration:{type}:{name or type}:latest")
        self._name = name
        self._type = type
        self._external_id = external_id
        self._settings = dict(settings or {})
        self._secrets = dict(secrets or {})

    @property
    def name(self) -> str:
        """Its name in the configuration."""
        return self._name or super().name

    @property
    def type(self) -> str:
        """The type of the system, such as "okta"."""
        return self._type

    @property
    def external_id(self) -> str:
        """Which system of its type: a domain, an account, a workspace's id."""
        return self._external_id

    @property
    def settings(self) -> dict[str, Any]:
        """Its settings. One that names a secret, such as "api_token_secret", holds the
        Secret; "secrets" is the list of them all, in the order of the configuration."""
        return {**self._settings, **self._secrets, "secrets": list(self._secrets.values())}

    def secret(self, setting: str) -> Secret:
        """The secret that a setting names, such as "api_token_secret".

        Raises:
            SDKError: the integration has no such setting.
        """
        if setting not in self._secrets:
            raise SDKError(
                "NO_SECRET", f"The integration {self.name} has no {setting}.", f"Add {setting} to its settings.",
            )
        return self._secrets[setting]
