"""Reads just enough of the files that the build makes to say what machine they are for and what they name."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ELF_MACHINES = {62: "x86_64", 183: "aarch64", 40: "arm"}
MACHO_MACHINES = {0x01000007: "x86_64", 0x0100000C: "aarch64"}
PE_MACHINES = {0x8664: "x86_64"}
UNDEFINED, LOCAL = 0, 0


@dataclass(frozen=True, slots=True)
class Binary:
    """What a file says of itself; `defined` and `needed` are its global symbols."""

    kind: str
    machine: str
    defined: frozenset[str]
    needed: frozenset[str]


def read_binary(file: Path) -> Binary:
    """The description of an ELF, Mach-O, PE or WebAssembly file (the last without symbols: wasmtime reads them)."""
    data = file.read_bytes()
    if data[:4] == b"\x7fELF":
        return _elf(data)
    if data[:4] == b"\xcf\xfa\xed\xfe":
        return _macho(data)
    if data[:2] == b"MZ":
        return _pe(data)
    if data[:8] == b"\0asm\1\0\0\0":
        return Binary("wasm", "wasm32", frozenset(), frozenset())
    raise AssertionError(f"{file}: {data[:8]!r} is no known format")


def _text(data: bytes, start: int) -> str:
    return data[start : data.index(b"\0", start)].decode()


def _elf(data: bytes) -> Binary:
    wide = data[4] == 2
    (machine,) = struct.unpack_from("<H", data, 18)
    (table,) = struct.unpack_from("<Q" if wide else "<I", data, 40 if wide else 32)
    entry, count = struct.unpack_from("<HH", data, 58 if wide else 46)
    header = "<IIQQQQIIQQ" if wide else "<IIIIIIIIII"
    sections = [struct.unpack_from(header, data, table + entry * each) for each in range(count)]
    wanted = 11 if any(section[1] == 11 for section in sections) else 2  # dynamic symbols, or an object's own
    defined: set[str] = set()
    needed: set[str] = set()
    for _, kind, _, _, offset, size, link, _, _, step in sections:
        if kind == wanted:
            for name, binding, place in _elf_symbols(data, (offset, size, step, sections[link][4]), wide=wide):
                if name and binding != LOCAL:
                    (needed if place == UNDEFINED else defined).add(name)
    return Binary("elf", ELF_MACHINES[machine], frozenset(defined), frozenset(needed))


def _elf_symbols(data: bytes, table: tuple[int, int, int, int], *, wide: bool) -> Iterator[tuple[str, int, int]]:
    offset, size, step, names = table
    for place in range(offset, offset + size, step):
        (name,) = struct.unpack_from("<I", data, place)
        information = data[place + (4 if wide else 12)]
        (section,) = struct.unpack_from("<H", data, place + (6 if wide else 14))
        yield _text(data, names + name), information >> 4, section


def _macho(data: bytes) -> Binary:
    (machine,) = struct.unpack_from("<I", data, 4)
    (commands,) = struct.unpack_from("<I", data, 16)
    defined: set[str] = set()
    needed: set[str] = set()
    place = 32
    for _ in range(commands):
        command, size = struct.unpack_from("<II", data, place)
        if command == 2:
            symbols, count, names, _ = struct.unpack_from("<IIII", data, place + 8)
            for each in range(count):
                name, kind = struct.unpack_from("<IB", data, symbols + 16 * each)
                if kind & 1:
                    (needed if kind & 0x0E == 0 else defined).add(_text(data, names + name).removeprefix("_"))
        place += size
    return Binary("macho", MACHO_MACHINES[machine], frozenset(defined), frozenset(needed))


def _pe(data: bytes) -> Binary:
    (header,) = struct.unpack_from("<I", data, 60)
    machine, sections = struct.unpack_from("<HH", data, header + 4)
    (optional,) = struct.unpack_from("<H", data, header + 20)
    exports, _, imports = struct.unpack_from("<III", data, header + 24 + 112)
    rows = [struct.unpack_from("<III", data, header + 24 + optional + 40 * each + 12) for each in range(sections)]

    def at(address: int) -> int:
        place: int
        [place] = [raw + address - start for start, size, raw in rows if start <= address < start + size]
        return place

    count, _, names = struct.unpack_from("<III", data, at(exports) + 24)
    pointers = struct.unpack_from(f"<{count}I", data, at(names))
    (lookup,) = struct.unpack_from("<I", data, at(imports))
    needed = set()
    place = at(lookup)
    while (entry := struct.unpack_from("<Q", data, place)[0]) != 0:
        needed.add(_text(data, at(entry) + 2))
        place += 8
    return Binary("pe", PE_MACHINES[machine], frozenset(_text(data, at(each)) for each in pointers), frozenset(needed))
