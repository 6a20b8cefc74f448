"""`unisono register` as its users see it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

import unisono as un
from tests.cli.shell import unisono
from tests.drivers.projects import make_project
from unisono.cli.register import FIELDS, register
from unisono.cli.registered import told
from unisono.drivers.project import Project
from unisono.drivers.registering import Registered
from unisono.models.passport import BeyondJson, Passport, SkippedJson, TargetJson, VerificationJson
from unisono.store.artifacts.signing import new_key_pair

TRAIN = """
from lightgbm import LGBMClassifier

INPUTS = ["shop", "hour", "by_user__count_1h"]

def fit(frame):
    rows = frame.filter(frame["dear"].is_not_null())
    table = rows.select(INPUTS).fill_null(0).cast(float)
    return LGBMClassifier(n_estimators=3, num_leaves=4, verbose=-1, n_jobs=1).fit(table, rows["dear"].to_numpy())
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = tmp_path_factory.mktemp("register")
    made = make_project(folder)
    (folder / "train_risk.py").write_text(TRAIN)
    (folder / "key.pem").write_bytes(new_key_pair().private)
    return made


@pytest.fixture(scope="module")
def registered(project: Project) -> Registered:
    from unisono.cli.fitted import training_of

    training = training_of("train_risk:fit", project.root)
    assert training is not None
    frame = project.training_frame("risk")
    return project.register("risk", training.fit(frame), sample=frame)


@pytest.mark.slow
def test_a_model_without_names_is_registered_with_columns(project: Project) -> None:
    (project.root / "bare.py").write_text(TRAIN.replace("fit(table,", "fit(table.to_numpy(),"))
    model = ("register", "risk", "bare.py:fit", "--no-promote", "--json")
    refused = unisono(*model, folder=project.root)
    assert (refused.exit_code, "columns=" in refused.err) == (7, True)
    wrong = unisono(*model, "--columns", "shop,hour,nope", folder=project.root)
    assert (wrong.exit_code, '"nope", which is not there' in wrong.err) == (7, True)
    done = unisono(*model, "--columns", "shop,hour,by_user__count_1h", folder=project.root)
    assert done.exit_code == 0, done.err
    assert done.answer["verification"]["is_equal"]


@pytest.mark.slow
def test_a_model_is_registered_on_the_terms_that_were_given(project: Project) -> None:
    terms = ["--metric", "cost=12.5", "--metric", "size=3", "--sign", "key.pem", "--alias", "challenger"]
    done = unisono(
        "register", "risk", "train_risk:fit", *terms, "--by", "ada", "--why", "a try", "--json", folder=project.root
    )
    assert done.exit_code == 0, done.err
    answer = done.answer
    assert set(answer) == set(FIELDS)
    assert (answer["alias"], answer["numeric_class"], answer["bound"]) == ("challenger", "exact", 0)
    assert answer["given_metrics"] == {"cost": 12.5, "size": 3.0}
    assert set(answer["metrics"]) == {"auc", "log_loss", "brier", "accuracy"}
    assert len(answer["signed_by"]) == 1
    assert project.registry.aliased("risk", "challenger").id == answer["version"]
    last = project.registry.history("risk")[-1]
    assert (last.by, last.why) == ("ada", "a try")
    assert Path(answer["artifact"]).is_file()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"metric": ("cost",)}, 'metric "cost": not NAME=VALUE; allowed: a name and a number'),
        ({"metric": ("cost=much",)}, 'metric "cost=much": not NAME=VALUE'),
        ({"metric": ("cost=1", "cost=2")}, 'metric "cost=2": given twice'),
        ({"sign": Path("none.pem")}, "key none.pem: No such file or directory; allowed: .*`unisono keys new`"),
        ({"alias": "a", "no_promote": True}, "--alias a and --no-promote: both; allowed: one of them"),
    ],
)
def test_wrong_terms_are_refused_before_anything_is_run(wrong: dict[str, object], said: str) -> None:
    with pytest.raises(un.InputError, match=said):
        register("risk", "no_such:fit", **wrong)  # type: ignore[arg-type]


def lines(registered: Registered) -> dict[str, str]:
    """What people are told: name -> text."""
    first, *rows = told(registered).text.split("\n")
    assert first == f"registered risk: version {registered.version.id}"
    return dict(re.split(r"  +", row.strip(), maxsplit=1) for row in rows)


def with_target(registered: Registered, **changes: object) -> Registered:
    document = registered.passport.document
    target = msgspec.structs.replace(registered.passport.target(), **changes)
    targets: dict[str, TargetJson] = {document.made_on: target}
    return replace(registered, passport=Passport(msgspec.structs.replace(document, targets=targets)))


def with_verification(registered: Registered, **changes: object) -> Registered:
    found: VerificationJson = registered.passport.target().verification
    return with_target(registered, verification=msgspec.structs.replace(found, **changes))


def test_what_is_told_of_an_exact_version(registered: Registered) -> None:
    said = lines(registered)
    assert said["alias"] == "champion, answers from now on"
    assert said["class"] == "exact: every machine gives the same bits"
    assert "compared on 200 rows and" in said["model"]
    assert re.fullmatch(r"\d+ of \d+ questions of trees were tried", said["splits"])
    assert re.fullmatch(r"auc .*, accuracy .* \(of \d+ rows with dear\)", said["metrics"])
    assert said["golden rows"] == "64, tried wherever it is loaded"
    assert said["artifact"] == registered.version.artifact


def test_what_is_told_of_a_bounded_version(registered: Registered) -> None:
    bounded = with_target(registered, numeric_class="bounded", bound=2e-6, operators=["MatMul of FLOAT"])
    assert lines(bounded)["class"] == "bounded: machines may differ by 2e-06, because of MatMul of FLOAT"


def test_what_is_told_of_differences(registered: Registered) -> None:
    far = with_verification(
        registered,
        is_equal=False,
        max_gap=None,
        max_ulp=2000,
        differs=3,
        flips=1,
        worst="row 7, prediction: the graph says a, the model b",
        skipped=[SkippedJson("null", 12), SkippedJson("infinite", 4)],
        beyond=BeyondJson(10, 2, None),
    )
    said = lines(far)
    assert said["model"].startswith("differs by at most infinity (2,000 ulp) in 3 rows, 1 with another label; ")
    assert said["worst"] == "row 7, prediction: the graph says a, the model b"
    assert said["not asked"] == "the model does not take: null 12, infinite 4"
    assert said["far out"] == "10 rows at the limits of floats, 2 differ"


def test_what_is_told_without_alias_and_labels(registered: Registered) -> None:
    bare = replace(registered, alias=None, metrics=msgspec.structs.replace(registered.metrics, values={}, rows=0))
    said = lines(bare)
    assert said["alias"] == (f"none; to let it answer: `unisono models promote risk {registered.version.id[:12]}`")
    assert said["metrics"] == "none: no row of the sample has a label that is known"
