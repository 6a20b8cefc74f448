"""How often each token asks: one number a token, in memory that all workers of a server share.

The number is when the requests so far would all have come at the token's rate (the generic cell rate algorithm, ITU-T
I.371): a token bucket without a timer. Workers read and write it without a lock. Two that do so at the same instant
count one request for two, once in a while; whichever worker a connection has got to, its token has all of its rate.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path

from unisono.drivers.serving.security.tokens import MOST_TOKENS

_BYTES = 8 * MOST_TOKENS


class Rates:
    """The counts of all tokens.

    path: of the file that the workers share, made if it is not there; None: this process counts for itself.

    The clock is `time.perf_counter`, which all processes of a machine share and which begins anew when it starts: a
    number further ahead than its token allows is of another life, or of another token, and says nothing.
    """

    def __init__(self, path: Path | None = None) -> None:
        memory = mmap.mmap(-1, _BYTES) if path is None else _mapped(path)
        self._due_s = memoryview(memory).cast("d")

    def take(self, place: int, interval_s: float, burst_s: float, now_s: float) -> float:
        """Count a request if it may come now; else, in how many seconds it may.

        interval_s: between requests at the token's rate.
        burst_s:    interval times how many may come at once.

        Returns 0 for a request that may come.
        """
        due_s = self._due_s[place]
        if not now_s <= due_s < now_s + burst_s + interval_s:
            due_s = now_s
        early_s = due_s + interval_s - now_s - burst_s
        if early_s > 1e-9:  # two sums of the same terms differ by less
            return early_s
        self._due_s[place] = due_s + interval_s
        return 0.0


def _mapped(path: Path) -> mmap.mmap:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.ftruncate(descriptor, _BYTES)
        return mmap.mmap(descriptor, _BYTES)
    finally:
        os.close(descriptor)
