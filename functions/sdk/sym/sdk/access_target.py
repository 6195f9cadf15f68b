"""Targets: what a flow grants access to."""

from __future__ import annotations

from typing import Any, Mapping

from sym.sdk.resource import SRN, SymResource


class AccessTarget(SymResource):
    """What a flow grants access to, such as a group or a role."""

    def __init__(
        self,
        *,
        srn: SRN | str,
        type: str = "",
        name: str = "",
        label: str = "",
        id: str = "",
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(srn)
        self._id = id
        self._type = type
        self._name = name
        self._label = label
        self._settings = dict(settings or {})

    @property
    def id(self) -> str:
        """The target's id, which the field target_id has."""
        return self._id

    @property
    def name(self) -> str:
        """Its name in the configuration."""
        return self._name or self.slug

    @property
    def slug(self) -> str:
        """The same: its name in the configuration."""
        return self._name or super().slug

    @property
    def label(self) -> str:
        """What people see."""
        return self._label or self.name

    @property
    def type(self) -> str:
        """Its type, such as "okta_group"."""
        return self._type

    @property
    def settings(self) -> dict[str, Any]:
        """Its settings, those filled in from prompt fields included."""
        return dict(self._settings)
