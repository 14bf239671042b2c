"""When the report of a run that goes on is written anew: seldom enough to cost next to nothing."""

import time
from collections.abc import Callable

INTERVAL_S = 60.0
SHARE = 0.02  # the most of a run's time that its reports on the way may take


class Refresh:
    """Says when to write a report on the way, by what the last one took.

    The first is due after an interval; then there lie between two as long as the interval, or as it takes
    for the last one to have been 2 % of the time.

    Args:
        interval_s: The shortest time between two, in seconds.
        clock: What tells the time, in seconds.

    Example:
        >>> now = iter([0.0, 30.0, 61.0, 61.0, 66.0, 200.0, 320.0])
        >>> refresh = Refresh(60.0, lambda: next(now))
        >>> done = [refresh.due(), refresh.due()]
        >>> refresh.write(lambda: None)  # takes from 61 to 66 s: the next is due at 66 + 5 / 2 %
        >>> [*done, refresh.due(), refresh.due()]
        [False, True, False, True]
    """

    def __init__(
        self, interval_s: float = INTERVAL_S, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._interval = interval_s
        self._clock = clock
        self._next = clock() + interval_s

    def due(self) -> bool:
        """Is it time?"""
        return self._clock() >= self._next

    def write(self, publish: Callable[[], None]) -> None:
        """Write a report, and see when the next is due."""
        started = self._clock()
        publish()
        ended = self._clock()
        self._next = ended + max(self._interval, (ended - started) / SHARE)
