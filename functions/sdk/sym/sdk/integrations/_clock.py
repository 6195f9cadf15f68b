"""The time."""

import time


class Clock:
    """The time, as the machine has it. Tests have one that moves when it is told to."""

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Waits."""
        time.sleep(seconds)
