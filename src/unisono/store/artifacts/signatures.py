"""Who vouches for an artifact: public keys and what they signed. No part of the id, so one can be added at any time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from typing import Annotated

import msgspec

from unisono.spec.wording import one_line
from unisono.store.artifacts import names
from unisono.store.artifacts.refusal import refused

FORMAT = 1
MAX_SIGNATURES = 16

_Key = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
_Value = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{128}$")]


class SignatureJson(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A signature; both in hexadecimal."""

    key: _Key
    signature: _Value


class SignaturesJson(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The signatures of an artifact, in the order of their keys."""

    format: int
    signatures: Annotated[list[SignatureJson], msgspec.Meta(min_length=1, max_length=MAX_SIGNATURES)]


@dataclass(frozen=True, slots=True, order=True)
class Signature:
    """What an Ed25519 key says of an artifact.

    key:   the public key, 32 bytes.
    value: the signature, 64 bytes.
    """

    key: bytes
    value: bytes

    @property
    def fingerprint(self) -> str:
        """The key in 32 hexadecimal digits, as people compare it."""
        return fingerprint(self.key)


def fingerprint(key: bytes) -> str:
    """A public key in 32 hexadecimal digits, as people compare it."""
    return sha256(key).hexdigest()[:32]


def signed_message(manifest: bytes) -> bytes:
    """What is signed: the whole manifest, with its purpose before it, so that a signature can mean nothing else."""
    return b"unisono artifact 1\n" + manifest


def signatures_json(signatures: Iterable[Signature]) -> bytes:
    """Signatures as an artifact's file, in the one way there is to write it."""
    listed = [SignatureJson(one.key.hex(), one.value.hex()) for one in sorted(signatures)]
    return msgspec.json.encode(SignaturesJson(FORMAT, listed), order="sorted")


def read_signatures(content: bytes) -> tuple[Signature, ...]:
    """What signatures_json wrote, not yet verified. Raises StateError for anything else."""
    try:
        read = msgspec.json.decode(content, type=SignaturesJson)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise refused(
            f"{names.SIGNATURES} cannot be read ({one_line(error)})", f"a document of format {FORMAT}"
        ) from error
    found = tuple(Signature(bytes.fromhex(one.key), bytes.fromhex(one.signature)) for one in read.signatures)
    ordered = all(one.key < other.key for one, other in pairwise(found))
    if read.format != FORMAT or not ordered or signatures_json(found) != content:
        raise refused(f"{names.SIGNATURES} is written in another way", "as unisono writes it: one signature a key")
    return found
