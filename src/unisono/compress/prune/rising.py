"""How much is taken away in each round of several."""

from __future__ import annotations


def share_after(rounds_done: int, rounds: int, share: float) -> float:
    """The share that is gone after some rounds: much at first, where it is easy, little at the end.

    It rises with the cube of what is left to do (Zhu, Gupta 2017).

    >>> [round(share_after(done, 4, 0.8), 3) for done in range(5)]
    [0.0, 0.462, 0.7, 0.788, 0.8]
    """
    return share * (1 - (1 - rounds_done / rounds) ** 3)
