"""The home of persist_user_identity in some of Sym's published files."""

from sym.sdk.utils import persist_user_identity

__all__ = ["persist_user_identity"]
