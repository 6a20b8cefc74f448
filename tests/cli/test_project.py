"""The project that `unisono init` makes, through every command, each in a process of its own."""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import subprocess
import urllib.request
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import unisono as un
from tests.cli.shell import Run, finish, running, unisono, wait_until
from unisono.cli.app import COMMANDS

pytestmark = pytest.mark.slow

ROWS = 2880
FIELDS = {command.name: set(command.fields) for command in COMMANDS}
SAVES_ITS_MODEL = """
import train

def fit(frame):
    model = train.fit(frame)
    model.booster_.save_model("model.txt")
    return model
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new project with a version, and its model as LightGBM's text beside it."""
    folder = tmp_path_factory.mktemp("cli") / "parcels"
    assert unisono("init", folder, "--quiet", folder=folder.parent).exit_code == 0
    (folder / "saving.py").write_text(SAVES_ITS_MODEL)
    return folder


@pytest.fixture(scope="module")
def framed(home: Path) -> Run:
    """What making the training frame said."""
    return unisono("frame", "late", "--out", "frame.parquet", "--json", folder=home)


@pytest.fixture(scope="module")
def registered(home: Path) -> Run:
    """What registering a model said."""
    done = unisono("register", "late", "saving:fit", "--json", folder=home)
    assert done.exit_code == 0, done.err
    return done


@pytest.fixture(scope="module")
def streamed(home: Path, registered: Run) -> list[Run]:
    """What three runs of the stream said."""
    begun = unisono("stream", "late", "--until", 1000, "--batch", 100, "--json", folder=home)
    return [begun, unisono("stream", "late", folder=home), unisono("stream", "late", "--json", folder=home)]


@pytest.fixture
def copy(home: Path, registered: Run, tmp_path: Path) -> Path:
    """A copy of the project, with its version and nothing streamed yet."""
    folder = tmp_path / "copy"
    shutil.copytree(home, folder, ignore=shutil.ignore_patterns("log", "streams"))
    return folder


def test_the_training_frame_is_written_and_shown(framed: Run, home: Path) -> None:
    assert (framed.exit_code, set(framed.answer)) == (0, FIELDS["frame"])
    frame = pl.read_parquet(home / "frame.parquet")
    assert framed.answer["rows"] == frame.height == ROWS
    assert framed.answer["columns"] == frame.columns
    assert frame.columns[-1] == "late"
    shown = unisono("frame", "late", "--requests", "data/requests.csv", "--out", "frame.csv", folder=home)
    assert shown.out.startswith(f"{ROWS:,} rows, {frame.width} columns")
    assert shown.out.endswith("written to frame.csv\n")
    written = pl.read_csv(home / "frame.csv", schema_overrides={"late": pl.Boolean})
    features = [name for name in frame.columns if "__" in name]
    assert_frame_equal(written.select(features), frame.select(features), check_dtypes=False, check_exact=True)


def test_a_model_is_registered_from_a_function(registered: Run, home: Path) -> None:
    answer = registered.answer
    assert set(answer) == FIELDS["register"]
    assert len(answer["version"]) == 32
    assert Path(answer["artifact"]).is_relative_to(home)
    assert answer["verification"]["rows"] == ROWS
    assert "Brier score" in registered.err


def test_the_same_model_from_a_file_gives_the_same_predictions(framed: Run, registered: Run, copy: Path) -> None:
    done = unisono("register", "late", "model.txt", "--sample", "frame.parquet", folder=copy)
    assert done.exit_code == 0, done.err
    assert done.out.startswith("registered late: version ")
    project = un.load(copy)
    before = project.predict("late", version=registered.answer["version"])
    assert project.predict("late")["probability"].to_list() == before["probability"].to_list()


def test_a_model_that_cannot_be_registered_leaves_the_champion(registered: Run, home: Path) -> None:
    (home / "other.py").write_text("def fit(frame):\n    return {'not': 'a model'}\n")
    done = unisono("register", "late", "other:fit", folder=home)
    assert (done.exit_code, done.out) == (7, "")
    assert done.err.startswith("error: ")
    assert "Traceback" not in done.err
    assert un.load(home).registry.active("late").id == registered.answer["version"]


def test_batch_prediction_is_written_in_parts_that_are_gone_when_it_is_whole(registered: Run, home: Path) -> None:
    done = unisono("predict", "late", "--out", "predictions.parquet", "--chunk", "500", "--json", folder=home)
    assert (done.exit_code, set(done.answer)) == (0, FIELDS["predict"])
    predictions = pl.read_parquet(home / "predictions.parquet")
    assert (done.answer["rows"], done.answer["parts"]) == (ROWS, 6)
    assert predictions["probability"].is_between(0, 1).all()
    assert not list(home.glob(".predictions*"))
    assert not list((home / ".unisono/batch").rglob("*.arrow"))
    version = registered.answer["version"][:8]
    few = ["--requests", "few.csv", "--version", version, "--out", "few_predictions.csv"]
    (home / "few.csv").write_text("\n".join((home / "data/requests.csv").read_text().splitlines()[:11]))
    assert unisono("predict", "late", *few, folder=home).exit_code == 0
    probabilities = pl.read_csv(home / "few_predictions.csv")["probability"]
    assert probabilities.to_list() == predictions["probability"][:10].to_list()


def test_a_stream_goes_on_where_it_stopped_and_predicts_what_batch_predicts(streamed: list[Run], home: Path) -> None:
    begun, rest, nothing = streamed
    assert (begun.exit_code, set(begun.answer)) == (0, FIELDS["stream"])
    assert (begun.answer["position"], begun.answer["rows"]) == (1000, 1000)
    assert rest.exit_code == 0
    assert f"{2 * ROWS:,}" in rest.out
    assert (nothing.answer["rows"], nothing.answer["position"]) == (0, 2 * ROWS)
    project = un.load(home)
    answered = project.predictions("late").sort("parcel")
    batch = project.predict("late").sort("parcel")
    assert answered["prediction.probability"].to_list() == batch["probability"].to_list()


