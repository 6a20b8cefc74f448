"""What docs/models.md says of scikit-learn is what happens."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.models.sklearn_sweep import KINDS, estimators, outcome, sweep

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "docs" / "models.md"
ROW = re.compile(r"^\| ([a-z ]+) \| (exact|bounded|refused|not fitted) \| (.*) \|$", re.MULTILINE)
SAMPLE = (
    *(("classifier", "RandomForestClassifier"), ("classifier", "LogisticRegression"), ("classifier", "GaussianNB")),
    *(("classifier", "LinearSVC"), ("classifier", "KNeighborsClassifier"), ("classifier", "DummyClassifier")),
    *(("regressor", "Ridge"), ("regressor", "SVR"), ("regressor", "KernelRidge"), ("cluster", "KMeans")),
    *(("cluster", "DBSCAN"), ("transformer", "PCA"), ("transformer", "NMF"), ("transformer", "DictVectorizer")),
)


def said() -> Mapping[str, Mapping[str, str]]:
    """Kind -> estimator -> outcome, as the page says."""
    found: dict[str, dict[str, str]] = {kind: {} for kind in KINDS}
    for kind, result, names in ROW.findall(PAGE.read_text()):
        found[kind] |= dict.fromkeys(names.split(", "), result)
    return found


def test_the_page_names_every_estimator() -> None:
    assert {kind: sorted(names) for kind, names in said().items()} == {kind: sorted(estimators(kind)) for kind in KINDS}


@pytest.mark.parametrize(("kind", "name"), SAMPLE)
def test_an_estimator_does_what_the_page_says(kind: str, name: str) -> None:
    assert outcome(kind, estimators(kind)[name]) == said()[kind][name]


@pytest.mark.soak
@pytest.mark.parametrize("kind", KINDS)
def test_all_estimators_do_what_the_page_says(kind: str) -> None:
    assert dict(sweep(kind)) == said()[kind]
