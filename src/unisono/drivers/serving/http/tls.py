"""Encryption: certificate and key from files, which may be renewed while the server runs."""

from __future__ import annotations

import ssl
from pathlib import Path

from unisono.spec.errors import StoreError


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
