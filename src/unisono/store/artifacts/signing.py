"""Signs artifacts and verifies signatures: Ed25519 (RFC 8032) by the library `cryptography`. Keys are PEM files.

A signature depends on the artifact and the key alone: signing twice gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType
from typing import TYPE_CHECKING, NamedTuple

from unisono.spec.errors import InputError, StoreError
from unisono.spec.wording import one_line
from unisono.store.artifacts.artifact import Artifact
from unisono.store.artifacts.refusal import refused
from unisono.store.artifacts.signatures import Signature, signed_message

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric import ed25519


class KeyPair(NamedTuple):
    """A new key, as the contents of two PEM files.

    private: PKCS 8; whoever has it can sign.
    public:  SubjectPublicKeyInfo; whoever has it can verify.
    """

    private: bytes
    public: bytes


def new_key_pair() -> KeyPair:
    """A new key, from the system's randomness."""
    library = _library()
    from cryptography.hazmat.primitives import serialization as form

    key = library.Ed25519PrivateKey.generate()
    private = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    public = key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
    return KeyPair(private, public)


def sign(artifact: Artifact, private_key: bytes, *, password: bytes | None = None) -> Artifact:
    """The same artifact, with the same id, signed.

    private_key: content of a PEM file.
    password:    of the key, if the file is encrypted.

    Raises InputError if that is no Ed25519 key, or the password is wrong.
    """
    key = _private_key(private_key, password)
    return artifact.signed(Signature(key.public_key().public_bytes_raw(), key.sign(signed_message(artifact.manifest))))


def verify(manifest: bytes, signatures: Iterable[Signature]) -> None:
    """Raises StateError if one of the signatures is not what its key signs for this manifest."""
    library = _library()
    from cryptography.exceptions import InvalidSignature

    for one in signatures:
        try:
            library.Ed25519PublicKey.from_public_bytes(one.key).verify(one.value, signed_message(manifest))
        except (InvalidSignature, ValueError) as error:
            raise refused(
                f"the signature by {one.fingerprint} is wrong",
                "signatures of this content",
                "do not use it; ask who signed",
            ) from error


def public_key(pem: bytes) -> bytes:
    """The 32 bytes of a public key.

    pem: content of its PEM file.

    Raises InputError if it is none.
    """
    library = _library()
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(pem)
    except Exception as error:  # ValueError, UnsupportedAlgorithm, ...
        raise _no_key("public", one_line(error)) from error
    if not isinstance(key, library.Ed25519PublicKey):
        raise _no_key("public", f"a key of another kind ({type(key).__name__})")
    return bytes(key.public_bytes_raw())


def public_of(private_key: bytes, *, password: bytes | None = None) -> bytes:
    """The 32 bytes of the public key that belongs to a private one; arguments and errors as of `sign`."""
    return bytes(_private_key(private_key, password).public_key().public_bytes_raw())


def _private_key(pem: bytes, password: bytes | None) -> ed25519.Ed25519PrivateKey:
    library = _library()
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(pem, password)
    except Exception as error:  # ValueError, TypeError (of the password), UnsupportedAlgorithm, ...
        raise _no_key("private", one_line(error)) from error
    if not isinstance(key, library.Ed25519PrivateKey):
        raise _no_key("private", f"a key of another kind ({type(key).__name__})")
    found: ed25519.Ed25519PrivateKey = key
    return found


def _no_key(kind: str, seen: str) -> InputError:
    return InputError(f"{kind} key: {seen}; allowed: an Ed25519 key in a PEM file; make one with `unisono keys new`")


def _library() -> ModuleType:
    """The library, or the error that says how to get it."""
    try:
        from cryptography.hazmat.primitives.asymmetric import ed25519
    except ImportError as error:
        raise StoreError(
            "artifact: signatures need the library cryptography, which is not installed; allowed: version 50 or later; "
            "install it: pip install 'unisono[sign]'"
        ) from error
    return ed25519
