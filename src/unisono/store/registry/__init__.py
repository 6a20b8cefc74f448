"""The registry: versions of predictors, which of them answers, and a history that nobody can change.

Registry           all of it
PredictorEntry     a predictor, as it is listed
VersionEntry       a version, as it is listed
Change             one line of the history
AliasMovedError    somebody else has moved an alias
"""

from unisono.store.registry.records import CHALLENGER, CHAMPION, Change, PredictorEntry, VersionEntry
from unisono.store.registry.registry import AliasMovedError, Registry

__all__ = ["CHALLENGER", "CHAMPION", "AliasMovedError", "Change", "PredictorEntry", "Registry", "VersionEntry"]
