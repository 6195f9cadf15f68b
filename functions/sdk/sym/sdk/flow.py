"""Flows and their environments."""

from __future__ import annotations

from typing import Any, Mapping

from sym.sdk.integration import Integration
from sym.sdk.resource import SRN, SymResource
from sym.sdk.strategy import Strategy


class Environment:
    """What a flow can reach."""

    def __init__(self, *, name: str = "", integrations: Mapping[str, Integration] | None = None) -> None:
        self._name = name
        self._integrations = dict(integrations or {})

    @property
    def name(self) -> str:
        """Its name in the configuration."""
        return self._name

    @property
    def integrations(self) -> dict[str, Integration]:
        """Its integrations by service: what the environment calls `pagerduty_id` is
        under "pagerduty"."""
        return dict(self._integrations)

    def __repr__(self) -> str:
        return f"<Environment {self._name}>"


class Flow(SymResource):
    """A flow, in the version that the run started with."""

    def __init__(
        self,
        *,
        srn: SRN | str,
        name: str = "",
        label: str = "",
        fields: Mapping[str, Mapping[str, Any]] | None = None,
        vars: Mapping[str, str] | None = None,
        environment: Environment | None = None,
        strategy: Strategy | None = None,
    ) -> None:
        super().__init__(srn)
        self._name = name
        self._label = label
        self._fields = {key: dict(field) for key, field in (fields or {}).items()}
        self._vars = dict(vars or {})
        self._environment = environment or Environment()
        self._strategy = strategy

    @property
    def name(self) -> str:
        """Its name in the configuration."""
        return self._name or self.slug

    @property
    def label(self) -> str:
        """What people see."""
        return self._label or self.name

    @property
    def fields(self) -> dict[str, dict[str, Any]]:
        """Its prompt fields by name, each with the attributes of the configuration:
        type, label, required, default, allowed_values, visible."""
        return {name: dict(field) for name, field in self._fields.items()}

    @property
    def vars(self) -> dict[str, str]:
        """Its vars: texts from the configuration, for handlers to use."""
        return dict(self._vars)

    @property
    def environment(self) -> Environment:
        """What it can reach."""
        return self._environment

    @property
    def strategy(self) -> Strategy | None:
        """How it grants access; None for an approval-only flow."""
        return self._strategy