def test_ctrl_c_stops_a_stream_after_the_commit_under_way_and_says_how_to_go_on(copy: Path) -> None:
    with running("stream", "late", "--batch", 1, "--json", folder=copy) as stream:
        wait_until(lambda: has_predictions(copy), stream)
        stream.send_signal(signal.SIGINT)
        stopped = finish(stream)
    assert stopped.exit_code == 130
    assert stopped.answer["stopped"] is True
    assert 0 < stopped.answer["position"] < 2 * ROWS
    assert "run the same command to go on" in stopped.err
    rest = unisono("stream", "late", "--json", folder=copy)
    assert rest.answer["position"] == 2 * ROWS
    assert stopped.answer["requests"] + rest.answer["requests"] == ROWS
    assert un.load(copy).predictions("late").height == ROWS


def has_predictions(folder: Path) -> bool:
    """Whether a stream has written any answer yet."""
    return any(path.stat().st_size > 4096 for path in (folder / ".unisono").glob("streams/late/predictions/*"))


def test_the_server_tells_machines_where_it_is_and_keeps_its_port(streamed: list[Run], home: Path) -> None:
    with running("serve", "--port", 0, "--workers", 2, "--json", folder=home) as server:
        greeting = json.loads(first_line(server))
        assert set(greeting) == FIELDS["serve"]
        assert (greeting["predictors"], greeting["workers"]) == (["late"], 2)
        assert get(f"{greeting['url']}/health/ready")["status"] == "ready"
        port = greeting["url"].rpartition(":")[2]
        refused = unisono("serve", "--port", port, folder=home)
        server.send_signal(signal.SIGTERM)
        stopped = finish(server)
    assert stopped.exit_code == 0
    told = [json.loads(line) for line in stopped.err.splitlines()]
    assert [line["event"] for line in told].count("worker_listens") == 2
    assert [line["event"] for line in told][-2:] == ["stopping", "stopped"]
    assert refused.exit_code == 6
    assert refused.err.startswith("error: ")
    assert port in refused.err


def test_the_server_answers_the_example_that_it_shows(streamed: list[Run], home: Path) -> None:
    with running("serve", "--port", 0, folder=home) as server:
        assert first_line(server).startswith("serving late at http://127.0.0.1:")
        curl, url, option, body = shlex.split(first_line(server))
        assert (curl, option) == ("curl", "-d")
        assert 0 <= get(url, body)["prediction"]["probability"] <= 1
        server.send_signal(signal.SIGINT)
        stopped = finish(server)
    assert stopped.exit_code == 0
    told = stopped.err.splitlines()
    assert told[-1].endswith(" stopped")
    assert any("late: champion " in line for line in told)
    assert sum("listens" in line for line in told) >= 1


def test_one_request_is_explained_without_a_server(streamed: list[Run], home: Path) -> None:
    (home / "one.json").write_text(un.load(home).requests("late").tail(1).drop("asked_at").write_ndjson())
    explained = unisono("serve", "--explain", "one.json", "--json", folder=home).answer
    assert explained["predictor"] == "late"
    assert set(explained["took_us"]) == {"decode", "features", "model", "encode", "total"}
    assert 0 <= explained["answer"]["prediction"]["probability"] <= 1
    shown = unisono("serve", "--explain", "one.json", "--predictor", "late", folder=home).out
    assert explained["version"] in shown
    assert all(view["view"] in shown for view in explained["views"])


def first_line(process: subprocess.Popen[str]) -> str:
    """The next line that a running command prints."""
    assert process.stdout is not None
    return process.stdout.readline()


def get(url: str, body: str | None = None) -> Any:
    """What a server answers."""
    with urllib.request.urlopen(url, None if body is None else body.encode(), timeout=30) as response:
        return json.load(response)


def test_serving_before_streaming_says_what_to_run_first(copy: Path) -> None:
    refused = unisono("serve", "--port", 0, folder=copy)
    assert refused.exit_code == 6
    assert "unisono stream" in refused.err


def test_all_drivers_agree_to_the_bit(registered: Run, home: Path) -> None:
    done = unisono("parity", "late", "--json", folder=home)
    assert done.exit_code == 0, done.err
    assert set(done.answer) == FIELDS["parity"]
    assert done.answer["requests"] == ROWS
    assert done.answer["features"] == 16
    assert done.answer["drivers"] == ["batch", "stream", "online"]
    assert (done.answer["differing_bits"], done.answer["first"]) == (0, None)


@pytest.mark.parametrize("fault", ["drop-event:stream", "change-weight:online"])
def test_a_planted_fault_is_found_and_named(fault: str, registered: Run, home: Path) -> None:
    found = unisono("parity", "late", "--plant", fault, folder=home)
    assert found.exit_code == 1, found.err
    assert "the first:" in found.out
    told = {line.split()[0]: line.split()[1:] for line in found.out.splitlines()[2:]}
    assert {"driver", "feature", "key", "time", "position", "batch"} <= set(told)
    assert told[told["driver"][0]] != told["batch"]


def test_a_plant_that_is_not_known_is_refused(registered: Run, home: Path) -> None:
    refused = unisono("parity", "late", "--plant", "drop:stream", "--json", folder=home)
    assert refused.exit_code == 4
    assert "drop-event" in refused.answer["error"]["message"]
