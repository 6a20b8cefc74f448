"""Encryption, with a certificate that was made here."""

from __future__ import annotations

import datetime
import http.client
import ipaddress
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import unisono as un
from tests.serving.http.carriers import PATIENCE_S, answers_of, connect, own, read_all, wait_until
from tests.serving.http.desk import Later, desk
from unisono.drivers.serving.http.tls import context_of, renew, tls_of
from unisono.drivers.serving.settings import Http

GET = b"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n"


def make_certificate(folder: Path, name: str, *, password: bytes | None = None) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = folder / f"{name}.crt", folder / f"{name}.key"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    hiding = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, form, hiding))
    return files


def names(address: str, certificate: Path) -> str:
    """Whom a server says it is, to a client that trusts one certificate."""
    trusting = ssl.create_default_context(cafile=str(certificate))
    with trusting.wrap_socket(connect(address), server_hostname="127.0.0.1") as connection:
        found = connection.getpeercert()
        assert found is not None
        return str(found["subject"][0][0][1])  # a tree of tuples


def test_requests_are_answered_over_tls(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "one")
    with own(desk(), Http(), tls=context_of(certificate, key)) as address:
        assert address.startswith("https://127.0.0.1:")
        trusting = ssl.create_default_context(cafile=str(certificate))
        client = http.client.HTTPSConnection(urlsplit(address).netloc, context=trusting, timeout=PATIENCE_S)
        for size in (1, 900_000):
            client.request("POST", "/echo", b"a" * size)
            answer = client.getresponse().read()
            assert answer.endswith(b'"body":"' + b"a" * size + b'"}')
        client.close()


def test_a_refusal_is_read_over_tls(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "one")
    with own(desk(), Http(), tls=context_of(certificate, key)) as address:
        trusting = ssl.create_default_context(cafile=str(certificate))
        with trusting.wrap_socket(connect(address), server_hostname="127.0.0.1") as connection:
            connection.sendall(b"nonsense\r\n\r\n")
            assert answers_of(read_all(connection))[0].status == 400


def test_a_client_that_goes_away_over_tls_is_noticed(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "one")
    later = Later()
    with own(desk(later), Http(), tls=context_of(certificate, key)) as address:
        trusting = ssl.create_default_context(cafile=str(certificate))
        with trusting.wrap_socket(connect(address), server_hostname="127.0.0.1") as connection:
            connection.sendall(b"GET /later HTTP/1.1\r\nHost: x\r\n\r\n")
            wait_until(lambda: later.asked)
        wait_until(lambda: later.asked[0].is_cancelled)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_old_versions_of_tls_and_plain_text_are_not_spoken(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "one")
    with own(desk(), Http(), tls=context_of(certificate, key)) as address:
        old = ssl.create_default_context(cafile=str(certificate))
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        with connect(address) as plain, pytest.raises((ssl.SSLError, ConnectionError)):
            old.wrap_socket(plain, server_hostname="127.0.0.1")
        with connect(address) as plain:
            plain.sendall(GET)
            assert b"HTTP" not in read_all(plain)
        assert names(address, certificate) == "one"


def test_a_handshake_that_does_not_come_is_given_up(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path, "one")
    with own(desk(), Http(header_timeout_s=0.3), tls=context_of(certificate, key)) as address:
        with connect(address) as silent:
            assert read_all(silent) == b""
        assert names(address, certificate) == "one"


def test_new_connections_have_the_renewed_certificate(tmp_path: Path) -> None:
    first, second = make_certificate(tmp_path, "one"), make_certificate(tmp_path, "two")
    context = context_of(*first)
    with own(desk(), Http(), tls=context) as address:
        assert names(address, first[0]) == "one"
        trusting = ssl.create_default_context(cafile=str(first[0]))
        with trusting.wrap_socket(connect(address), server_hostname="127.0.0.1") as old:
            renew(context, *second)
            assert names(address, second[0]) == "two"
            old.sendall(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            assert answers_of(read_all(old))[0].status == 200
        with pytest.raises(un.StoreError, match="no certificate with its key"):
            renew(context, first[0], second[1])
        assert names(address, second[0]) == "two"


def test_files_that_cannot_be_used_are_said(tmp_path: Path) -> None:
    one, two = make_certificate(tmp_path, "one"), make_certificate(tmp_path, "two")
    locked = make_certificate(tmp_path, "locked", password=b"secret")
    torn = tmp_path / "torn.crt"
    torn.write_bytes(one[0].read_bytes()[:200])
    for files in ((one[0], two[1]), locked, (torn, one[1]), (tmp_path / "absent.crt", one[1]), (one[1], one[0])):
        with pytest.raises(un.StoreError, match=r"no certificate with its key .*; allowed: PEM files.*; correct"):
            context_of(*files)


def test_settings_name_both_files_or_none(tmp_path: Path) -> None:
    _, key = make_certificate(tmp_path, "one")
    assert tls_of(Http(), tmp_path) is None
    assert tls_of(Http(certificate="one.crt", key=str(key)), tmp_path) is not None
    for half in (Http(certificate="one.crt"), Http(key="one.key")):
        with pytest.raises(un.InputError, match="allowed: both, or neither"):
            tls_of(half, tmp_path)
