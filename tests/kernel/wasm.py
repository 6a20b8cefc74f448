"""Runs the WebAssembly kernel in wasmtime: images are put into its memory above what the module uses itself."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import wasmtime

from unisono.kernel.manifest import symbol_of

from .image import Image, Place

PAGE_BYTES = 65536


@dataclass(frozen=True, slots=True)
class WasmMachine:
    """One instance of a kernel module; its memory grows as images need."""

    store: wasmtime.Store
    exports: Any
    imports: tuple[str, ...]

    @classmethod
    def load(cls, file: Path) -> WasmMachine:
        """An instance of a module that must not import anything."""
        store = wasmtime.Store()
        module = wasmtime.Module.from_file(store.engine, str(file))
        imports = tuple(f"{each.module}.{each.name}" for each in module.imports)
        instance = wasmtime.Instance(store, module, [])
        return cls(store, instance.exports(store), imports)

    def call(self, name: str, image: Image, descriptor: Place) -> tuple[int, bytes]:
        """Run an export over a copy of the image: its result, and the image afterwards with addresses as offsets."""
        memory = self.exports["memory"]
        base = self.exports["__heap_base"].value(self.store)
        missing = base + len(image.content) - memory.data_len(self.store)
        if missing > 0:
            memory.grow(self.store, -(-missing // PAGE_BYTES))
        memory.write(self.store, image.at(base), base)
        result = self.exports[symbol_of(name)](self.store, base + descriptor.offset)
        return result, image.lifted(bytes(memory.read(self.store, base, base + len(image.content))), base)
