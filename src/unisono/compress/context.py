"""What a step may use beside the model that it works on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from unisono.compress.data import Data
from unisono.compress.subject import Subject
from unisono.spec.progress import Progress


@dataclass(frozen=True, slots=True)
class Context:
    """Of one stage of a recipe.

    original: the model before all steps, as a teacher.
    data:     rows to learn from and to choose by. A step must not look at `data.test`.
    seed:     of whatever is drawn; the same seed gives the same model on one machine.
    cache:    a folder of this original and these data, for what is dear and can be used again (a teacher's answers).
    stage:    a folder of this stage, for what continues a run that was cut; it is gone when the stage is done.
    progress: told how far it is; call it often.
    """

    original: Subject
    data: Data
    seed: int
    cache: Path
    stage: Path
    progress: Progress
