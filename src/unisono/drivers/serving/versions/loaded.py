"""A version in memory, ready to answer the calls of its lane."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from unisono.drivers.online.reading import Known, Lookup
from unisono.drivers.scores import Matrix, Outputs, Row, ScoresRows
from unisono.drivers.serving.calls import Call

if TYPE_CHECKING:
    from unisono.drivers.serving.prepared import PreparedScorer


class LoadedVersion:
    """Features from the state, and the version's graph.

    scorer: the version's.
    lookup: of its predictor's features.
    """

    def __init__(self, scorer: ScoresRows, lookup: Lookup) -> None:
        self._scorer = scorer
        self._lookup = lookup
        self.id = scorer.version.id

    def look_up(self, call: Call, *, aside: bool = False) -> Known:
        """What is known about the rows of a call. Raises InputError for a time before the log's.

        aside: not on the thread of the loop.
        """
        lookup = self._lookup.apart() if aside else self._lookup
        return lookup.known(call.rows, call.features)

    def look_up_together(self, calls: Sequence[Call]) -> tuple[Known, list[Known]]:
        """What is known about the rows of all of several calls that bring no features, and of each."""
        return self._lookup.together([call.rows for call in calls])

    def score(self, rows: Sequence[Row], features: Matrix) -> Outputs:
        """The outputs, one a row. On any thread; one call at a time."""
        return self._scorer.score_rows(rows, features)

    def stop(self) -> None:
        """Let what runs now end as soon as it can, with an error. On any thread."""
        self._scorer.stop()


class PreparedVersion(LoadedVersion):
    """A version that was prepared by the keeper; see `slots.Loaded`.

    scorer: the version's, warm.
    lookup: of its predictor's features.
    """

    def __init__(self, scorer: PreparedScorer, lookup: Lookup) -> None:
        super().__init__(scorer, lookup)
        self.size_bytes = scorer.size_bytes
        self.outputs = scorer.outputs
        self.timings = scorer.timings
