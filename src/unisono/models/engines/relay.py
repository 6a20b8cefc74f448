"""What one part of a graph makes, for the next."""

from __future__ import annotations

from unisono.models.session import Runner, Tensor


def run_part(part: Runner | None, values: dict[str, Tensor]) -> None:
    """Adds what a part makes to the values that there are."""
    if part is not None:
        given = {name: values[name] for name in part.inputs if name in values}
        values.update(zip(part.outputs, part(given), strict=True))
