"""All the year through every route: `python -m examples.flights.demo`.

Ends with a table, and with a report in `examples/flights/data/report.html`.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

import unisono as un
from examples.flights import data, definitions, online, report, train
from examples.flights.claims import claims
from examples.flights.clock import ORIGIN_ZONE
from examples.flights.findings import Day, Findings, Model, Route
from examples.flights.metrics import score
from examples.flights.screen import Screen

if TYPE_CHECKING:
    import lightgbm as lgb

    from unisono.drivers.project import Project

PREDICTOR = "delay"
REPORT = data.DATA / "report.html"
PROBABILITY = "probability"

FIRST_STOP = datetime(2013, 11, 2, 15, tzinfo=UTC)
STOPS = tuple(FIRST_STOP + timedelta(hours=35 * stop) for stop in range(40))
"""Instants at which the stream stands still and the server is asked; 35 hours apart, so at all hours of the day."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """The training frame, and the two models trained on it."""

    frame: pl.DataFrame
    columns: list[str]
    ours: lgb.LGBMClassifier
    plain: lgb.LGBMClassifier


def main() -> None:
    """The whole demo."""
    with Screen() as screen:
        with screen.step("data", rows=lambda counts: counts["rows of flights"]) as step:
            counts = step.result(data.prepare())
        shutil.rmtree(data.DATA.parent / ".unisono", ignore_errors=True)  # a demo begins at the beginning
        project = un.load(data.DATA.parent)
        fitted = fit(project, screen)
        batch = predict(project, screen)
        routes = follow(project, batch, screen)
        found = conclude(counts, fitted, batch, routes, screen)
        report.write(found, REPORT)
    screen.show(found, REPORT)


def fit(project: Project, screen: Screen) -> Fitted:
    """Training frame, both models, and ours registered."""
    with screen.step("training frame") as step:
        frame = step.result(project.training_frame(PREDICTOR))
    columns = train.inputs(definitions.delay.feature_names)
    with screen.step("training", rows=lambda _: train.before_split(frame).height) as step:
        ours = step.result(train.train(frame, columns))
    with screen.step("training without windows", rows=lambda _: train.before_split(frame).height) as step:
        plain = step.result(train.train(frame, train.OF_REQUEST))
    sample = train.after_split(frame).sample(2_000, seed=7)
    with screen.step("register", rows=lambda _: sample.height) as step:
        step.result(project.register(PREDICTOR, ours, sample=sample))
    return Fitted(frame, columns, ours, plain)


def predict(project: Project, screen: Screen) -> pl.DataFrame:
    """The batch driver's predictions of the year."""
    with screen.step("batch prediction") as step:
        batch: pl.DataFrame = step.result(project.predict(PREDICTOR, progress=step.progress))
    return batch


def follow(project: Project, batch: pl.DataFrame, screen: Screen) -> list[Route]:
    """The stream through the year with the server asked on the way; then parity of all drivers."""
    with screen.step("filling the log", rows=int) as step:
        step.result(project.ingest(progress=step.progress))
    asked, answers = stream_and_ask(project, screen)
    streamed = project.predictions(PREDICTOR)
    with screen.step("parity of all drivers", rows=lambda found: found.requests) as step:
        parity = step.result(project.parity(PREDICTOR, progress=step.progress))
    again = project.predict(PREDICTOR, asked)
    compared = parity.requests * (parity.features + parity.outputs) * (len(parity.drivers) - 1)
    return [
        Route(f"parity: {', '.join(parity.drivers)}", parity.requests, compared, parity.differing_bits),
        compare("stream against batch", batch, streamed[f"prediction.{PROBABILITY}"].to_numpy()),
        compare("server over HTTP against batch", again, answers),
    ]


def stream_and_ask(project: Project, screen: Screen) -> tuple[pl.DataFrame, np.ndarray]:
    """Streams the year; stops now and then to ask the running server. Gives the questions and the answers."""
    asked, answers = [], []
    with (
        screen.pausing("streaming prediction") as streaming,
        screen.pausing("online over HTTP") as asking,
        project.open_stream(PREDICTOR) as run,
    ):

        def go_on(until: int | None = None) -> None:
            with streaming.going():
                streaming.add(run.advance(until=until, progress=streaming.progress).requests)

        go_on(until=online.position_at(STOPS[0]))
        with online.server(data.DATA.parent) as address:
            for stop in STOPS:
                go_on(until=online.position_at(stop))
                questions = online.questions(stop)
                with asking.going():
                    answers += online.ask(address, questions)
                    asking.add(questions.height)
                asked.append(questions)
        go_on()
    return pl.concat(asked), np.array(answers)


def compare(name: str, batch: pl.DataFrame, other: np.ndarray) -> Route:
    """Differing bits of one route's probabilities."""
    ours = batch[PROBABILITY].to_numpy()
    if ours.shape != other.shape:
        raise RuntimeError(f"{name}: {other.size} answers to {ours.size} requests")
    differing = np.bitwise_count(ours.view(np.uint64) ^ other.view(np.uint64)).sum()
    return Route(name, batch.height, batch.height, int(differing))


def conclude(
    counts: dict[str, int], fitted: Fitted, batch: pl.DataFrame, routes: list[Route], screen: Screen
) -> Findings:
    """Scores on the last two months, the days of the year, and what leaking frames would have claimed."""
    frame = fitted.frame.with_columns(batch[PROBABILITY])
    held_out = train.after_split(frame)
    late = train.truth(held_out)
    models = [
        _model("unisono", late, held_out[PROBABILITY].to_numpy()),
        _model("without window features", late, train.probability(fitted.plain, held_out, train.OF_REQUEST)),
        _model("base rate", late, np.full(late.size, train.truth(train.before_split(frame)).mean())),
    ]
    with screen.step("leaking frames", rows=lambda found: (len(found) - 1) * frame.height) as step:
        claimed = step.result(claims(fitted.frame, fitted.columns, models[0].score.auc, step.progress))
    gain = fitted.ours.booster_.feature_importance("gain")
    order = np.argsort(-gain)
    return Findings(
        counts=counts,
        features=len(definitions.delay.feature_names),
        steps=screen.steps,
        routes=routes,
        late=late,
        models=models,
        days=_days(frame),
        importance=[(fitted.columns[i], float(gain[i] / gain.sum())) for i in order],
        claims=claimed,
    )


def _model(name: str, late: np.ndarray, probability: np.ndarray) -> Model:
    return Model(name, score(late, probability), probability)


def _days(frame: pl.DataFrame) -> list[Day]:
    day = pl.col("sched_dep").dt.convert_time_zone(ORIGIN_ZONE).dt.date()
    means = train.labelled(frame).group_by(day=day).agg(pl.len(), pl.mean(PROBABILITY), pl.col(train.LABEL).mean())
    return [Day(*row) for row in means.sort("day").iter_rows()]


if __name__ == "__main__":
    main()
