"""An inference as the Open Inference Protocol asks for it, whichever way it came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from unisono.drivers.serving.wire.tensors import InputTensor


@dataclass(frozen=True, slots=True)
class Asked:
    """What a caller wants to have inferred.

    tensors:   the inputs.
    outputs:   names of the outputs wanted; None: all.
    id:        the caller's own name for the request; "" for none.
    timeout_s: how long the caller waits; None: as long as the server lets its callers wait.
    """

    tensors: Sequence[InputTensor]
    outputs: Sequence[str] | None = None
    id: str = ""
    timeout_s: float | None = None
