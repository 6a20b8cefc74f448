"""A batch run: any source to any sink gives what the predictor gives of a frame, once, row for row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

import unisono as un
from tests.drivers.logs import same_bits
from tests.drivers.projects import make_project, register
from unisono.connect.tables import open_source
from unisono.drivers.batch import run_batch
from unisono.drivers.project import Project

ROWS = 200
FORMATS = {
    "parquet": "scores.parquet",
    "folder": "scores/",
    "csv": "scores.csv",
    "json": "scores.ndjson",
    "delta": "delta:scores",
    "sqlite": "sqlite:///scores.db#scores",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = make_project(tmp_path_factory.mktemp("batch"), requests=ROWS)
    register(made)
    return made


@pytest.fixture(scope="module")
def expected(project: Project) -> pl.DataFrame:
    return project.predict("risk")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(sink: str, like: pl.DataFrame) -> pl.DataFrame:
    """What a sink holds, in the types of a frame, in the order of its rows' requests."""
    folder = Path("read")
    folder.mkdir(exist_ok=True)
    table = open_source(sink).open(folder)
    whole = pl.concat(table.read(table.spans(1000), table.columns))
    instant = pl.col("asked_at")
    if whole.schema["asked_at"] == pl.String:
        instant = instant.str.to_datetime(time_unit="us", time_zone="UTC")
    is_text = whole.schema["prediction"] == pl.String
    booleans = pl.col("prediction") == "true" if is_text else pl.col("prediction")
    typed = whole.with_columns(instant, booleans).cast({"shop": pl.Int64, "probability": pl.Float64})
    return typed.select(like.columns).sort(like.columns)


@pytest.mark.slow
@pytest.mark.parametrize("sink", FORMATS.values(), ids=FORMATS)
def test_every_sink_gets_every_row_and_gives_it_back_as_a_source(
    project: Project, expected: pl.DataFrame, sink: str
) -> None:
    report = run_batch(project, "risk", None, sink, chunk=30)
    assert (report.rows, report.new_rows, report.parts, report.resumed_parts) == (ROWS, ROWS, 7, 0)
    assert report.versions == {"risk": project.registry.active("risk").id}
    assert not report.is_repeated and report.cpu_seconds > 0
    assert same_bits(read(sink, expected), expected.sort(expected.columns))
    again = run_batch(project, "risk", None, sink, chunk=30)
    assert (again.is_repeated, again.new_rows, again.run_id) == (True, 0, report.run_id)
    onward = run_batch(project, "risk", sink, "onward.parquet")
    assert onward.rows == ROWS
    answered = pl.read_parquet("onward.parquet")
    assert same_bits(answered.sort(answered.columns), expected.sort(expected.columns))


@pytest.mark.parametrize(
    ("source", "sink"),
    [
        ("asked/one.parquet", "asked/one.parquet"),
        ("asked/one.parquet", "asked/../asked/one.parquet"),
        ("asked/one.parquet", "asked/"),
        ("asked/", "asked/scores.parquet"),
        ("*/one.parquet", "asked/one.parquet"),
        ("delta:deltas", "deltas/"),
        ("sqlite:///shop.db#asked", "sqlite:///shop.db#asked"),
    ],
)
def test_a_sink_that_would_change_what_is_read_is_refused(project: Project, source: str, sink: str) -> None:
    requests = project.requests("risk")
    Path("asked").mkdir()
    requests.write_parquet("asked/one.parquet")
    requests.write_delta("deltas")
    with pytest.raises(un.InputError, match="which is read, and would change it; allowed: a table beside it"):
        run_batch(project, "risk", source, sink)
    assert same_bits(pl.read_parquet("asked/one.parquet"), requests)
    assert run_batch(project, "risk", "asked/*.parquet", "scores.parquet").new_rows == requests.height


@pytest.mark.parametrize("bound", ["data/taps.parquet", "data/requests.parquet"])
def test_the_files_of_a_project_are_not_written_over(project: Project, bound: str) -> None:
    project.requests("risk").write_parquet("asked.parquet")
    before = (project.root / bound).read_bytes()
    with pytest.raises(un.InputError, match="which is read, and would change it"):
        run_batch(project, "risk", "asked.parquet", project.root / bound)
    assert (project.root / bound).read_bytes() == before


@pytest.mark.slow
def test_rows_keep_their_order_over_parts_files_and_row_groups(project: Project, expected: pl.DataFrame) -> None:
    requests = project.requests("risk")
    Path("in").mkdir()
    requests[:70].write_parquet("in/a.parquet", row_group_size=13)
    requests[70:].write_parquet("in/b.parquet", row_group_size=1000)
    for source in ("in", "in/*.parquet"):
        for chunk in (1, 29, 500):
            run_batch(project, "risk", source, f"out-{chunk}.parquet", chunk=chunk, cores=3)
            assert same_bits(pl.read_parquet(f"out-{chunk}.parquet"), expected)


