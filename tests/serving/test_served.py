"""What the server answered is written down: enough to compute it again."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from queue import Queue
from typing import Any

import numpy as np
import polars as pl
import pytest

import unisono as un
from tests.drivers.projects import make_project, register
from tests.drivers.streams import Adder
from tests.serving.conftest import Client
from unisono.connect.log import Log
from unisono.drivers.online import OnlinePredictor
from unisono.drivers.served import ServedLog, request_frame
from unisono.drivers.serving import Server
from unisono.features.answers import matrix
from unisono.store.predictions import feature_matrix


def test_each_answer_is_a_row_with_request_features_position_and_version(
    online: OnlinePredictor, request_row: dict[str, Any], tmp_path: Path
) -> None:
    log = ServedLog(online.ready, tmp_path, clock=lambda: 5)
    noting = OnlinePredictor(online.ready, online.store, Adder(), note=log.add)
    answers = [noting.answer(json.dumps({**request_row, "shop": shop}).encode()) for shop in (1, 2, None, 1)[:2]]
    log.write()
    answers.append(noting.answer(json.dumps(request_row).encode()))
    log.close()
    rows = pl.concat(part.frame for block in Log(tmp_path).read() for part in block.parts)
    assert rows.get_column("shop").to_list() == [1, 2, 1]
    assert rows.get_column("position").to_list() == [online.store.last.position] * 3
    assert rows.get_column("version").to_list() == ["adder"] * 3
    features = feature_matrix(rows, answers[0].features.shape[1])
    assert (features.view(np.int64) == np.vstack([answer.features for answer in answers]).view(np.int64)).all()
    assert rows.get_column("prediction.prediction").to_list() == [one.prediction["prediction"] for one in answers]
    assert rows.get_column("asked_at").to_physical().to_list() == [answer.time for answer in answers]


def test_decimals_times_and_nulls_are_written_as_they_are(online: OnlinePredictor) -> None:
    from dataclasses import replace
    from decimal import Decimal

    request = {"price": un.Decimal(places=2), "weight": un.Float64, "flag": un.Bool, "when": un.Timestamp}
    spec = un.Predictor("numbers", request=request, time="asked_at", features=())
    rows = [
        {"price": 1234, "weight": 0.1, "flag": True, "when": 0, "asked_at": 1},
        {"price": None, "weight": None, "flag": None, "when": None, "asked_at": 2},
    ]
    frame = request_frame(replace(online.ready, spec=spec), rows)  # type: ignore[arg-type]
    assert frame.get_column("price").to_list() == [Decimal("12.34"), None]
    assert frame.row(1)[:4] == (None, None, None, None)
    assert frame.schema["when"] == pl.Datetime("us", "UTC")


def test_a_full_disk_costs_rows_but_no_prediction(
    online: OnlinePredictor,
    request_row: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = ServedLog(online.ready, tmp_path)
    noting = OnlinePredictor(online.ready, online.store, Adder(), note=log.add)

    def full(descriptor: int, data: bytes, at: int) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.pwrite", full)
        assert noting.answer(json.dumps(request_row).encode()).prediction
        log.write()
    assert "1 predictions of risk were not written down" in caplog.text and "no space is left" in caplog.text
    noting.answer(json.dumps(request_row).encode())
    log.close()
    assert Log(tmp_path).end.position == 1


def test_a_project_serves_what_it_streams_and_keeps_what_it_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(tmp_path / "p")
    config = tmp_path / "p" / "unisono.toml"
    config.write_text(config.read_text() + "\n[serve]\nport = 0\nlog = true\n")
    project = un.load(tmp_path / "p")
    version = register(project)
    with pytest.raises(un.StoreError, match="no state yet; run `unisono stream` first"):
        project.serve()
    project.stream("risk")

    servers: Queue[Server] = Queue()
    addresses: Queue[str] = Queue()
    start = Server.serve_forever

    def noticed(server: Server) -> None:
        servers.put(server)
        start(server)

    monkeypatch.setattr(Server, "serve_forever", noticed)
    thread = threading.Thread(target=project.serve, kwargs={"announce": addresses.put})
    thread.start()
    try:
        client = Client(addresses.get(timeout=20))
        status, answer = client.ask({"user": "u1", "shop": 1})
        assert (status, answer["version"]) == (200, version)
        assert client.ask({"user": "u1"})[0] == 422
    finally:
        servers.get(timeout=20).stop()
        thread.join()
    rows = project.served("risk")
    assert rows.height == 1 and rows.get_column("prediction.probability")[0] == answer["prediction"]["probability"]
    # The batch driver, asked the same, gives the same bits.
    again = project.predict("risk", rows.select("user", "shop", "asked_at"))
    assert again.get_column("probability")[0] == answer["prediction"]["probability"]
    frame = project.training_frame("risk", rows.select("user", "shop", "asked_at"))
    features = matrix(frame, project.ready("risk").feature_names)
    assert feature_matrix(rows, features.shape[1]).tobytes() == features.tobytes()
