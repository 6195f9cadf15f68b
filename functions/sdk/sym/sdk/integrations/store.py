"""Values that handlers keep from one run to the next, such as how many have approved.

Each flow keeps its own; what is put with shared=True is there for all flows. Two
handlers that change one value at a time may lose one of the changes: keep under a path
of its own what must not be lost.
"""

import json
from typing import Any

from sym.sdk.exceptions import SymIntegrationError
from sym.sdk.integrations import _lookup


def fetch(path: str) -> Any:
    """The value that the flow has put at a path, or else the shared one; None if there
    is neither. A value of the flow's own comes first even if it is None.

    Args:
        path: a text of at most 512 bytes, such as "approvals/<run id>".

    Raises:
        SymIntegrationError: it can't be read.
        MissingArgument: path is missing.

    Example:
        approvers = store.fetch(f"approvals/{event.run.id}") or []
    """
    return _lookup.ask(SymIntegrationError, "store_get", path=_lookup.needed("path", path))


def put(path: str, value: Any, *, shared: bool = False) -> None:
    """Keeps a value at a path, in place of what was there.

    Args:
        path: a text of at most 512 bytes, such as "approvals/<run id>".
        value: JSON-ready: texts, numbers, booleans, None, lists and dictionaries of
            these; at most 64 KB as JSON.
        shared: whether it is for all flows, and any of them may change it: decide
            nothing by it that not every flow's authors may decide. A flow that has put
            a value of its own there does not see it.

    Raises:
        SymIntegrationError: value is not JSON-ready (SymIntegration:BAD_VALUE), too
            large, or can't be kept.
        MissingArgument: path is missing.

    Example:
        store.put(f"approvals/{event.run.id}", [*approvers, str(event.user.id)])
    """
    _lookup.needed("path", path)
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as fault:
        raise SymIntegrationError("BAD_VALUE", f"The value is not JSON-ready: {fault}.", "Use plain values.") from None
    _lookup.ask(SymIntegrationError, "store_put", path=path, value=value, shared=bool(shared))