def test_features_in_small_blocks_are_the_same(
    project: Project, expected: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unisono.drivers.batch.parts.BLOCK_BYTES", 50 * 8 * 10)
    run_batch(project, "risk", None, "out.parquet", chunk=11)
    assert same_bits(pl.read_parquet("out.parquet"), expected)


def test_a_run_goes_on_with_the_parts_that_are_there(project: Project, expected: pl.DataFrame) -> None:
    def stop(what: str, done: int, total: int | None) -> None:
        if what == "predicting" and done >= 90:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_batch(project, "risk", None, "out.parquet", chunk=30, progress=stop)
    assert not Path("out.parquet").exists()
    report = run_batch(project, "risk", None, "out.parquet", chunk=30)
    assert 3 <= report.resumed_parts < 7
    assert same_bits(pl.read_parquet("out.parquet"), expected)


def test_a_run_id_is_done_once_until_somebody_else_writes_the_sink(project: Project) -> None:
    assert run_batch(project, "risk", None, "out.parquet", run_id="monday").new_rows == ROWS
    assert run_batch(project, "risk", None, "out.parquet", run_id="monday").is_repeated
    assert run_batch(project, "risk", None, "out.parquet", run_id="tuesday").new_rows == ROWS
    pl.DataFrame({"a": [1]}).write_parquet("out.parquet")
    report = run_batch(project, "risk", None, "out.parquet", run_id="tuesday")
    assert not report.is_repeated and pl.read_parquet("out.parquet").height == ROWS


def _begin(project: Project, source: str, **options: str) -> None:
    """A run that is stopped after its first parts."""

    def stop(what: str, done: int, total: int | None) -> None:
        if what == "predicting" and done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_batch(project, "risk", source, "out.parquet", chunk=30, progress=stop, **options)  # type: ignore[arg-type]


def test_a_source_that_changed_since_begins_the_run_anew(project: Project) -> None:
    requests = project.requests("risk")
    requests.write_parquet("in.parquet")
    _begin(project, "in.parquet")
    requests.reverse().write_parquet("in.parquet")
    report = run_batch(project, "risk", "in.parquet", "out.parquet", chunk=30)
    assert report.resumed_parts == 0
    assert pl.read_parquet("out.parquet")["user"].to_list() == requests["user"].reverse().to_list()


def test_a_named_run_whose_source_changed_since_is_refused(project: Project) -> None:
    requests = project.requests("risk")
    requests.write_parquet("in.parquet")
    _begin(project, "in.parquet", run_id="monday")
    requests.reverse().write_parquet("in.parquet")
    with pytest.raises(un.InputError, match=r'run "monday" of .*begun with another source; allowed: the same'):
        run_batch(project, "risk", "in.parquet", "out.parquet", run_id="monday", chunk=30)
    assert run_batch(project, "risk", "in.parquet", "out.parquet", run_id="monday 2").resumed_parts == 0


def test_a_source_that_changes_while_it_is_read_publishes_nothing(project: Project) -> None:
    project.requests("risk").write_parquet("in.parquet")

    def change(what: str, done: int, total: int | None) -> None:
        if what == "predicting" and done == ROWS:
            project.requests("risk").head(7).write_parquet("in.parquet")

    with pytest.raises(un.InputError, match=r"in\.parquet: changed while it was read; .*nothing was published"):
        run_batch(project, "risk", "in.parquet", "out.parquet", progress=change)
    assert not Path("out.parquet").exists()


def test_events_that_changed_since_make_it_another_run(project: Project) -> None:
    path = project.event_file("taps")
    events = path.read_bytes()
    try:
        run_batch(project, "risk", None, "out.parquet")
        assert run_batch(project, "risk", None, "out.parquet").is_repeated
        pl.read_parquet(path).head(100).write_parquet(path)
        assert not run_batch(project, "risk", None, "out.parquet").is_repeated
        assert pl.read_parquet("out.parquet").equals(project.predict("risk"))
    finally:
        path.write_bytes(events)


@pytest.mark.slow
def test_a_named_run_of_a_database_goes_on_with_what_it_copied(project: Project, expected: pl.DataFrame) -> None:
    source = "sqlite:///requests.db#requests"
    run_batch(project, "risk", None, source)
    _begin(project, source, run_id="monday")
    run_batch(project, "risk", _few(project), source)
    report = run_batch(project, "risk", source, "out.parquet", run_id="monday", chunk=30)
    assert (report.rows, report.resumed_parts > 0) == (ROWS, True)
    assert run_batch(project, "risk", source, "out.parquet", run_id="tuesday").rows == 7


def _few(project: Project) -> str:
    project.requests("risk").head(7).write_parquet("few.parquet")
    return "few.parquet"


@pytest.mark.slow
@pytest.mark.parametrize("sink", FORMATS.values(), ids=FORMATS)
def test_only_rows_with_a_new_key_are_scored_and_added(project: Project, expected: pl.DataFrame, sink: str) -> None:
    rows = project.requests("risk").with_row_index("order").with_columns(pl.col("order").cast(pl.Int64))
    rows[::2].write_parquet("first.parquet")
    rows.write_parquet("all.parquet")
    first = run_batch(project, "risk", "first.parquet", sink, only_new="order", chunk=30)
    assert (first.rows, first.new_rows) == (100, 100)
    second = run_batch(project, "risk", "all.parquet", sink, only_new="order", chunk=30)
    assert (second.rows, second.new_rows) == (ROWS, 100)
    third = run_batch(project, "risk", "all.parquet", sink, only_new="order", chunk=31, run_id="again")
    assert (third.new_rows, third.is_repeated) == (0, False)
    wanted = expected.sort(expected.columns)
    assert same_bits(read(sink, expected), wanted)


def test_columns_that_are_kept_can_be_any_of_the_source(project: Project, expected: pl.DataFrame) -> None:
    rows = project.requests("risk").with_columns(note=pl.lit("n"), order=pl.int_range(pl.len(), dtype=pl.UInt8))
    rows.write_parquet("in.parquet")
    run_batch(project, "risk", "in.parquet", "out.parquet", keep=["order", "note", "shop"])
    answered = pl.read_parquet("out.parquet")
    assert answered.columns == ["order", "note", "shop", "prediction", "probability"]
    assert answered.schema["order"] == pl.UInt8
    assert answered["probability"].equals(expected["probability"])
    with pytest.raises(
        un.InputError, match=r'in\.parquet, column "ordr": there is no such column.*did you mean "order"'
    ):
        run_batch(project, "risk", "in.parquet", "out.parquet", keep=["ordr"])


def test_an_empty_table_gives_an_empty_table(project: Project, expected: pl.DataFrame) -> None:
    project.requests("risk").clear().write_parquet("in.parquet")
    report = run_batch(project, "risk", "in.parquet", "out.parquet")
    assert (report.rows, report.parts) == (0, 1)
    assert pl.read_parquet("out.parquet").schema == expected.schema


def _spoil(requests: pl.DataFrame, row: int) -> pl.DataFrame:
    texts = requests.with_columns(pl.col("shop").cast(pl.String))
    return texts.with_columns(shop=pl.when(pl.int_range(pl.len()) == row).then(pl.lit("x")).otherwise("shop"))


WRONG: dict[str, tuple[Callable[[pl.DataFrame], pl.DataFrame], str]] = {
    "text for a number": (
        lambda frame: _spoil(frame, 131),
        r"in\.parquet, column .shop., row 131: 'x'; allowed: Int64",
    ),
    "no key": (
        lambda frame: frame.with_columns(user=pl.when(pl.int_range(pl.len()) != 77).then("user")),
        r'in\.parquet, column "user", row 77',
    ),
    "no such column": (lambda frame: frame.drop("shop"), r'in\.parquet, column "shop": there is no such column'),
    "another type": (lambda frame: frame.with_columns(shop=1.5), r'in\.parquet, column "shop": dtype Float64; allowed'),
}


@pytest.mark.parametrize("fault", WRONG)
def test_a_row_that_does_not_fit_is_named_and_nothing_is_published(project: Project, fault: str) -> None:
    spoil, message = WRONG[fault]
    spoil(project.requests("risk")).write_parquet("in.parquet", row_group_size=50)
    Path("out.parquet").write_bytes(b"before")
    with pytest.raises(un.InputError, match=message):
        run_batch(project, "risk", "in.parquet", "out.parquet", chunk=30)
    assert Path("out.parquet").read_bytes() == b"before"
    assert sorted(path.name for path in Path().iterdir()) == ["in.parquet", "out.parquet"]


REFUSED: dict[str, tuple[dict[str, str], type[un.UnisonoError], str]] = {
    "a missing source": ({"source": "no.parquet"}, un.StoreError, r"no\.parquet: there is no such file"),
    "a missing folder": ({"sink": "no/out.parquet"}, un.StoreError, "there is no folder .*no; make it"),
    "an unknown kind": ({"sink": "out.xlsx"}, un.InputError, r'table "out\.xlsx": its kind cannot be told; allowed: a'),
    "a database without a table": ({"sink": "sqlite:///x.db"}, un.InputError, "no table is named; allowed: URL#TABLE"),
    "a database that is not known": ({"sink": "oracl://x#t"}, un.StoreError, "cannot be opened"),
    "a version of two": (
        {"predictors": "risk,risk2", "version": "1"},
        un.InputError,
        'predictor "risk2": there is none',
    ),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_what_cannot_be_run_is_refused_with_the_next_step(project: Project, fault: str) -> None:
    given, kind, message = REFUSED[fault]
    project.requests("risk").write_parquet("in.parquet")
    names = given.get("predictors", "risk").split(",")
    source, sink = given.get("source", "in.parquet"), given.get("sink", "out.parquet")
    with pytest.raises(kind, match=message):
        run_batch(project, names, source, sink)


def test_a_second_run_for_a_sink_is_refused_while_the_first_goes_on(project: Project) -> None:
    def meanwhile(what: str, done: int, total: int | None) -> None:
        if what == "predicting":
            with pytest.raises(un.StoreError, match=r"out\.parquet: another run writes it \(process \d+\); allowed"):
                run_batch(project, "risk", None, "out.parquet")
            run_batch(project, "risk", None, "other.parquet")

    assert run_batch(project, "risk", None, "out.parquet", progress=meanwhile).new_rows == ROWS
