"""The report stands alone."""

from __future__ import annotations

import re
from datetime import date, timedelta
from html.parser import HTMLParser

import numpy as np

from examples.flights.findings import Claim, Day, Findings, Model, Route, Step
from examples.flights.metrics import score
from examples.flights.report import page


def findings(*, differing_bits: int = 0) -> Findings:
    draw = np.random.default_rng(5)
    probability = draw.random(400)
    late = draw.random(400) < probability
    models = [Model(name, score(late, probability), probability) for name in ("unisono", "without <windows>", "base")]
    days = [Day(date(2013, 1, 1) + timedelta(days=n), 100, 0.2, 0.25) for n in range(365)]
    claims = [Claim("point in time", "none", 0.76, 0.76), Claim("joined by the day", "all", 0.99, 0.68)]
    return Findings(
        counts={"rows of flights": 336_776},
        features=63,
        steps=[Step("batch prediction", 336_776, 2.5)],
        routes=[Route("stream", 336_776, 336_776, differing_bits)],
        late=late,
        models=models,
        days=days,
        importance=[("waiting", 0.2), ("hour", 0.1)],
        claims=claims,
    )


class Balance(HTMLParser):
    """Every tag that opens is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag != "meta":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        """Closed where it opens."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_it_needs_no_other_file_and_no_network_and_no_script() -> None:
    text = page(findings())
    assert not re.search(r"https?://|<script|<link|<img|url\(|@import|src=", text)


def test_its_tags_are_balanced_and_text_is_escaped() -> None:
    parser = Balance()
    parser.feed(page(findings()))
    assert parser.open == []
    assert "without &lt;windows&gt;" in page(findings())


def test_it_shows_every_part() -> None:
    text = page(findings())
    for words in ("336,776", "ROC curves", "Calibration", "each day of the year", "AUC claimed in training", "0.3100"):
        assert words in text, words


def test_bits_that_differ_stand_out() -> None:
    assert 'class="nonzero">3<' in page(findings(differing_bits=3))
    assert 'class="nonzero"' not in page(findings())
