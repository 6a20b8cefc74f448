"""Artifacts that must not be used: what each is called, its bytes, and a part of the reason for which it is refused."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from struct import Struct
from zlib import crc32

import msgspec

from tests.store.artifact_files import files
from tests.store.hostile_graphs import Hostile, hostile_graphs
from unisono.store.artifacts import Artifact, make_artifact
from unisono.store.artifacts.manifest import Entry, Manifest, manifest_of
from unisono.store.artifacts.names import MANIFEST, SIGNATURES
from unisono.store.artifacts.signing import KeyPair, new_key_pair, sign
from unisono.store.artifacts.zipped import to_zip

_LOCAL = Struct("<4sHHHHHIIIHH")
_CENTRAL = Struct("<4sHHHHHHIIIHHHHHII")
_END = Struct("<4sHHHHIIH")
_PLAIN, _LINK, _FOLDER = 0o100644 << 16, 0o120777 << 16, 0o040755 << 16


@dataclass(frozen=True)
class Part:
    """A file of a zip, and what is said of it; None: the truth.

    told: of its sizes, in the directory.
    """

    name: bytes
    content: bytes
    mode: int = _PLAIN
    flags: int = 0
    method: int = 0
    date: int = 1 << 5 | 1
    told: tuple[int, int] | None = None
    extra: bytes = b""
    comment: bytes = b""
    crc: int | None = None
    place: int | None = None
    local: Mapping[str, object] = field(default_factory=dict)


def zipped(parts: Iterable[Part], *, comment: bytes = b"", count: int | None = None, gap: bytes = b"") -> bytes:
    """A zip of parts, as true as they are."""
    body, directory, number = b"", b"", 0
    for part in parts:
        place = len(body) if part.place is None else part.place
        body += _local(replace(part, **part.local))  # type: ignore[arg-type]
        directory += _central(part, place)
        number += 1
    count = number if count is None else count
    end = _END.pack(b"PK\x05\x06", 0, 0, count, count, len(directory), len(body) + len(gap), len(comment))
    return body + gap + directory + end + comment


def _common(part: Part) -> tuple[int, ...]:
    crc = crc32(part.content) if part.crc is None else part.crc
    packed, size = (len(part.content),) * 2 if part.told is None else part.told
    return (20, part.flags, part.method, 0, part.date, crc, packed, size, len(part.name), len(part.extra))


def _local(part: Part) -> bytes:
    return _LOCAL.pack(b"PK\x03\x04", *_common(part)) + part.name + part.extra + part.content


def _central(part: Part, place: int) -> bytes:
    head = _CENTRAL.pack(b"PK\x01\x02", 3 << 8 | 20, *_common(part), len(part.comment), 0, 0, part.mode, place)
    return head + part.name + part.extra + part.comment


def sound(**changed: bytes) -> Artifact:
    """An artifact without a fault; `lineage` is its lineage.json, and so on."""
    return make_artifact("risk", {**files(), **{f"{name}.json": content for name, content in changed.items()}})


def parts(artifact: Artifact | None = None) -> list[Part]:
    """The files of a sound artifact, its manifest first."""
    whole = sound() if artifact is None else artifact
    every = {MANIFEST: whole.manifest, **whole.files}
    return [Part(name.encode(), content) for name, content in every.items()]


def forged(**changed: bytes | None) -> bytes:
    """An artifact with other files and a manifest that fits them; None leaves one out. `graph` is graph.onnx."""
    names = {name: "graph.onnx" if name == "graph" else f"{name}.json" for name in changed}
    every: dict[str, bytes | None] = {**files(), **{names[name]: content for name, content in changed.items()}}
    return told("risk", {name: content for name, content in every.items() if content is not None})


def told(predictor: str, every: Mapping[str, bytes]) -> bytes:
    """Files with a manifest that fits them, whatever they are."""
    ordered = {name: every[name] for name in sorted(every)}
    return to_zip({MANIFEST: manifest_of(predictor, ordered), **ordered})


def hostile_artifacts(key: KeyPair | None = None) -> dict[str, Hostile]:
    """All of them; `key` signs those that are signed."""
    key = new_key_pair() if key is None else key
    return {
        **{f"a graph with {name}": _with_graph(one) for name, one in hostile_graphs().items()},
        **{f"a file called {name!r}": _with_name(name, reason) for name, reason in _NAMES.items()},
        **_zips(),
        **_manifests(),
        **_contents(),
        **_signatures(key),
    }


def _with_graph(one: Hostile) -> Hostile:
    return Hostile(forged(graph=one.data), f"graph.onnx: graph: .*({one.reason})")


_NAMES = {
    "../graph.onnx": "it leads out of its folder",
    "tokenizer/../../a.json": "it leads out of its folder",
    "/etc/passwd": "it is absolute",
    "C:graph.onnx": "it names a drive",
    "C:/graph.onnx": "it names a drive",
    "tokenizer\\a.json": "it has a backslash",
    "..\\graph.onnx": "it has a backslash",
    "tokenizer/a\0.json": "not printable ASCII",
    "tokenizer/\u202ea.json": "not printable ASCII",
    "tokenizer/nul.json": "it is a device",
    "tokenizer/COM1.words.json": "it is a device",
    "tokenizer/.hidden.json": "no such file is part",
    "tokenizer/a/b.json": "no such file is part",
    "tokenizer/": "no such file is part",
    "model.pkl": "no such file is part",
    "graph.onnx.data": "no such file is part",
    "GRAPH.ONNX": "no such file is part",
    "manifest.json": "comes 2 times",
    "a" * 128: "no such file is part",
    "a" * 129: "a file name of 129 bytes",
    "": "a file name of 0 bytes",
}


def _with_name(name: str, reason: str) -> Hostile:
    return Hostile(zipped([*parts(), Part(name.encode("utf-8"), b"{}")]), reason)


def _zips() -> dict[str, Hostile]:
    every = parts()
    manifest, golden, *others = every
    whole = zipped(every)
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as file:
        for part in every:
            file.writestr(part.name.decode(), part.content + b" " * (50 << 20 if part.name == b"spec.json" else 0))
    huge = Part(b"lineage.json", b"{}", told=(0xFFFFFFFF, 0xFFFFFFFF), extra=b"\x01\x00\x10\x00" + b"\xff" * 16)
    locator = b"PK\x06\x07" + bytes(16)
    again = zipped([*every, Part(b"tokenizer/again.json", whole)])

    def with_golden(**changed: object) -> bytes:
        return zipped([manifest, replace(golden, **changed), *others])  # type: ignore[arg-type]

    return {
        "nothing": Hostile(b"", "does not begin as a zip"),
        "text": Hostile(b"PK, or not", "does not begin as a zip"),
        "a zip of nothing": Hostile(zipped([]), "does not begin as a zip"),
        "something before": Hostile(b"#!/bin/sh\n" + whole, "there is something before it"),
        "something after": Hostile(whole + b"\0", "does not end as a zip"),
        "two after each other": Hostile(whole + whole, "does not say where its directory is"),
        "a comment": Hostile(zipped(every, comment=b"hello"), "does not end as a zip"),
        "a comment that looks like an end": Hostile(
            zipped(every, comment=whole[-22:]), "does not say where its directory is"
        ),
        "a directory elsewhere": Hostile(whole[:-6] + b"\1\0\0\0" + whole[-2:], "does not say where its directory is"),
        "several disks": Hostile(whole[:-18] + b"\1\0" + whole[-16:], "a zip of one part"),
        "zip64's locator": Hostile(zipped(every, gap=b"")[:-22] + locator + whole[-22:], "is a zip64"),
        "zip64's sizes": Hostile(zipped([*every, huge]), "an entry with extra fields"),
        "zip64's count": Hostile(zipped(every, count=0xFFFF), "is a zip64"),
        "a size without end": Hostile(with_golden(told=(0xFFFFFFFF, 0xFFFFFFFF)), "has its size elsewhere"),
        "a thousand entries": Hostile(zipped([*every, *[replace(golden)] * 1000]), "1005 entries; allowed: at most 66"),
        "a wrong count": Hostile(zipped(every, count=4), "bytes in its directory that are no entry"),
        "a count too large": Hostile(zipped(every, count=6), "its directory cannot be read"),
        "bytes between": Hostile(zipped(every, gap=b"hidden"), "6 bytes between its files and its directory"),
        "a bomb": Hostile(bomb.getvalue(), "is compressed|entry with extra fields|odd flags"),
        "a zip in a zip": Hostile(again, "tokenizer/again.json"),
        "a symbolic link": Hostile(with_golden(mode=_LINK, content=b"/etc/passwd"), "is a symbolic link"),
        "a folder": Hostile(with_golden(mode=_FOLDER), "is no plain file"),
        "a device": Hostile(with_golden(mode=0o020666 << 16), "is no plain file"),
        "no mode": Hostile(with_golden(mode=0), "is no plain file"),
        "a program": Hostile(with_golden(mode=0o100755 << 16), "has odd flags or dates"),
        "encrypted": Hostile(with_golden(flags=1), "is encrypted"),
        "deflated": Hostile(with_golden(method=8), "is compressed"),
        "an unknown method": Hostile(with_golden(method=99), "is compressed"),
        "a descriptor after the content": Hostile(with_golden(flags=8), "has odd flags or dates"),
        "another date": Hostile(with_golden(date=0x5A21), "has odd flags or dates"),
        "extra fields": Hostile(with_golden(extra=b"UT\0\0"), "an entry with extra fields"),
        "a comment on a file": Hostile(with_golden(comment=b"hello"), "an entry with extra fields or a comment"),
        "extra fields in the entry alone": Hostile(with_golden(local={"extra": b"UT\0\0"}), "do not say the same"),
        "another name in the entry": Hostile(with_golden(local={"name": b"gelden.json"}), "do not say the same"),
        "another size in the entry": Hostile(with_golden(local={"told": (1, 1)}), "do not say the same"),
        "two sizes": Hostile(with_golden(told=(len(golden.content), 1 << 31)), "is said to be 2147483648 bytes"),
        "a size that is too large": Hostile(with_golden(told=(1 << 31, 1 << 31)), "of 2147483648 bytes; allowed"),
        "a size beyond the end": Hostile(with_golden(told=(1 << 27, 1 << 27)), "is longer than what is there"),
        "a size too small": Hostile(with_golden(told=(5, 5)), "do not say the same|does not follow"),
        "a wrong checksum": Hostile(with_golden(crc=1), "is damaged"),
        "an entry that overlaps": Hostile(with_golden(place=0), "overlaps the one before it"),
        "all entries at one place": Hostile(
            zipped([replace(part, place=0) for part in every]), "overlaps the one before it"
        ),
        "an entry far away": Hostile(with_golden(place=1 << 31), "does not follow the one before it"),
        "a file twice": Hostile(zipped([*every, golden]), '"golden.json" comes 2 times'),
        "two manifests": Hostile(zipped([manifest, *every]), "comes 2 times"),
        "no manifest": Hostile(zipped([golden, *others]), "no manifest.json at its beginning"),
        "the manifest last": Hostile(zipped([golden, *others, manifest]), "no manifest.json at its beginning"),
        "another order": Hostile(zipped([manifest, *others, golden]), "in another order"),
        "capitals alone": Hostile(
            zipped([*every, Part(b"tokenizer/A.json", b"{}"), Part(b"tokenizer/a.json", b"{}")]),
            "they are one file on some systems",
        ),
        "sixty-five files": Hostile(
            zipped([*every, *[Part(b"tokenizer/%03d.json" % number, b"{}") for number in range(61)]]),
            "65 files; allowed: at most 64",
        ),
    }


def _manifests() -> dict[str, Hostile]:
    own = sound()
    _, *others = parts(own)
    read = msgspec.json.decode(own.manifest, type=Manifest)

    def with_manifest(content: bytes) -> bytes:
        return zipped([Part(MANIFEST.encode(), content), *others])

    def changed(**fields: object) -> bytes:
        return with_manifest(msgspec.json.encode(msgspec.structs.replace(read, **fields), order="sorted"))

    swapped = {**read.files, "golden.json": read.files["passport.json"]}
    lied = {**read.files, "golden.json": Entry(1 << 40, read.files["golden.json"].sha256)}
    hashed = {**read.files, "golden.json": Entry(read.files["golden.json"].bytes, "0" * 64)}
    missing = {name: entry for name, entry in read.files.items() if name != "passport.json"}
    return {
        "a manifest that is no JSON": Hostile(with_manifest(b"manifest"), "manifest.json cannot be read"),
        "a manifest that is a list": Hostile(with_manifest(b"[]"), "manifest.json cannot be read"),
        "a manifest without end": Hostile(with_manifest(b"[" * 1_000_000), "manifest.json cannot be read"),
        "a manifest that is no text": Hostile(with_manifest(b'{"format": "\xff"}'), "manifest.json cannot be read"),
        "a manifest with a space": Hostile(with_manifest(own.manifest + b" "), "written in another way"),
        "a manifest with a field twice": Hostile(
            with_manifest(own.manifest[:-1] + b',"predictor":"risk"}'), "written in another way"
        ),
        "a manifest with an escape": Hostile(
            with_manifest(own.manifest.replace(b'"risk"', b'"\\u0072isk"')), "written in another way"
        ),
        "a manifest with a field more": Hostile(
            with_manifest(own.manifest[:-1] + b',"run":"rm"}'), "manifest.json cannot be read"
        ),
        "a later format": Hostile(changed(format=2), "format 2; allowed: 1; read it with the unisono that wrote it"),
        "no format": Hostile(with_manifest(b"{}"), "manifest.json cannot be read"),
        "a predictor that is a path": Hostile(changed(predictor="../risk"), 'predictor "../risk"'),
        "another predictor": Hostile(changed(predictor="safe"), 'the spec of "risk"'),
        "hashes of other files": Hostile(changed(files=swapped), "golden.json has"),
        "a length that is a lie": Hostile(changed(files=lied), "allowed: 1099511627776, as its manifest says"),
        "a hash that is a lie": Hostile(changed(files=hashed), "is not what was stored"),
        "a file that the manifest does not know": Hostile(changed(files=missing), "those of its manifest"),
        "a manifest of 5 MB": Hostile(with_manifest(b" " * (5 << 20)), "at most 4194304"),
        **{
            f"no {name}.json": Hostile(forged(**{name: None}), f"without {name}.json")
            for name in ("spec", "golden", "passport")
        },
        "no graph": Hostile(forged(graph=None), "without graph.onnx"),
    }


def _contents() -> dict[str, Hostile]:
    spec = files()["spec.json"]
    transform = b'{"name":"t","inputs":["request"],"graph":"AAAA"}'
    traced = spec.replace(b'"transforms":[]', b'"transforms":[%b]' % transform).replace(
        b'"features":[]', b'"features":[],"derive":["t"]'
    )
    other = files("other")["spec.json"]
    return {
        "a spec that is no JSON": Hostile(forged(spec=b"spec"), "spec.json cannot be read"),
        "a spec of another predictor": Hostile(forged(spec=other), 'the spec of "other"'),
        "a spec of the future": Hostile(forged(spec=spec.replace(b'"format":1', b'"format":9')), "format: 9"),
        "a spec with a field more": Hostile(forged(spec=spec[:-1] + b',"code":"1"}'), "unknown field"),
        "a spec with a graph that is none": Hostile(forged(spec=traced), "spec.json: transform t: graph:"),
        "a spec of nothing": Hostile(forged(spec=b"{}"), "spec.json: spec JSON"),
        "a note that is a list": Hostile(forged(passport=b"[]"), "passport.json is no object"),
        "a note that is no text": Hostile(forged(metrics=b"\xff\xfe"), "metrics.json cannot be read"),
        "a note with something after": Hostile(forged(lineage=b"{}{}"), "lineage.json cannot be read"),
        "a note 33 deep": Hostile(forged(lineage=b'{"a":' * 33 + b"1" + b"}" * 33), "lineage.json is 33 levels deep"),
        "a note a million deep": Hostile(forged(lineage=b"[" * 1_000_000), "lineage.json is 1000000 levels deep"),
        "golden rows without end": Hostile(forged(golden=b'{"a":[' + b"[]," * 2_000_000), "of 2000002 arrays"),
        "a note of 5 MB": Hostile(forged(metrics=b"{}" + b" " * (5 << 20)), "at most 4194304"),
        "a tokenizer that is no JSON": Hostile(
            told("risk", {**files(), "tokenizer/a.json": b"\x80\x04pickle"}), "tokenizer/a.json cannot be read"
        ),
        "a tokenizer 10000 deep": Hostile(
            told("risk", {**files(), "tokenizer/a.json": b'{"a":' * 10_000 + b"1" + b"}" * 10_000}), "10000 levels deep"
        ),
    }


_WRONG = "the signature by [0-9a-f]{32} is wrong"


def _signatures(key: KeyPair) -> dict[str, Hostile]:
    signed = sign(sound(), key.private)
    right = parts(signed)
    from unisono.store.artifacts.signatures import signatures_json

    document = signatures_json(signed.signatures)
    foreign = signatures_json(sign(sound(metrics=b"{}"), key.private).signatures)

    def with_signatures(content: bytes) -> bytes:
        return zipped([*right, Part(SIGNATURES.encode(), content)])

    last = document.rindex(b'"') - 1
    flipped = document[:last] + (b"0" if document[last : last + 1] != b"0" else b"1") + document[last + 1 :]
    unknown_point = document.replace(signed.signatures[0].key.hex().encode(), b"f" * 64)
    return {
        "the signature of another artifact": Hostile(with_signatures(foreign), _WRONG),
        "a signature with a digit changed": Hostile(with_signatures(flipped), _WRONG),
        "a key that is no point": Hostile(with_signatures(unknown_point), _WRONG),
        "signatures in another form": Hostile(with_signatures(document + b"\n"), "written in another way"),
        "signatures that are none": Hostile(with_signatures(b'{"format":1,"signatures":[]}'), "cannot be read"),
        "signatures in capitals": Hostile(with_signatures(document.upper()), "cannot be read"),
        "signatures first": Hostile(
            zipped([right[0], Part(SIGNATURES.encode(), document), *right[1:]]), "no such file is part"
        ),
    }
