"""What the serving benchmarks say is so: shares, CPU of all processes, answers that are wrong."""

from __future__ import annotations

import subprocess
import sys

import pytest

from benchmarks.serving.__main__ import is_met, ratios
from benchmarks.serving.callers import Seen
from benchmarks.serving.contestants import HELLO, OURS, WITH_FEATURES
from benchmarks.serving.judge import Judge, Timed, quantile_ms
from benchmarks.serving.processes import usage_of
from benchmarks.serving.table import tables

FIGURES = {
    OURS: {"cpu_us": 20.0, "rate": 30_000.0, "alone_p50_us": 120.0, "worker_mb": 90.0},
    WITH_FEATURES: {"cpu_us": 25.0},
    HELLO: {"cpu_us": 16.0, "rate": 40_000.0, "alone_p50_us": 80.0},
    "mosec": {"cpu_us": 50.0},
}
BURNS = "import subprocess, sys; print(flush=True); subprocess.run([sys.executable, '-c', 'while True: pass'])"


def test_unisono_is_compared_with_who_was_measured() -> None:
    checks = ratios(FIGURES, model_us=20.0)
    assert {name: value for name, (value, _) in checks.items()} == {
        "requests per CPU second, times mosec": 2.5,
        "rate, of bare uvicorn's": 0.75,
        "p50 alone, times hello and model": 1.2,
        "requests per CPU second with features, of without": 0.8,
        "resident MB of a worker": 90.0,
    }
    assert all(is_met(*check) for check in checks.values())
    assert not is_met(1.99, ">= 2") and not is_met(100.1, "<= 100")


def test_the_table_says_what_could_not_be_measured() -> None:
    one = {"rate": 1000.0, "cpu_us": 20.0, "p50_us": 1500.0, "p99_us": 9000.0, "alone_p50_us": 120.0}
    server = one | {"worker_mb": 90.0, "processes": 3.0, "failed": 2.0}
    result = {
        "servers": {OURS: server},
        "ratios": {"resident MB of a worker": 90.0},
        "targets": {"resident MB of a worker": "<= 100"},
        "not_measured": {"ray": "not installed: no such package"},
        "model_alone_us": 12.0,
        "runs": 3,
    }
    text = tables(result)
    assert "| unisono | 1,000, 2 FAILED | 20.0 | 1.50 / 9.00 | 120 | 90.0 | 3 |" in text
    assert "| resident MB of a worker | 90.0 | <= 100 |" in text
    assert "Not measured: ray (not installed: no such package)." in text


def test_what_a_child_uses_counts() -> None:
    with subprocess.Popen([sys.executable, "-c", BURNS], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            before = usage_of(process.pid)
            while (now := usage_of(process.pid)).since(before) < 0.05 or len(now.cpu_s) < 2:
                assert process.poll() is None
            busiest = now.busiest_since(before)
            assert busiest != process.pid and busiest in now.cpu_s
        finally:
            for pid in usage_of(process.pid).cpu_s:
                subprocess.run(["kill", "-9", str(pid)], check=False)


@pytest.mark.parametrize(
    ("status", "body", "counts"),
    [
        (200, b'{"prediction":{"probability":0.25},"version":"a","position":1}', (1, 0, 0, 0)),
        (200, b'{"prediction":{"probability":0.5},"version":"a","position":1}', (1, 1, 0, 0)),
        (503, b"", (0, 0, 1, 0)),
        (429, b"", (0, 0, 1, 0)),
        (504, b"", (0, 0, 0, 1)),
        (0, b"", (0, 0, 0, 1)),
    ],
)
def test_every_answer_is_judged(status: int, body: bytes, counts: tuple[int, ...]) -> None:
    judge = Judge({"a": [0.25]})
    judge.look(Seen(0, status, body, "", sent_s=1.0, took_s=0.5))
    assert (len(judge.answered), judge.wrong, len(judge.refused), sum(judge.failed.values())) == counts
    assert judge.unexplained == len(judge.refused)


def test_a_quantile_is_one_of_the_times() -> None:
    timed = [Timed(0.0, took_ms / 1e3) for took_ms in range(1, 101)]
    assert (quantile_ms(timed, 0.5), quantile_ms(timed, 0.99), quantile_ms(timed, 1.0)) == (51.0, 100.0, 100.0)
    assert quantile_ms([], 0.5) == 0.0
