"""The history of runs: what was due, what was run, by whom, and how it ended.

One row a run in table `runs`; a run's id is its identity, so no instant is run twice, whoever looks at it. One row a
schedule in table `schedules`: up to when its instants are decided. Schedulers that share a database share the work: a
run is claimed by one of them for as long as its lease lasts, and the lease is renewed while it works. A run whose lease
is over is lost: its process died. Whoever claims it next goes on with it.

Every change is one transaction. What the holder of a claim writes counts only while it holds it: a process that slept
through its lease changes nothing.
"""

from unisono.store.runs.history import LostLeaseError, Outcome, Runs, Standing
from unisono.store.runs.run import UNFINISHED, Run, State

__all__ = ["UNFINISHED", "LostLeaseError", "Outcome", "Run", "Runs", "Standing", "State"]
