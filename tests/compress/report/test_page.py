"""The page for people has all figures, escapes what it is given, and needs nothing from elsewhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import msgspec
import pytest

from unisono.compress.report.document import (
    CalibrationBin,
    ChangedRow,
    Interval,
    Latency,
    ReportJson,
    Side,
    SliceChange,
)
from unisono.compress.report.html import page
from unisono.compress.report.terminal import lines

VOID = ("meta", "line", "circle", "polyline", "br")


def latency(runtime: str, median: float) -> Latency:
    return Latency(
        runtime=runtime,
        median=Interval(median, 0.9 * median, 1.1 * median),
        p99=2 * median,
        noise=0.02,
        rows_per_s=1000 / median,
        batch_rows=64,
    )


def side(**changes: Any) -> Side:
    whole = Side(
        size_bytes=2_000_000,
        graph_bytes=1_900_000,
        compressed_bytes=1_500_000,
        parameters=500_000,
        zeros=0,
        operations=1_000_000,
        latency=latency("onnxruntime", 3.0),
        runtimes=[latency("onnxruntime", 3.0), latency("openvino", 4.0)],
        peak_bytes=10_000_000,
        energy_mj=Interval(0.01, 0.001, 0.1),
        accuracy=Interval(0.9, 0.88, 0.92),
        metrics={"log_loss": Interval(0.2, 0.18, 0.22)},
        calibration=[CalibrationBin(0.8, Interval(0.75, 0.7, 0.8), 100)],
        numeric_class="bounded",
    )
    return msgspec.structs.replace(whole, **changes)


def slice_of(value: str, change: float, *, is_judged: bool = True) -> SliceChange:
    return SliceChange(
        column="carrier",
        value=value,
        rows=1234,
        original=0.9,
        result=0.9 + change / 100,
        change=Interval(change, change - 1, change + 1),
        p_value=0.01,
        is_judged=is_judged,
    )


def report(**changes: Any) -> ReportJson:
    whole = ReportJson(
        format=1,
        predictor="late",
        task="binary",
        recipe={"name": "small", "steps": [{"step": "quantise", "bits": 8}], "budget": {"worst_slice": 2.0}},
        original=side(),
        result=side(size_bytes=500_000, zeros=400_000, latency=latency("openvino", 1.0)),
        rows=5000,
        speedup=Interval(3.0, 2.9, 3.1),
        agreement=Interval(0.97, 0.96, 0.98),
        accuracy_change=Interval(-0.5, -1.0, 0.0),
        slice_rows=100,
        slices=[slice_of("AA", -3.0), slice_of("<b>&", -1.0), slice_of("ZZ", -9.0, is_judged=False)],
        changed=[
            ChangedRow(
                row=7,
                values={"text": "<script>x</script>"},
                label="yes",
                original="yes (0.9)",
                result="no",
                distance=0.8,
            )
        ],
        notes={"quantise": {"layers": [1, 2]}},
        broken=[],
        machine={"processor": "one"},
    )
    return msgspec.structs.replace(whole, **changes)


class Tags(HTMLParser):
    """Sees that whatever is opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


def test_whatever_is_opened_is_closed_and_no_script_or_address_is_there() -> None:
    shown = page(report())
    tags = Tags()
    tags.feed(shown)
    assert tags.open == []
    assert not tags.seen & {"script", "link", "img", "iframe"}
    assert not re.search(r"https?://|url\(", shown)


def test_values_of_the_data_are_text() -> None:
    shown = page(report())
    assert "&lt;script&gt;x&lt;/script&gt;" in shown
    assert "carrier = &lt;b&gt;&amp;" in shown


def test_what_is_over_the_budget_is_at_the_top() -> None:
    over = page(report(broken=["budget, worst_slice: 3.0 points lost; allowed: at most 2.0 points; recover"]))
    assert over.index("refused as a version") < over.index("What it saved")
    assert "Within its budget" in page(report())


def test_slices_that_are_too_small_are_faint_and_neither_decide_nor_widen_the_scale() -> None:
    shown = page(report())
    assert shown.count('class="row faint"') == 1
    assert "-4 points" in shown  # of the slice that lost 3, with its interval


@pytest.mark.parametrize(
    "changes",
    [
        {"task": "regression"},
        {"slices": [], "changed": [], "notes": {}},
        {"original": side(operations=None, energy_mj=None, calibration=[], metrics={})},
        {"result": side(parameters=0, peak_bytes=0, compressed_bytes=0, energy_mj=Interval(0.0, 0.0, 0.0))},
        {"slices": [slice_of("AA", 0.0, is_judged=False)]},
        {"accuracy_change": Interval(0.0, 0.0, 0.0), "slices": [slice_of(str(one), -one) for one in range(60)]},
    ],
)
def test_a_report_in_which_something_is_missing_is_shown_all_the_same(changes: dict[str, Any]) -> None:
    tags = Tags()
    tags.feed(page(report(**changes)))
    assert tags.open == []
    assert lines(report(**changes))


def test_a_terminal_says_what_the_page_says() -> None:
    shown = dict(lines(report()))
    assert shown["artifact"] == "2 MB -> 500 kB (4x smaller)"
    assert shown["one row"].startswith("3 ms -> 1 ms, 3x (2.9x to 3.1x) as fast, noise 2.0 %")
    assert shown["parameters"].endswith("80.0 % of them zero")
    assert shown["slices in all"] == "2 judged, 1 too small; 3 lost more than chance explains"
