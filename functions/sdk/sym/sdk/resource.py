"""Names of things: the SRN that each thing has."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sym.sdk.exceptions import SymException

# The models whose SRN says their type too, as in sym:integration:slack:main:1.0.0.
TYPED_MODELS = frozenset({
    "access_strategy", "access_target", "user", "secret", "secrets", "integration", "log_destination",
})

_SLUG = re.compile(r"[a-zA-Z0-9_-]+")
# Sym's versions have three digits at most in each place; ours count on in the last.
_VERSION = re.compile(r"latest|\d{1,3}\.\d{1,3}\.\d{1,9}")


class InvalidSRNError(SymException):
    """A text is no SRN.

    Args:
        srn: the text.
        reason: what is wrong with it.
    """

    def __init__(self, srn: str, reason: str) -> None:
        super().__init__("SRN", "INVALID_SRN", f"{srn!r} is no SRN: {reason}")
        self.reason = reason


class InvalidSlugError(InvalidSRNError):
    """A part of an SRN has characters that it can't have."""


class TrailingSeparatorError(InvalidSRNError):
    """An SRN ends with a colon."""


class MultipleErrors(InvalidSRNError):
    """An SRN has several faults at once.

    Args:
        srn: the text.
        errors: the faults.
    """

    def __init__(self, srn: str, errors: list[InvalidSRNError]) -> None:
        super().__init__(srn, "; ".join(error.reason for error in errors))
        self.errors = errors


@dataclass(frozen=True)
class SRN:
    """The name of a thing: `<org>:<model>[:<type>]:<slug>:<version>[:<identifier>]`.

    Slugs are made of letters, digits, "-" and "_". A version is "latest" or three
    numbers, such as "1.0.12".

    Example:
        SRN.parse("sym:flow:prod-access:1.0.2").slug == "prod-access"
    """

    organization: str
    model: str
    slug: str
    version: str
    type: str | None = None
    identifier: str | None = None

    @classmethod
    def parse(cls, raw: str) -> SRN:
        """Reads an SRN. Raises InvalidSRNError, or the class of it that fits best."""
        if raw.endswith(":"):
            raise TrailingSeparatorError(raw, "it ends with a colon; take it away")
        parts = raw.split(":")
        typed = len(parts) > 1 and parts[1] in TYPED_MODELS
        names = ["organization", "model", *(["type"] if typed else []), "slug", "version", "identifier"]
        if len(parts) not in (len(names) - 1, len(names)):
            shape = ":".join(f"<{name}>" for name in names[:-1])
            raise InvalidSRNError(raw, f"it has {len(parts)} parts, not those of {shape}[:<identifier>]")
        named = dict(zip(names, parts))
        faults: list[InvalidSRNError] = []
        for name, part in named.items():
            if name == "version" and not _VERSION.fullmatch(part):
                faults.append(InvalidSRNError(raw, f"its version {part!r} is neither latest nor like 1.0.12"))
            elif name != "version" and not _SLUG.fullmatch(part):
                faults.append(InvalidSlugError(raw, f"its {name} {part!r} may only have letters, digits, - and _"))
        if len(faults) > 1:
            raise MultipleErrors(raw, faults)
        if faults:
            raise faults[0]
        return cls(**named)

    def __str__(self) -> str:
        parts = (self.organization, self.model, self.type, self.slug, self.version, self.identifier)
        return ":".join(part for part in parts if part is not None)


class SymResource:
    """A thing with an SRN. Two of them are equal if their SRNs are."""

    def __init__(self, srn: SRN | str) -> None:
        self._srn = str(srn)

    @property
    def srn(self) -> SRN:
        """Its SRN. Use str(srn) for the text. Raises InvalidSRNError if it has none."""
        return SRN.parse(self._srn)

    @property
    def slug(self) -> str:
        """The part of its SRN that names it among its kind."""
        return self.srn.slug

    @property
    def name(self) -> str:
        """Its name; the slug of its SRN, unless it has another."""
        return self.slug

    def __eq__(self, other: object) -> bool:
        return isinstance(other, type(self)) and self._srn == other._srn

    def __hash__(self) -> int:
        return hash(self._srn)

    def __str__(self) -> str:
        return self._srn

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._srn}>"
