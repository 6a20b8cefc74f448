"""Which versions of a predictor a worker is to have, and which of them answers whom: what the keeper tells it."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

Weight = Annotated[float, Meta(ge=0)]


class Routes(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    """The versions of one predictor. A later message takes the place of the one before.

    predictor: whose they are.
    versions:  id -> folder of the prepared version; empty: the predictor is not to be answered any more.
    aliases:   alias -> id; `champion` answers who asks for none.
    split:     alias -> its share of those who ask for none; empty: the champion answers all.
    shadow:    aliases that see the same requests; nobody gets their answers.
    pinned:    whether the versions stay in memory whatever else wants room.
    revision:  1, 2, 3, ...: which message this is.
    """

    predictor: str
    versions: dict[str, str]
    aliases: dict[str, str]
    split: dict[str, Weight] = {}
    shadow: list[str] = []
    pinned: bool = False
    revision: int = 0
