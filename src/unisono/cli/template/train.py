"""How the model is trained: `unisono register late train:fit` calls `fit` with the training frame."""

import sys

import lightgbm
import polars as pl
from definitions import late

LABEL = "late"
INPUTS = ["hour", "weekday", *late.feature_names]


def fit(frame):
    """A model of the first three quarters of the frame; how it does on the last quarter goes to stderr."""
    known = frame.filter(pl.col(LABEL).is_not_null()).sort("asked_at")
    cut = known.height * 3 // 4
    earlier, later = known[:cut], known[cut:]
    model = lightgbm.LGBMClassifier(n_estimators=50, num_leaves=7, min_child_samples=30, seed=1, verbose=-1)
    model.fit(inputs(earlier), earlier[LABEL].to_numpy(), feature_name=INPUTS)
    error = ((model.booster_.predict(inputs(later)) - later[LABEL].to_numpy()) ** 2).mean()
    share = earlier[LABEL].mean()
    without = ((share - later[LABEL].to_numpy()) ** 2).mean()
    print(f"Brier score on the last quarter: {error:.3f} (without a model: {without:.3f})", file=sys.stderr)
    return model


def inputs(frame):
    """The columns that the model is given, as a matrix; what is not known is NaN."""
    return frame.select(pl.col(INPUTS).cast(pl.Float64).fill_null(float("nan"))).to_numpy()
