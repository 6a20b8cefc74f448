"""What is wrong with one object of a spec: every fault is collected, one line each, and all are raised together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from unisono.spec.durations import DurationProblem, judge_duration
from unisono.spec.errors import DefinitionError
from unisono.spec.frozen import Schema
from unisono.spec.types import DTYPE_NAMES, DType
from unisono.spec.wording import NAME_ALLOWED, did_you_mean, is_name, listing, quoted


class Faults:
    """The faults of one object; each line begins with the object, e.g. `view by_carrier`.

    kind: what the object is.
    name: how it is called; a fault if that is not a name.
    """

    __slots__ = ("_where", "lines")

    def __init__(self, kind: str, name: object) -> None:
        self._where = f"{kind} {name}" if is_name(name) else f"{kind} {quoted(name)}"
        self.lines: list[str] = []
        self.name("name", name)

    def add(self, path: str, seen: str, *, allowed: str, step: str) -> None:
        """Adds one fault: where in the object, what was seen, what was allowed, what to do next."""
        self.lines.append(f"{self._where}: {path}: {seen}; allowed: {allowed}; {step}")

    def extend(self, lines: Iterable[str]) -> None:
        """Adds faults that another check has already put into lines."""
        self.lines.extend(lines)

    def raise_if_any(self) -> None:
        """Raises DefinitionError with every fault, or does nothing."""
        if self.lines:
            raise DefinitionError(self.lines)

    def name(self, path: str, value: object) -> str | None:
        """The value if it can name something; else None, and a fault."""
        if isinstance(value, str) and is_name(value):
            return value
        self.add(path, f"{quoted(value)} is not a name", allowed=NAME_ALLOWED, step='write e.g. "arr_delay"')
        return None

    def duration(self, path: str, value: object) -> int | None:
        """The value in microseconds if it is a duration; else None, and a fault."""
        duration = judge_duration(value)
        if isinstance(duration, DurationProblem):
            self.add(path, duration.seen, allowed=duration.allowed, step=duration.step)
            return None
        return duration

    def schema(self, path: str, value: object, *, allowed: Sequence[str] = DTYPE_NAMES) -> Schema:
        """The columns of a mapping name -> dtype that are sound; a fault for each of the others.

        allowed: names of the dtypes that may be here.
        """
        if not isinstance(value, Mapping):
            self.add(path, f"{quoted(value)} is not a mapping", allowed="column name -> dtype", step="write a dict")
            return Schema({})
        return Schema({name: dtype for name, dtype in value.items() if self._is_column(path, name, dtype, allowed)})

    def _is_column(self, path: str, name: object, dtype: object, allowed: Sequence[str]) -> bool:
        place = f"{path}[{quoted(name)}]"
        is_allowed = isinstance(dtype, DType) and dtype.name in allowed
        if not is_allowed:
            seen = f"{dtype} is no dtype for it" if isinstance(dtype, DType) else f"{quoted(dtype)} is not a dtype"
            self.add(place, seen, allowed=listing(allowed), step="write e.g. unisono.Int64")
        return self.name(place, name) is not None and is_allowed

    def column(self, path: str, value: object, columns: Mapping[str, DType], *, owner: str) -> DType | None:
        """The dtype of the column if there is one of that name; else None, and a fault that says the nearest name."""
        if isinstance(value, str) and value in columns:
            return columns[value]
        seen = f"{quoted(value)} is not a column of {owner}"
        self.add(path, seen, allowed=listing(columns), step=did_you_mean(value, columns))
        return None
