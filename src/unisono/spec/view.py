"""A feature view: aggregations of one source, for one key, over windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from unisono.spec.aggregations import AGGREGATIONS, Aggregation
from unisono.spec.durations import name_duration
from unisono.spec.faults import Faults
from unisono.spec.frozen import assign, listed
from unisono.spec.source import Source
from unisono.spec.transform import Transform
from unisono.spec.types import DType
from unisono.spec.wording import listing, quoted

Window = str | timedelta | None

ALL_OF_HISTORY = "all"  # how the window None is called in a feature's name
KEY_DTYPES = ("String", "Int64", "Bool", "Timestamp", "Decimal")  # NaN is not equal to itself, so no Float64


@dataclass(frozen=True, slots=True, init=False)
class FeatureView:
    """Aggregations of one source's events, for each value of a key, over windows of event time.

    name:         begins the names of its features.
    source:       the log whose events are aggregated.
    key:          the column or columns that say whom a feature is about.
    aggregations: what is computed, e.g. `[count(), mean("arr_delay")]`.
    windows:      lengths ("6h", timedelta), held as microseconds; None: all of history, alone or among others.
    derive:       transforms of the source's columns, whose results can be aggregated too.
    refresh:      "stream": features follow each event.

    Raises DefinitionError with all faults.

    >>> from unisono.spec.aggregations import count, mean
    >>> from unisono.spec.types import Float64, String
    >>> taps = Source("taps", {"user": String, "amount": Float64}, event_time="at")
    >>> FeatureView("by_user", taps, key="user", aggregations=[count(), mean("amount")], windows="6h").feature_names
    ('by_user__count_6h', 'by_user__amount_mean_6h')
    """

    name: str
    source: Source
    key: tuple[str, ...]
    aggregations: tuple[Aggregation, ...]
    windows: tuple[int | None, ...]
    window_names: tuple[str, ...]
    derive: tuple[Transform, ...]
    refresh: str

    def __init__(
        self,
        name: str,
        source: Source,
        *,
        key: str | Sequence[str],
        aggregations: Aggregation | Sequence[Aggregation],
        windows: Window | Sequence[Window] = None,
        derive: Transform | Sequence[Transform] = (),
        refresh: str = "stream",
    ) -> None:
        faults = Faults("view", name)
        columns = check_source(faults, source)
        keys = _check_key(faults, listed(key), columns)
        transforms = check_transforms(faults, listed(derive), (getattr(source, "name", "source"),))
        derived: Mapping[str, DType] | None = None if listed(derive) else {}
        aggregates = _check_aggregations(faults, listed(aggregations), columns, derived)
        durations, names = _check_windows(faults, listed(windows))
        if columns is not None and None in durations:
            _check_memory_of_ids(faults, source)
        if refresh != "stream":
            faults.add("refresh", quoted(refresh), allowed='"stream", so far', step="leave refresh out")
        faults.raise_if_any()
        assign(self, name=name, source=source, key=keys, aggregations=aggregates, derive=transforms, refresh=refresh)
        assign(self, windows=durations, window_names=names)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The names of its features, in the order of its answers: window by window, each with every aggregation."""
        return tuple(
            f"{self.name}__{aggregation.name}_{window}"
            for window in self.window_names
            for aggregation in self.aggregations
        )


def validate_derived(view: FeatureView, derived: Mapping[str, DType]) -> list[str]:
    """The faults of a view that show only once its transforms are traced; none: an empty list.

    derived: the columns that the view's transforms make, with their dtypes.
    """
    faults = Faults("view", view.name)
    for column in derived:
        faults.name("derive", column)
        if column in view.source.columns:
            step = "give the derived column a name of its own"
            seen = f'"{column}" is a column of source {view.source.name} already'
            faults.add("derive", seen, allowed="a new name", step=step)
    _check_aggregations(faults, view.aggregations, view.source.columns, derived)
    return faults.lines


def check_source(faults: Faults, source: object) -> Mapping[str, DType] | None:
    """The columns of a source; None, and a fault, if it is none."""
    if isinstance(source, Source):
        return source.columns
    faults.add("source", f"{quoted(source)} is not a source", allowed="a Source", step="pass the Source itself")
    return None


