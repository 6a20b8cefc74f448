"""Encryption: certificate and key from files, which may be renewed while the server runs."""

from __future__ import annotations

import ssl
from pathlib import Path

from unisono.drivers.serving.settings import Http
from unisono.spec.errors import InputError, StoreError


def tls_of(limits: Http, root: Path) -> ssl.SSLContext | None:
    """How the settings let connections be encrypted; None: not at all. Raises InputError, StoreError.

    root: folder that the files are relative to.
    """
    if bool(limits.certificate) != bool(limits.key):
        seen = "a certificate without a key" if limits.certificate else "a key without a certificate"
        raise InputError(f"[serve.http]: {seen}; allowed: both, or neither; add the other")
    return context_of(root / limits.certificate, root / limits.key) if limits.certificate else None


def context_of(certificate: Path, key: Path) -> ssl.SSLContext:
    """How connections are encrypted: TLS 1.2 or newer. Raises StoreError if a file cannot be used.

    certificate: PEM, with the chain after it.
    key:         PEM, without a password.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    context.set_alpn_protocols(["http/1.1"])
    _load(context, certificate, key)
    return context


def renew(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    """Let new connections have the files' present certificate. Raises StoreError; then all stays as it is."""
    context_of(certificate, key)
    _load(context, certificate, key)


def _load(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    def refuse_password() -> str:
        raise ValueError("the key has a password")

    try:
        context.load_cert_chain(certificate, key, password=refuse_password)
    except (OSError, ValueError) as error:  # an ssl.SSLError is an OSError
        seen = f"no certificate with its key ({getattr(error, 'strerror', None) or error})"
        raise StoreError(
            f"{certificate}, {key}: {seen}; allowed: "
            "PEM files that belong together, a key without a password; correct [serve.http] certificate and key"
        ) from error
