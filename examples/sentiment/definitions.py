"""Is a sentence of a review kind to the film?  Asked with the sentence alone."""

import unisono as un

sentiment = un.Predictor("sentiment", request={"text": un.String}, time="asked_at", features=())
