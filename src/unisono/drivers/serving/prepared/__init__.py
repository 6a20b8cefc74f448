"""Versions as workers load them: made ready once by the keeper, in a folder each, loaded by workers that stay small.

prepare           a version of the registry -> its folder, judged and tried
PreparedVersion   what was prepared
load              its folder -> the version in memory, verified and warm
PreparedScorer    the version in memory
remove_others     deletes the folders of versions that nobody wants any more
"""

from unisono.drivers.serving.prepared.folders import remove_others
from unisono.drivers.serving.prepared.loading import PreparedScorer, load
from unisono.drivers.serving.prepared.preparing import PreparedVersion, prepare

__all__ = ["PreparedScorer", "PreparedVersion", "load", "prepare", "remove_others"]
