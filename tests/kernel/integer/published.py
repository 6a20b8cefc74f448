"""Vectors of I-BERT's and I-ViT's own modules, run on random rows in float64, where whole numbers are exact.

    python -m tests.kernel.integer.published IBERT COMMIT IVIT COMMIT

Each folder holds the public repository (github.com/kssteven418/I-BERT, github.com/zkkli/I-ViT) at the commit. Their
code stays there: it is imported, without the parts of its training framework that these modules do not use, and runs on
the CPU. Scales are small fractions of powers of 2, so that dividing by them is exact, too.
"""

from __future__ import annotations

import importlib
import math
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from tests.kernel.integer.vhdl.simulator import SEED, Row, write

Pair = tuple[Row, Row]

BATCHES = 60
ROWS = 4


def main() -> None:
    torch.set_default_dtype(torch.float64)
    torch.Tensor.cuda = lambda self, *_, **__: self  # type: ignore[method-assign]
    ibert_folder, ibert_commit, ivit_folder, ivit_commit = sys.argv[1:]
    _without_framework()
    ibert = _modules(Path(ibert_folder) / "fairseq" / "quantization" / "utils", "ibert")
    ivit = _modules(Path(ivit_folder) / "models" / "quantization_utils", "ivit")
    _write_all("ibert", ("github.com/kssteven418/I-BERT", ibert_commit), _ibert(ibert))
    _write_all("shift", ("github.com/zkkli/I-ViT", ivit_commit), _ivit(ivit))


def _write_all(name: str, source: tuple[str, str], units: Iterator[tuple[str, Sequence[str], list[Pair]]]) -> None:
    for unit, given, pairs in units:
        head = {"repository": source[0], "commit": source[1], "torch": torch.__version__, "seed": SEED}
        write(f"{name}_{unit}", {"source": head, "given": given}, pairs)


def _without_framework() -> None:
    """Names that the public modules import and do not use here."""
    for name in ("fairseq", "fairseq.modules", "fairseq.utils"):
        sys.modules[name] = ModuleType(name)
    sys.modules["fairseq.modules"].LayerNorm = None  # type: ignore[attr-defined]
    sys.modules["fairseq"].utils = sys.modules["fairseq.utils"]  # type: ignore[attr-defined]


def _modules(folder: Path, name: str) -> Any:
    """A folder's quant_modules, as a package of that name."""
    package = ModuleType(name)
    package.__path__ = [str(folder)]
    sys.modules[name] = package
    return importlib.import_module(f"{name}.quant_modules")


def _ibert(modules: Any) -> Iterator[tuple[str, Sequence[str], list[Pair]]]:
    yield "softmax", ("numerator", "bits", "multiplier", "shift", "numbers*"), list(_ibert_softmaxes(modules))
    yield "gelu", ("numerator", "bits", "number"), list(_ibert_gelus(modules))
    yield "layer_norm", ("shift", "bias", "numbers*"), list(_ibert_norms(modules))
    yield "requantise", ("multiplier", "shift", "number"), list(_requantisations(modules, "ibert"))


def _ivit(modules: Any) -> Iterator[tuple[str, Sequence[str], list[Pair]]]:
    yield "softmax", ("numerator", "bits", "numbers*"), list(_ivit_rows(modules.IntSoftmax(), "softmax", 13))
    yield "gelu", ("numerator", "bits", "numbers*"), list(_ivit_rows(modules.IntGELU(), "gelu", 9))
    yield "layer_norm", ("bias", "numbers*"), list(_ivit_norms(modules))
    yield "requantise", ("multiplier", "shift", "number"), list(_requantisations(modules, "shift"))


def _scale(source: random.Random, bits: int) -> tuple[int, int, torch.Tensor]:
    """numerator / 2**bits: as whole numbers, and as a tensor."""
    numerator = source.randrange(65, 128)
    return numerator, bits, torch.tensor([numerator / 2**bits])


def _batch(source: random.Random, reach: float, count: int) -> torch.Tensor:
    numbers = [[source.gauss(0, 1) * reach / 3 for _ in range(count)] for _ in range(ROWS)]
    return torch.tensor(numbers).round()[None]


def _ints(values: torch.Tensor) -> list[Row]:
    return [[int(one) for one in row] for row in values[0].round().tolist()]


