"""Two predictors to make smaller: a network on four numbers, and a language model."""

import unisono as un

comfort = un.Predictor(
    "comfort",
    request={"warmth": un.Float64, "damp": un.Float64, "draught": un.Float64, "noise": un.Float64},
    time="asked_at",
    features=(),
)

sentiment = un.Predictor("sentiment", request={"text": un.String}, time="asked_at", features=())
