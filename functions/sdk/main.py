"""The Lambda function that runs customers' handlers: `main.handler`.

A message of the handler protocol goes in, its response comes out; the protocol's
text is in internal/sdk/doc.go, what holds here in runner/__init__.py. Settings are
SYM_WORKER_MEMORY_MB and SYM_WORKERS, see runner/limits.py.
"""

from __future__ import annotations

import atexit
import os
from typing import Any

from runner import family
from runner.limits import Limits, hide
from runner.pool import Pool

hide()  # what this process knows is not for handlers
family.keep_orphans()
pool = Pool(Limits.of(os.environ), os.environ)
atexit.register(pool.close)


def handler(message: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answers one message.

    Args:
        message: of the protocol.
        context: Lambda's. Handlers end before the invocation would.
    """
    return pool.answer(message, lambda: context.get_remaining_time_in_millis() / 1000)
