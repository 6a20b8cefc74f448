"""A step: another model learns what the original knows, from labels and from the original's own answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Literal

from unisono.compress.context import Context
from unisono.compress.kinds import Kind
from unisono.compress.steps.base import Stage, Step, Use
from unisono.compress.subject import Subject
from unisono.spec.errors import ModelError

Student = Literal["layers", "module", "forest", "boosted", "tree", "linear"]

_MODULES = ("layers", "module")


class Distil(Step, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Any teacher, any student.

    student:       "layers": some of a transformer's layers; "module": a module of torch of the user's; "forest",
                   "boosted", "tree", "linear": of scikit-learn or LightGBM, on the columns that the original reads,
                   words counted if it reads text.
    layers:        how many of the teacher's layers, or their places from 0.
    module:        MODULE:FUNCTION that makes the user's module; the function takes no arguments.
    vocabulary:    of "layers": tokens that come less often than this in the rows to learn from go, with their
                   embeddings; 0: all stay.
    hidden:        weight of the hidden states in the loss; teacher and student are transformers.
    attention:     weight of the relations between tokens in the last layer; teacher and student are transformers.
    temperature:   that softens the teacher's probabilities; "chosen": by the validation rows.
    teacher_share: of the teacher's part in the loss, 0 to 1; rows without a label have only that.
    epochs, batch_rows, learning_rate, precision: of a module, see `Training`.
    trees, leaves: of "forest" and "boosted", most leaves of a tree; of "tree" the leaves alone.
    words:         most words and pairs of words that are looked for in a text, the weightiest ones.
    """

    NAME: ClassVar[str] = "distil"
    TAKES: ClassVar[tuple[Kind, ...]] = ("torch", "ensemble", "graph")
    STAGE: ClassVar[Stage] = "student"
    USES: ClassVar[Use] = "training"

    student: Student = "layers"
    layers: int | list[int] = 3
    module: str | None = None
    vocabulary: int = 0
    hidden: float = 0.0
    attention: float = 0.0
    temperature: float | Literal["chosen"] = "chosen"
    teacher_share: float | Literal["chosen"] = "chosen"
    epochs: int = 5
    batch_rows: int = 32
    learning_rate: float = 1e-4
    precision: Literal["float32", "bfloat16"] = "float32"
    trees: int = 300
    leaves: int = 31
    words: int = 10_000

    def gives(self, kind: Kind) -> Kind:
        """A module or an ensemble, whatever the teacher is."""
        return "torch" if self.student in _MODULES else "ensemble"

    def faults(self) -> Iterator[tuple[str, str, str]]:
        """Of settings that do not fit each other, and of numbers that teach nothing."""
        yield from self._faults_of_teaching()
        if (self.student == "module") != (self.module is not None):
            seen = f'student "{self.student}", module {self.module!r}'
            yield seen, 'module = "MODULE:FUNCTION" for "module", and for no other', "correct one of the two"
        if self.student not in _MODULES and (self.hidden or self.attention):
            seen = f'student "{self.student}" with hidden {self.hidden:g}, attention {self.attention:g}'
            yield seen, "0: it has no layers", "leave them out"
        if self.student != "layers" and self.vocabulary:
            seen = f'student "{self.student}" with vocabulary {self.vocabulary}'
            yield seen, '0: only "layers" keeps the tokenizer', "leave it out"

    def _faults_of_teaching(self) -> Iterator[tuple[str, str, str]]:
        if self.temperature != "chosen" and self.temperature <= 0:
            yield f"temperature {self.temperature:g}", 'above 0, or "chosen"', "correct it"
        if self.teacher_share != "chosen" and not 0 <= self.teacher_share <= 1:
            yield f"teacher_share {self.teacher_share:g}", '0 to 1, or "chosen"', "correct it"
        counts = {name: getattr(self, name) for name in ("epochs", "batch_rows", "trees", "leaves", "words")}
        for name, count in counts.items():
            least = 2 if name == "leaves" else 1
            if count < least:
                yield f"{name} {count}", f"{least} or more", "correct it"
        if self.learning_rate <= 0:
            yield f"learning_rate {self.learning_rate:g}", "above 0", "correct it"
        if min(self.hidden, self.attention, self.vocabulary) < 0:
            seen = f"hidden {self.hidden:g}, attention {self.attention:g}, vocabulary {self.vocabulary}"
            yield seen, "0 or more", "correct them"

    def sources(self) -> tuple[bytes, ...]:
        """The file that the user's module is made in."""
        if self.module is None:
            return ()
        from importlib.util import find_spec

        try:
            found = find_spec(self.module.partition(":")[0])
        except (ImportError, ValueError):  # said when it is applied
            found = None
        return () if found is None or found.origin is None else (Path(found.origin).read_bytes(),)

    def apply(self, subject: Subject, context: Context) -> Subject:
        """The student.

        Raises ModelError for a teacher that gives only labels, for one that a student of this kind cannot follow, and
        for a student of other classes.
        """
        if self.student == "module":
            from unisono.compress.distil.modules import taught_module

            return taught_module(subject, context, self)
        if self.student == "layers":
            return self._taught_layers(subject, context)
        from unisono.compress.distil.estimators import taught_estimator

        return taught_estimator(subject, context, self)

    def _taught_layers(self, subject: Subject, context: Context) -> Subject:
        if subject.torch is None:
            raise ModelError(
                f'distil: student = "layers" of a teacher of the kind {subject.kind}; allowed: of a module of torch '
                'with layers; choose "module", "forest", "boosted", "tree" or "linear"'
            )
        from unisono.compress.distil.modules import taught_layers

        return taught_layers(subject, context, self)
