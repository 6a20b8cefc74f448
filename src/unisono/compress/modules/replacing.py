"""Layers of a module that can be replaced by others, by name; and those that cannot, with the reason."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from torch import nn

from unisono.spec.errors import ModelError
from unisono.spec.wording import did_you_mean, listing, quoted

_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


@dataclass(frozen=True, slots=True)
class Layers:
    """Of one module.

    chosen:     name -> layer, in the module's order.
    left_alone: name -> why it cannot be replaced; of the layers that the patterns name.
    """

    chosen: Mapping[str, nn.Module]
    left_alone: Mapping[str, str]


def layers_of(
    module: nn.Module,
    kinds: tuple[type[nn.Module], ...],
    *,
    include: Sequence[str] = ("*",),
    exclude: Sequence[str] = (),
    refuse: Callable[[nn.Module], str | None] = lambda layer: None,
) -> Layers:
    """The layers of some kinds that can be replaced.

    kinds:            a layer of a class derived from these may do something else, and is left alone.
    include, exclude: patterns of names, with `*`; a name has to be in the first and not in the second.
    refuse:           why a layer is left alone; None: it is not.

    Raises ModelError for a pattern that fits no layer of these kinds.
    """
    known = {name: layer for name, layer in module.named_modules() if isinstance(layer, kinds)}
    for pattern in (*include, *exclude):
        refuse_unknown(pattern, known)
    wanted = {name: one for name, one in known.items() if _fits(name, include) and not _fits(name, exclude)}
    shared, owned = _shared(module), _owned_by_torch(module)
    chosen, left_alone = {}, {}
    for name, layer in wanted.items():
        why = None if type(layer) in kinds else f"is a {type(layer).__name__}"
        why = why or ("shares its weights" if name in shared else None) or owned.get(name) or refuse(layer)
        if why is None:
            chosen[name] = layer
        else:
            left_alone[name] = why
    return Layers(chosen, left_alone)


def refuse_unknown(pattern: str, names: Iterable[str]) -> None:
    """Raises ModelError for a pattern that fits no name; `*` may fit none."""
    known = list(names)
    if pattern != "*" and not any(fnmatchcase(name, pattern) for name in known):
        advice = did_you_mean(pattern, known)
        raise ModelError(f"layers: {quoted(pattern)} fits none; allowed: patterns of {listing(known)}; {advice}")


def _fits(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _shared(module: nn.Module) -> set[str]:
    """Names of layers that are in two places, or whose weights another layer uses as well."""
    users: dict[int, set[str]] = {}
    for name, layer in module.named_modules(remove_duplicate=False):
        users.setdefault(id(layer), set()).add(name)
        for parameter in layer.parameters(recurse=False):
            users.setdefault(id(parameter), set()).add(name)
    return {name for names in users.values() if len(names) > 1 for name in names}


def _owned_by_torch(module: nn.Module) -> dict[str, str]:
    """Layers inside a layer of PyTorch's own (attention, transformers), which reads their weights by itself."""
    found = {}
    for name, parent in module.named_modules():
        if type(parent).__module__.startswith("torch.nn.") and not isinstance(parent, _CONTAINERS):
            for inner, _ in parent.named_modules(prefix=name):
                if inner != name:
                    found[inner] = f"{type(parent).__name__} reads its weights itself"
    return found


def replace_layer(module: nn.Module, name: str, layer: nn.Module) -> None:
    """Puts another layer in the place of one, in the module itself; it is in training mode if the module is."""
    parent, _, child = name.rpartition(".")
    layer.train(module.training)
    setattr(module.get_submodule(parent), child, layer)
