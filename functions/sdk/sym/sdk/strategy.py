"""Strategies as events show them: how access is granted."""

from __future__ import annotations

from typing import Any, Mapping, Sequence

from sym.sdk.access_target import AccessTarget
from sym.sdk.integration import Integration
from sym.sdk.resource import SRN, SymResource


class Strategy(SymResource):
    """How a flow grants access, and to what."""

    def __init__(
        self,
        *,
        srn: SRN | str,
        type: str = "",
        id: str = "",
        name: str = "",
        label: str = "",
        integration: Integration | None = None,
        targets: Sequence[AccessTarget] = (),
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(srn)
        self._id = id
        self._type = type
        self._name = name
        self._label = label
        self._integration = integration
        self._targets = list(targets)
        self._settings = dict(settings or {})

    @property
    def id(self) -> str:
        """The strategy's id; its name if it has no other."""
        return self._id or self.name

    @property
    def type(self) -> str:
        """Its type, such as "okta" or "custom"."""
        return self._type

    @property
    def name(self) -> str:
        """Its name in the configuration."""
        return self._name or self.slug

    @property
    def label(self) -> str:
        """What people see."""
        return self._label or self.name

    @property
    def integration(self) -> Integration | None:
        """The system it grants access in; None for the type http."""
        return self._integration

    @property
    def targets(self) -> list[AccessTarget]:
        """All its targets."""
        return list(self._targets)

    @property
    def settings(self) -> dict[str, Any]:
        """Its settings."""
        return dict(self._settings)
