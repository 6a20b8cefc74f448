"""What a step of a recipe is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

import msgspec

from unisono.compress.context import Context
from unisono.compress.kinds import Kind
from unisono.compress.subject import Subject

Stage = Literal["student", "structure", "weights", "recovery", "bits", "storage"]
"""When a step comes: see `order`."""

Use = Literal["nothing", "calibration", "training"]
"""What a step does with the data: it looks at none, runs the model over some rows, or learns from them."""


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step with its settings, which are the fields of a subclass; each has a default that works, where it can.

    NAME:  in a recipe, as `step = NAME`.
    TAKES: the kinds of models that it works on.
    STAGE: when it comes.
    USES:  what it does with the data.
    """

    NAME: ClassVar[str]
    TAKES: ClassVar[tuple[Kind, ...]]
    STAGE: ClassVar[Stage]
    USES: ClassVar[Use] = "nothing"

    def gives(self, kind: Kind) -> Kind:
        """The kind of model that comes out, if a model of this kind goes in."""
        return kind

    def faults(self) -> Iterator[tuple[str, str, str]]:
        """What is wrong with the settings: (what was seen, what is allowed, the next step)."""
        return iter(())

    def sources(self) -> tuple[bytes, ...]:
        """Code of the user's that its result depends on, beside its settings and the data; a change makes it again."""
        return ()

    def apply(self, subject: Subject, context: Context) -> Subject:
        """The model after this step; the one given is left as it is.

        Raises ModelError for a model that it cannot work on, InputError for data that do not fit.
        """
        raise NotImplementedError
