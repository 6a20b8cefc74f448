"""How the model is trained: `unisono register late train:fit` calls `fit` with the training frame."""

import sys

import lightgbm
import polars as pl

LABEL = "late"


def fit(frame):
    """A model of the first three quarters of the frame; how it does on the last quarter goes to stderr."""
    known = frame.filter(pl.col(LABEL).is_not_null()).sort("asked_at")
    cut = known.height * 3 // 4
    earlier, later = known[:cut], known[cut:]
    model = lightgbm.LGBMClassifier(n_estimators=50, num_leaves=7, min_child_samples=30, seed=1, verbose=-1)
    model.fit(matrix(earlier), truth(earlier), feature_name=inputs(frame))
    error = ((model.booster_.predict(matrix(later)) - truth(later)) ** 2).mean()
    without = ((truth(earlier).mean() - truth(later)) ** 2).mean()
    print(f"Brier score on the last quarter: {error:.3f} (without a model: {without:.3f})", file=sys.stderr)
    return model


def inputs(frame):
    """What the model is given: the features, whose names have two underscores, and what `calendar` derives."""
    return [name for name in frame.columns if "__" in name or name in ("hour", "weekday")]


def matrix(frame):
    """The inputs as numbers; what is not known is NaN."""
    return frame.select(pl.col(inputs(frame)).cast(pl.Float64).fill_null(float("nan"))).to_numpy()


def truth(frame):
    """Which parcels were late: 1, the others 0."""
    return frame[LABEL].cast(pl.Int64).to_numpy()
