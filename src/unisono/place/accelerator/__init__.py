"""A transformer on an array of multipliers: cycles, utilisation, bytes and energy, layer by layer.

All of it is modelled, none measured. `cost(encoder, array, arithmetic)` is the way in; docs/accelerator.md says what it
is good for.
"""

from unisono.place.accelerator.array import Array
from unisono.place.accelerator.attention import Linear, Local, LowRank, Softmax
from unisono.place.accelerator.bounds import Bounds
from unisono.place.accelerator.configuration import encoder_of
from unisono.place.accelerator.costing import Cost, Energy, StepCost, cost
from unisono.place.accelerator.encoder import Encoder
from unisono.place.accelerator.energy import ARITHMETICS, Arithmetic
from unisono.place.accelerator.memory import Memory
from unisono.place.accelerator.network import Built

__all__ = [
    "ARITHMETICS",
    "Arithmetic",
    "Array",
    "Bounds",
    "Built",
    "Cost",
    "Encoder",
    "Energy",
    "Linear",
    "Local",
    "LowRank",
    "Memory",
    "Softmax",
    "StepCost",
    "cost",
    "encoder_of",
]
