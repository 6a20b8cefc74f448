"""What files of an artifact may be called."""

from __future__ import annotations

import re
from collections.abc import Iterable

from unisono.spec.wording import quoted
from unisono.store.artifacts.limits import Limits

SPEC = "spec.json"
GRAPH = "graph.onnx"
GOLDEN = "golden.json"
PASSPORT = "passport.json"
METRICS = "metrics.json"
LINEAGE = "lineage.json"
COMPRESSION = "compression.json"
TOKENIZER = "tokenizer/"

REQUIRED = (SPEC, GRAPH, GOLDEN, PASSPORT)
MANIFEST = "manifest.json"
SIGNATURES = "signatures.json"

ALLOWED = (SPEC, GRAPH, GOLDEN, PASSPORT, METRICS, LINEAGE, COMPRESSION, f"{TOKENIZER}NAME.json")
"""Where NAME is one of letters, digits and `_.-`."""

_TOKENIZER_FILE = re.compile(re.escape(TOKENIZER) + r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\.json")
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])\.", re.IGNORECASE)
_NOTES = (PASSPORT, METRICS, LINEAGE, COMPRESSION, MANIFEST, SIGNATURES)


def most_bytes(name: str, limits: Limits) -> int:
    """How large the file of this name may be."""
    if name in _NOTES:
        return limits.note_bytes
    own = {SPEC: limits.spec_bytes, GRAPH: limits.graph_bytes, GOLDEN: limits.golden_bytes}
    return own.get(name, limits.tokenizer_bytes)


def fault_of_name(name: str) -> str | None:
    """What is wrong with the name of a file; None for those of ALLOWED, which lead nowhere on any system.

    >>> print(fault_of_name("graph.onnx"), fault_of_name("tokenizer/words.json"))
    None None
    >>> print(fault_of_name("../graph.onnx"))
    file "../graph.onnx" (it leads out of its folder)
    """
    own = name.removeprefix(TOKENIZER)
    if name in ALLOWED or (_TOKENIZER_FILE.fullmatch(name) and not _DEVICE.match(own)):
        return None
    return f"file {quoted(name)} ({_kind_of_fault(name)})"


def fault_of_cases(found: Iterable[str]) -> str | None:
    """What is wrong with the names of files together: some systems do not tell capitals from small letters.

    >>> print(fault_of_cases(["tokenizer/a.json", "tokenizer/A.json"]))
    files "tokenizer/a.json" and "tokenizer/A.json" (they are one file on some systems)
    """
    folded: dict[str, str] = {}
    for name in found:
        other = folded.setdefault(name.lower(), name)
        if other != name:
            return f"files {quoted(other)} and {quoted(name)} (they are one file on some systems)"
    return None


def _kind_of_fault(name: str) -> str:
    if not name.isascii() or not name.isprintable():
        return "it has characters that are not printable ASCII"
    if "\\" in name:
        return "it has a backslash"
    if name.startswith("/"):
        return "it is absolute"
    if re.match("[A-Za-z]:", name):
        return "it names a drive"
    if ".." in name.split("/"):
        return "it leads out of its folder"
    if _DEVICE.match(name.removeprefix(TOKENIZER)):
        return "it is a device on some systems"
    return "no such file is part of an artifact"