def _ibert_softmaxes(modules: Any) -> Iterator[Pair]:
    source = random.Random(f"{SEED} ibert softmax")
    for _ in range(BATCHES):
        numerator, bits, scale = _scale(source, source.randrange(9, 17))
        module = modules.IntSoftmax(output_bit=8, quant_mode="symmetric")
        given = _batch(source, 8 / scale.item(), source.randrange(2, 33))
        found, step = module(given * scale, scale)
        # The module requantises what int_exp gives without its scale: the ratio is of whole numbers.
        multiplier, shift = modules.batch_frexp(1 / module.act.act_scaling_factor.float().double())
        constants = [numerator, bits, int(multiplier), int(shift)]
        yield from (([*constants, *row], answer) for row, answer in zip(_ints(given), _ints(found / step), strict=True))


def _ibert_gelus(modules: Any) -> Iterator[Pair]:
    source = random.Random(f"{SEED} ibert gelu")
    module = modules.IntGELU(quant_mode="symmetric")
    for _ in range(BATCHES):
        numerator, bits, scale = _scale(source, source.randrange(9, 23))
        given = _batch(source, 5 / scale.item(), 8)
        found, step = module(given * scale, scale)
        for row, answer in zip(_ints(given), _ints(found / step), strict=True):
            yield from (([numerator, bits, one], [value]) for one, value in zip(row, answer, strict=True))


def _ibert_norms(modules: Any) -> Iterator[Pair]:
    source = random.Random(f"{SEED} ibert norm")
    for place in range(BATCHES):
        count = source.randrange(4, 49)
        module = modules.IntLayerNorm(32, quant_mode="symmetric")
        bias = _plain_norm(module, source.gauss(0, 1), count)
        given = _batch(source, 2.0 ** source.uniform(4, 20 if place % 2 else 14), count) + source.randrange(-500, 500)
        found, step = module(given, torch.ones(1))
        head = [int(module.shift), math.floor(bias / (module.dim_sqrt.item() / 2**30))]
        yield from (([*head, *row], answer) for row, answer in zip(_ints(given), _ints(found / step), strict=True))


def _ivit_norms(modules: Any) -> Iterator[Pair]:
    source = random.Random(f"{SEED} ivit norm")
    for _ in range(BATCHES):
        count = source.randrange(4, 49)
        module = modules.IntLayerNorm(count)
        bias = _plain_norm(module, source.gauss(0, 1), count)
        given = _batch(source, 2.0 ** source.uniform(2, 16), count) + source.randrange(-500, 500)
        found, step = module(given, torch.ones(1))
        head = [math.floor(bias / (module.dim_sqrt.item() / 2**30))]
        yield from (([*head, *row], answer) for row, answer in zip(_ints(given), _ints(found / step), strict=True))


def _plain_norm(module: Any, bias: float, count: int) -> float:
    """Give a normalisation a gamma of 1, and one beta for all columns."""
    module.weight = torch.nn.Parameter(torch.ones(count))
    module.bias = torch.nn.Parameter(torch.full((count,), bias))
    return bias


def _ivit_rows(module: Any, name: str, bits_from: int) -> Iterator[Pair]:
    source = random.Random(f"{SEED} ivit {name}")
    for _ in range(BATCHES):
        numerator, bits, scale = _scale(source, source.randrange(bits_from, bits_from + 6))
        given = _batch(source, 8 / scale.item(), source.randrange(2, 33))
        found, step = module(given * scale, scale)
        yield from (
            ([numerator, bits, *row], answer) for row, answer in zip(_ints(given), _ints(found / step), strict=True)
        )


def _requantisations(modules: Any, name: str) -> Iterator[Pair]:
    source = random.Random(f"{SEED} {name} requantise")
    for _ in range(BATCHES):
        old, new = torch.tensor([2.0 ** -source.uniform(8, 20)]), torch.tensor([2.0 ** -source.uniform(2, 8)])
        given = torch.tensor([[[float(source.randrange(-(1 << 21), 1 << 21)) for _ in range(8)]]])
        found = modules.fixedpoint_mul.apply(given * old, old, 8, "symmetric", new)
        multiplier, shift = modules.batch_frexp(old / new.float().double())
        head = [int(multiplier), int(shift)]
        pairs = zip(_ints(given)[0], _ints(found)[0], strict=True)
        yield from (([*head, one], [value]) for one, value in pairs)


if __name__ == "__main__":
    main()