def check_transforms(faults: Faults, derive: tuple[object, ...], namespaces: tuple[str, ...]) -> tuple[Transform, ...]:
    """The transforms among `derive`; a fault for each thing that is none, reads another namespace or comes twice."""
    transforms: dict[str, Transform] = {}
    allowed = listing(namespaces)
    for index, item in enumerate(derive):
        path = f"derive[{index}]"
        if not isinstance(item, Transform):
            step = "decorate the function with @unisono.transform"
            faults.add(path, f"{quoted(item)} is not a transform", allowed="Transform", step=step)
            continue
        for name in item.inputs:
            if name not in namespaces:
                step = f"rename that parameter of {item.name}"
                faults.add(path, f'transform {item.name} reads "{name}"', allowed=allowed, step=step)
        if item.name in transforms:
            step = "rename one, or list it once"
            faults.add(path, f"a second transform {item.name}", allowed="one of each name", step=step)
        transforms[item.name] = item
    return tuple(transforms.values())


def _check_key(faults: Faults, key: tuple[object, ...], columns: Mapping[str, DType] | None) -> tuple[object, ...]:
    if not key:
        faults.add("key", "no column", allowed="one or more columns", step="say whom the features are about")
    for index, column in enumerate(key):
        path = f"key[{index}]"
        if column in key[:index]:
            faults.add(path, f"{quoted(column)} comes twice", allowed="each column once", step="list it once")
        elif columns is not None:
            dtype = faults.column(path, column, columns, owner="the source")
            if dtype is not None and dtype.name not in KEY_DTYPES:
                step = "key by a String or an Int64 column"
                faults.add(path, f'"{column}" is {dtype}', allowed=listing(KEY_DTYPES), step=step)
    return key


def _check_aggregations(
    faults: Faults,
    aggregations: tuple[object, ...],
    columns: Mapping[str, DType] | None,
    derived: Mapping[str, DType] | None,
) -> tuple[Aggregation, ...]:
    """derived: columns the view makes; None: it makes some, not known yet, so that unknown columns pass."""
    if not aggregations:
        faults.add("aggregations", "none", allowed="one or more", step="write e.g. [unisono.count()]")
    sound: list[Aggregation] = []
    for index, item in enumerate(aggregations):
        path = f"aggregations[{index}]"
        if not isinstance(item, Aggregation):
            name = getattr(item, "__name__", item)
            step = f"write unisono.{name if name in (*AGGREGATIONS,) else 'mean'}(...)"
            faults.add(path, f"{quoted(item)} is not an aggregation", allowed=listing(AGGREGATIONS), step=step)
            continue
        if any(item.name == other.name for other in sound):
            seen = f"{item.name} comes twice, so that two features would have one name"
            faults.add(path, seen, allowed="each aggregation once", step="list it once")
        sound.append(item)
        if columns is not None:
            _check_aggregated(faults, path, item, columns, derived)
    return tuple(sound)


def _check_aggregated(
    faults: Faults,
    path: str,
    item: Aggregation,
    columns: Mapping[str, DType],
    derived: Mapping[str, DType] | None,
) -> None:
    known = {**columns, **(derived or {})}
    if item.column is None or (item.column not in known and derived is None):
        return
    dtype = faults.column(path, item.column, known, owner="the source or of derive")
    if dtype is not None and not item.accepts(dtype):
        allowed = listing(AGGREGATIONS[item.kind].dtypes)
        step = f'write count("{item.column}"), or derive a number from it'
        faults.add(path, f'{item.kind} of "{item.column}", which is {dtype}', allowed=allowed, step=step)


def _check_memory_of_ids(faults: Faults, source: Source) -> None:
    if source.id is not None and source.remember_ids is None:
        seen = f'all of history of a source with id="{source.id}", whose memory of ids has no end'
        step = f'write e.g. remember_ids="30d" in source {source.name}'
        faults.add("windows", seen, allowed="a source with remember_ids", step=step)


def _check_windows(faults: Faults, windows: tuple[object, ...]) -> tuple[tuple[int | None, ...], tuple[str, ...]]:
    if not windows:
        faults.add("windows", "none", allowed="one or more, or None for all of history", step='write e.g. ["6h"]')
    durations: list[int | None] = []
    names: list[str] = []
    for index, window in enumerate(windows):
        path = f"windows[{index}]"
        duration = None if window is None else faults.duration(path, window)
        if window is not None and duration is None:
            continue
        name = ALL_OF_HISTORY if window is None else name_duration(window)  # type: ignore[arg-type]
        if duration in durations:
            twin = names[durations.index(duration)]
            seen = f'"{name}" is as long as "{twin}" before it'
            faults.add(path, seen, allowed="each length once", step="list it once")
        durations.append(duration)
        names.append(name)
    return tuple(durations), tuple(names)
