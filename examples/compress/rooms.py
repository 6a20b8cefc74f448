"""Rooms, some of them pleasant, and a network that is much too large for them.

`python -m examples.compress.rooms` writes data/rooms.parquet; `unisono compress comfort rooms:fit` calls `fit`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import torch
from torch import nn

DATA = Path(__file__).parent / "data"
COLUMNS = ("warmth", "damp", "draught", "noise")
ROWS = 3000

_WIDTH, _EPOCHS, _RATE, _AT_ONCE = 256, 8, 1e-3, 64


class Comfort(nn.Module):
    """Four numbers of a room -> scores of the two classes."""

    classes_ = ("no", "yes")
    feature_names_in_ = COLUMNS

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(len(COLUMNS), _WIDTH), nn.ReLU(), nn.Linear(_WIDTH, _WIDTH), nn.ReLU(), nn.Linear(_WIDTH, 2)
        )

    def forward(self, numbers: torch.Tensor) -> torch.Tensor:
        """Rows x 4 -> rows x 2."""
        scores: torch.Tensor = self.layers(numbers)
        return scores


def rooms(rows: int = ROWS, *, seed: int = 0) -> pl.DataFrame:
    """Made-up rooms: four numbers around zero, the floor they are on, and whether people liked it."""
    random = np.random.default_rng(seed)
    numbers = random.normal(size=(rows, len(COLUMNS)))
    warmth, damp, draught, noise = numbers.T
    pleasant = 1 - warmth**2 - 0.5 * damp * warmth - 0.7 * np.abs(draught) + 0.3 * noise + random.normal(0, 0.2, rows)
    return pl.DataFrame(
        {
            **dict(zip(COLUMNS, numbers.T, strict=True)),
            "floor": random.choice(["ground", "first", "attic"], rows),
            "comfortable": np.where(pleasant > 0, "yes", "no"),
        }
    )


def fit(frame: pl.DataFrame) -> Comfort:
    """A network fitted to the rooms that the report does not judge by."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    model = Comfort()
    numbers = torch.tensor(frame.select(COLUMNS).to_numpy(), dtype=torch.float32)
    right = torch.tensor((frame["comfortable"] == "yes").to_numpy().astype(np.int64))
    optimiser = torch.optim.Adam(model.parameters(), lr=_RATE)
    for _ in range(_EPOCHS):
        for part in torch.split(torch.randperm(len(right)), _AT_ONCE):
            optimiser.zero_grad()
            loss = nn.functional.cross_entropy(model(numbers[part]), right[part])
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return model.eval()


def main() -> None:
    """Write the rooms."""
    DATA.mkdir(exist_ok=True)
    rooms().write_parquet(DATA / "rooms.parquet")
    print(DATA / "rooms.parquet")


if __name__ == "__main__":
    main()
