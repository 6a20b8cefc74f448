"""What a built kernel was built from: the small file that lies beside it and tells a stale library from a fresh one."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = "unisono_kernel.json"
FORMAT = 1
VERSION_EXPORT = "kernel_version"


@dataclass(frozen=True, slots=True)
class Manifest:
    """One build.

    target:  the kind of machine, as in `kernel.build.targets`.
    wheel:   platform tag of the wheel that carries the file; empty if none does.
    version: what the library's `kernel_version` answers: an int64 that depends on the sources alone.
    exports: the names of the exported functions.
    sources: hash of each source file, by its name.
    builder: hash of the build step and of its tools' versions.
    library: hash of the built file.
    """

    target: str
    wheel: str
    version: int
    exports: tuple[str, ...]
    sources: Mapping[str, str]
    builder: str
    library: str

    def symbols(self) -> dict[str, str]:
        """The library's symbol of each exported name, `kernel_version` among them."""
        return {name: symbol_of(name) for name in (*self.exports, VERSION_EXPORT)}

    def save(self, folder: Path) -> None:
        """Write the manifest into the library's folder."""
        text = json.dumps({"format": FORMAT, **asdict(self)}, indent=1, sort_keys=True)
        (folder / FILE).write_text(text + "\n")


def symbol_of(name: str) -> str:
    """An export's symbol; prefixed, because a device links the kernel beside a C library that has its own `read`."""
    return f"unisono_{name}"


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest in a folder; None if there is none or it cannot be understood (then the library counts as stale)."""
    try:
        fields = json.loads((folder / FILE).read_text())
        if fields.pop("format") != FORMAT:
            return None
        return Manifest(**{**fields, "exports": tuple(fields["exports"])})
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def file_hash(file: Path) -> str:
    """sha256 of a file's bytes, in hex."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def source_hashes(root: Path) -> dict[str, str]:
    """Hash of every file that `root` imports from its own folder and those below, `root` among them, by path.

    Read from the import statements, so nothing is run: a constant that one module takes from another counts.
    """
    found: dict[str, str] = {}
    waiting = [root]
    while waiting:
        file = waiting.pop()
        name = file.relative_to(root.parent).as_posix()
        if name not in found:
            found[name] = file_hash(file)
            waiting.extend(_imported(file, root.parent))
    return dict(sorted(found.items()))


def version_of(sources: Mapping[str, str]) -> int:
    """The int64 that names these sources."""
    digest = hashlib.sha256(json.dumps(sources, sort_keys=True).encode()).digest()
    return int.from_bytes(digest[:8], "little", signed=True)


def _imported(file: Path, folder: Path) -> Iterator[Path]:
    for node in ast.walk(ast.parse(file.read_text())):
        names: list[str] = []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(f"{node.module or ''}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        yield from (place for name in names if (place := _file_of(name, folder)) is not None)


def _file_of(name: str, folder: Path) -> Path | None:
    """The file of a module below a folder: the one with the longest part of its name."""
    parts = name.strip(".").split(".")
    places = (folder.joinpath(*parts[first:-1], f"{parts[-1]}.py") for first in range(len(parts)))
    return next((place for place in places if place.is_file()), None)
