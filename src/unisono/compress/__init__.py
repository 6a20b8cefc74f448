"""Models made smaller: a recipe of steps, and a report of what it saved and what it cost.

Five families: low rank and compact blocks (`low_rank`, `compact`), distillation (`distil`), pruning of weights and of
nodes (`prune`), quantisation (`quantise`). A recipe is a list of their steps (`recipe`); `running` carries it out, one
stage after the other; `report` measures the result beside the original; `search` looks for a recipe.

Needs the extra `unisono[compress]` where modules of torch are compressed; ensembles and graphs need less.
"""
