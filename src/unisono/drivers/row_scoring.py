"""A version that answers requests as they come in. Loads no frames, so that a server's workers stay small."""

from __future__ import annotations

from collections.abc import Sequence

from unisono.drivers.scores import Matrix, Outputs, Row
from unisono.models.row_encoder import RowEncoder
from unisono.models.session import Session
from unisono.spec.active import Version


class RowScorer:
    """See `scores.ScoresRows`.

    version: which one.
    session: its graph.
    encoder: of its requests.
    """

    __slots__ = ("_encoder", "_session", "version")

    def __init__(self, version: Version, session: Session, encoder: RowEncoder) -> None:
        self.version = version
        self._session = session
        self._encoder = encoder

    def score_rows(self, rows: Sequence[Row], features: Matrix) -> Outputs:
        """The outputs for some requests and their feature rows, null by its payload, which is a NaN like any other."""
        outputs: Outputs = self._session.answer_directly(self._encoder.encode(rows, features), len(rows))
        return outputs

    def stop(self) -> None:
        """Let what runs now end soon, with an error. On any thread."""
        self._session.stop()
