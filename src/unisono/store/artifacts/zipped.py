"""Files as one zip, in one way only: entries stored one after the other, no dates, owners, comments or extra fields.

Every byte of such a zip is fixed by its files, so a reader compares instead of trusting: what is not as `to_zip` writes
it is refused, with the reason where that is a known trick. Nothing is compressed (docs/decisions/0006), so no file is
larger than the bytes that are there for it.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from struct import Struct
from typing import NamedTuple
from zlib import crc32

from unisono.spec.wording import listing, quoted
from unisono.store.artifacts import names
from unisono.store.artifacts.limits import Limits
from unisono.store.artifacts.refusal import refused

_LOCAL = Struct("<4sHHHHHIIIHH")
_CENTRAL = Struct("<4sHHHHHHIIIHHHHHII")
_END = Struct("<4sHHHHIIH")
_LOCAL_MAGIC, _CENTRAL_MAGIC, _END_MAGIC = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_ZIP64_MAGIC, _ZIP64_BYTES = b"PK\x06\x07", 20

_VERSION = 20
_UNIX = 3 << 8 | _VERSION
_MIDNIGHT, _FIRST_DAY = 0, 1 << 5 | 1  # of 1980, when zip's time begins
_PLAIN_FILE = (stat.S_IFREG | 0o644) << 16
_ALL_ONES = 0xFFFFFFFF
_MAX_NAME_BYTES = 128


class Entry(NamedTuple):
    """What the directory of a zip says of one file; the fields of the format, in its order."""

    magic: bytes
    made_by: int
    needed: int
    flags: int
    method: int
    time: int
    date: int
    crc: int
    packed: int
    size: int
    name_bytes: int
    extra_bytes: int
    comment_bytes: int
    disk: int
    internal: int
    external: int
    offset: int


def to_zip(files: Mapping[str, bytes]) -> bytes:
    """Files as one zip; the same bytes for the same files, in the order they are given."""
    return b"".join(_pieces(files))


def _pieces(files: Mapping[str, bytes]) -> Iterator[bytes]:
    directory = []
    place = 0
    for name, content in files.items():
        crc, size = crc32(content), len(content)
        head = _local(name, crc, size)
        directory.append(_central(name, crc, size, place))
        place += len(head) + size
        yield head
        yield content
    yield from directory
    yield _end(len(directory), sum(map(len, directory)), place)


def _local(name: str, crc: int, size: int) -> bytes:
    head = _LOCAL.pack(_LOCAL_MAGIC, _VERSION, 0, 0, _MIDNIGHT, _FIRST_DAY, crc, size, size, len(name), 0)
    return head + name.encode("ascii")


def _central(name: str, crc: int, size: int, place: int) -> bytes:
    head = _CENTRAL.pack(
        *(_CENTRAL_MAGIC, _UNIX, _VERSION, 0, 0, _MIDNIGHT, _FIRST_DAY, crc, size, size, len(name)),
        *(0, 0, 0, 0, _PLAIN_FILE, place),
    )
    return head + name.encode("ascii")


def _end(count: int, size: int, place: int) -> bytes:
    return _END.pack(_END_MAGIC, 0, 0, count, count, size, place, 0)


def from_zip(data: bytes, limits: Limits) -> dict[str, bytes]:
    """The files of a zip that `to_zip` wrote, in order.

    Raises StateError, with the reason, for any other bytes, before a content is copied.
    Cost: one pass for the checksums; memory: a copy of the files.
    """
    start, count = _judge_end(data, limits)
    entries = _directory(data, start, count)
    _judge_names([name for name, _ in entries], limits)
    for name, entry in entries:
        _judge_entry(name, entry, limits)
    _judge_places(data, entries, start)
    return {name: _content(data, name, entry) for name, entry in entries}


def _judge_end(data: bytes, limits: Limits) -> tuple[int, int]:
    """Where the directory starts, and how many entries it has."""
    if len(data) > limits.artifact_bytes:
        raise refused(f"{len(data)} bytes", f"at most {limits.artifact_bytes}", "use a smaller model")
    if not data.startswith(_LOCAL_MAGIC):
        raise refused("does not begin as a zip, or there is something before it", "an artifact's bytes only")
    magic, disk, first_disk, here, count, size, start, comment = _END.unpack(data[-_END.size :].ljust(_END.size, b"\0"))
    if magic != _END_MAGIC:
        raise refused("does not end as a zip: it is cut off, or has a comment or data after it", "the whole of it")
    directory_end = len(data) - _END.size
    if data[directory_end - _ZIP64_BYTES :].startswith(_ZIP64_MAGIC) or _ALL_ONES in (size, start) or count == 0xFFFF:
        raise refused("is a zip64", "a plain zip: an artifact is less than 4 GiB")
    most = limits.files + 2  # the manifest and the signatures
    if count > most or here != count:
        raise refused(f"{max(count, here)} entries", f"at most {most}")
    if disk or first_disk or comment or start + size != directory_end:
        raise refused("its end does not say where its directory is", "a zip of one part, with nothing before or after")
    return start, count


def _directory(data: bytes, start: int, count: int) -> list[tuple[str, Entry]]:
    entries = []
    place = start
    for _ in range(count):
        entry, place = _next_entry(data, place)
        name = data[place - entry.name_bytes : place]
        entries.append((name.decode("latin-1"), entry))
    if place != len(data) - _END.size:
        raise refused("bytes in its directory that are no entry", "one entry a file")
    return entries


def _next_entry(data: bytes, place: int) -> tuple[Entry, int]:
    head = data[place : place + _CENTRAL.size]
    if len(head) < _CENTRAL.size or not head.startswith(_CENTRAL_MAGIC):
        raise refused("its directory cannot be read", "as many entries as its end says")
    entry = Entry(*_CENTRAL.unpack(head))
    if entry.extra_bytes or entry.comment_bytes:
        raise refused("an entry with extra fields or a comment (as of zip64)", "none")
    if not 0 < entry.name_bytes <= _MAX_NAME_BYTES:
        raise refused(f"a file name of {entry.name_bytes} bytes", f"1 to {_MAX_NAME_BYTES}")
    return entry, place + _CENTRAL.size + entry.name_bytes


def _judge_names(found: Sequence[str], limits: Limits) -> None:
    if found[:1] != [names.MANIFEST]:
        raise refused(f"no {names.MANIFEST} at its beginning", "the manifest first")
    content = found[1:-1] if found[-1] == names.SIGNATURES else found[1:]
    for name in content:
        if name in found[: found.index(name)] or found.count(name) > 1:
            raise refused(f"file {quoted(name)} comes {found.count(name)} times", "once")
        if fault := names.fault_of_name(name):
            raise refused(fault, listing(names.ALLOWED))
    if fault := names.fault_of_cases(content):
        raise refused(fault, "names that differ in more than case")
    if list(content) != sorted(content):
        raise refused("its files are in another order", "the order of their names")
    if len(content) > limits.files:
        raise refused(f"{len(content)} files", f"at most {limits.files}")


def _judge_entry(name: str, entry: Entry, limits: Limits) -> None:
    for fault in _FAULTS:
        if seen := fault(entry):
            raise refused(f"file {quoted(name)} {seen}", "stored as it is, a plain file, nothing else said of it")
    most = names.most_bytes(name, limits)
    if entry.size > most:
        raise refused(f"file {quoted(name)} of {entry.size} bytes", f"at most {most}", "use a smaller model")


def _is_encrypted(entry: Entry) -> str:
    return "is encrypted" if entry.flags & 0x2041 else ""


def _is_compressed(entry: Entry) -> str:
    if not entry.method:
        return ""
    return f"is compressed (method {entry.method}, {entry.size} bytes out of {entry.packed})"


def _is_no_plain_file(entry: Entry) -> str:
    kind = stat.S_IFMT(entry.external >> 16)
    if kind == stat.S_IFLNK:
        return "is a symbolic link"
    return "" if kind == stat.S_IFREG else f"is no plain file (mode {entry.external >> 16:o})"


def _has_two_sizes(entry: Entry) -> str:
    if entry.packed != entry.size:
        return f"is said to be {entry.size} bytes, and {entry.packed} in the zip"
    return "has its size elsewhere (zip64)" if entry.size == _ALL_ONES else ""


def _is_else_unusual(entry: Entry) -> str:
    told = _central("", entry.crc, entry.size, entry.offset)
    return (
        "" if Entry(*_CENTRAL.unpack(told))._replace(name_bytes=entry.name_bytes) == entry else "has odd flags or dates"
    )


_FAULTS: tuple[Callable[[Entry], str], ...] = (
    *(_is_encrypted, _is_compressed, _is_no_plain_file, _has_two_sizes, _is_else_unusual),
)


def _judge_places(data: bytes, entries: Sequence[tuple[str, Entry]], start: int) -> None:
    """Entries follow each other without a gap, so none shares its bytes with another or hides some between."""
    place = 0
    for name, entry in entries:
        if entry.offset != place:
            overlaps = "overlaps" if entry.offset < place else "does not follow"
            raise refused(f"file {quoted(name)} {overlaps} the one before it", "one file after the other")
        head = _local(name, entry.crc, entry.size)
        place += len(head) + entry.size
        if place > start:
            raise refused(f"file {quoted(name)} of {entry.size} bytes is longer than what is there", "whole files")
        if data[entry.offset : entry.offset + len(head)] != head:
            raise refused(f"file {quoted(name)}: the directory and the entry do not say the same", "the same twice")
    if place != start:
        raise refused(f"{start - place} bytes between its files and its directory", "none")


def _content(data: bytes, name: str, entry: Entry) -> bytes:
    end = entry.offset + _LOCAL.size + entry.name_bytes + entry.size
    content = data[end - entry.size : end]
    if crc32(content) != entry.crc:
        raise refused(f"file {quoted(name)} is damaged (its checksum differs)", "as it was stored")
    return content
