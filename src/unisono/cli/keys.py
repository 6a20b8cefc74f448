"""`unisono keys`: the keys that sign artifacts."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from unisono.cli import prose
from unisono.cli.answer import Answer
from unisono.cli.options import REPORTING_DEFAULTS, Reporting
from unisono.spec.errors import InputError, StoreError

HELP = "Make the keys that sign artifacts, and see which is which."

NEW_EXAMPLES = ("unisono keys new release.pem",)
SHOW_EXAMPLES = ("unisono keys show release.pub.pem",)
NEW_FIELDS = {
    "private": "the file with the private key: keep it secret, and keep it",
    "public": "the file with the public key: for whoever reads artifacts",
    "fingerprint": "of the key, 32 hexadecimal digits, as the signers of an artifact are shown",
}
SHOW_FIELDS = {
    "file": "as it was given",
    "kind": "private or public",
    "fingerprint": "of the key, 32 hexadecimal digits",
}

_PRIVATE, _PUBLIC = 0o600, 0o644


def new(
    file: Annotated[Path, Parameter(help="Where the private key goes: a file ending in .pem that is not there yet.")],
    /,
    *,
    common: Reporting = REPORTING_DEFAULTS,
) -> Answer:
    """Make a pair of keys: a private one that signs artifacts, and a public one that verifies them.

    Both are PEM files of Ed25519 keys, which other tools read as well; the public one ends in .pub.pem. Only you may
    read the private one, and it is not encrypted. Sign with `unisono register --sign FILE`; whoever names the public
    one in [registry] trusted of unisono.toml reads signed artifacts only. No file is written over.
    """
    from unisono.store.artifacts import signing
    from unisono.store.artifacts.signatures import fingerprint

    if file.suffix != ".pem":
        raise InputError(f'key "{file}": its name does not end in .pem; allowed: a name that does; choose another name')
    public = file.with_suffix(".pub.pem")
    pair = signing.new_key_pair()
    _write_new(file, pair.private, _PRIVATE)
    try:
        _write_new(public, pair.public, _PUBLIC)
    except StoreError:
        file.unlink()
        raise
    known = fingerprint(signing.public_key(pair.public))
    data = {"private": str(file), "public": str(public), "fingerprint": known}
    return Answer(data, prose.table(data.items()))


def show(
    file: Annotated[Path, Parameter(help="PEM file of a private or a public key.")],
    /,
    *,
    common: Reporting = REPORTING_DEFAULTS,
) -> Answer:
    """Show the fingerprint of a key, which is how the signers of an artifact are told.

    The fingerprint is the same for the private and for the public key of a pair; compare it by another way than the
    one on which the key came to you. Nothing secret is shown, and the file is not changed.
    """
    from unisono.store.artifacts import signing
    from unisono.store.artifacts.signatures import fingerprint

    content = read_key(file)
    kind = "private" if b"PRIVATE KEY" in content else "public"
    key = signing.public_of(content) if kind == "private" else signing.public_key(content)
    data = {"file": str(file), "kind": kind, "fingerprint": fingerprint(key)}
    return Answer(data, prose.table(data.items()))


def read_key(path: Path) -> bytes:
    """The content of a file with a key. Raises StoreError if it cannot be read, InputError if it is far too large."""
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise StoreError(
            f"key {path}: {error.strerror}; allowed: a PEM file; make one with `unisono keys new`"
        ) from error
    if len(content) > _MOST_BYTES:
        raise InputError(f"key {path}: more than {_MOST_BYTES} bytes; allowed: a PEM file; correct the path")
    return content


_MOST_BYTES = 1 << 16


def _write_new(path: Path, content: bytes, mode: int) -> None:
    """Write a file that is not there yet, or none. It never has another mode than this."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        step = "choose another name" if isinstance(error, FileExistsError) else "choose a folder that is there"
        raise StoreError(f"key {path}: {error.strerror}; allowed: a file that is not there yet; {step}") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        with suppress(OSError):
            path.unlink()
        raise StoreError(f"key {path}: {error.strerror}; nothing is left of it; make room and run again") from error
