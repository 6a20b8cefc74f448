"""Artifacts: the same content is the same file and the same id; what was made can be read; who signed it is known."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.store.artifact_files import files
from tests.store.hostile_artifacts import sound
from unisono.spec.errors import InputError, StateError
from unisono.store.artifacts import Artifact, Limits, describe, make_artifact, read_artifact
from unisono.store.artifacts.signatures import MAX_SIGNATURES, Signature, fingerprint
from unisono.store.artifacts.signing import KeyPair, new_key_pair, public_key, sign

KEY, OTHER = new_key_pair(), new_key_pair()
EXTRA = {"metrics.json": b'{"a":1}', "lineage.json": b"{}", "tokenizer/Words_1.json": b'{"words":["]"]}'}


@pytest.mark.parametrize("extra", [{}, EXTRA])
@pytest.mark.parametrize("keys", [(), (KEY,), (KEY, OTHER)])
def test_what_is_made_can_be_read(extra: dict[str, bytes], keys: tuple[KeyPair, ...]) -> None:
    made = make_artifact("risk", {**files(), **extra})
    for key in keys:
        made = sign(made, key.private)
    read = read_artifact(made.to_bytes())
    assert read == made
    assert read.files == {**files(), **extra}
    assert len(read.signatures) == len(keys)
    assert read.to_bytes() == made.to_bytes()


def test_the_order_of_files_and_the_hand_that_wrote_them_change_nothing() -> None:
    every = {**files(), **EXTRA}
    turned = {name: bytes(bytearray(every[name])) for name in reversed(every)}
    assert make_artifact("risk", turned).to_bytes() == make_artifact("risk", every).to_bytes()


def test_another_content_or_name_is_another_artifact() -> None:
    ids = {
        sound().id,
        sound(metrics=b"{}").id,
        sound(lineage=b"{}").id,
        sound(metrics=b"{} ").id,
        make_artifact("risk", files(weight=3.0)).id,
        make_artifact("other", files("other")).id,
    }
    assert len(ids) == 6


def test_a_signature_does_not_change_the_id() -> None:
    signed = sign(sound(), KEY.private)
    assert signed.id == sound().id
    assert signed.to_bytes() != sound().to_bytes()


_WRITE = """
import sys
from tests.store.artifact_files import files
from unisono.store.artifacts import make_artifact
from unisono.store.artifacts.signing import sign
artifact = make_artifact("risk", {**dict(reversed(files().items())), "lineage.json": b"{}"})
sys.stdout.buffer.write(sign(artifact, sys.stdin.buffer.read()).to_bytes())
"""


@pytest.mark.slow
def test_another_process_makes_the_same_bytes() -> None:
    """From the spec and the model on: graph, golden rows, manifest, signature."""
    wanted = sign(make_artifact("risk", {**files(), "lineage.json": b"{}"}), KEY.private).to_bytes()
    root = str(Path(__file__).parents[2])
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": root, "TZ": f"UTC-{seed}"}
        command = [sys.executable, "-c", _WRITE]
        done = subprocess.run(command, input=KEY.private, env=environment, capture_output=True, check=True)
        assert done.stdout == wanted


def test_any_tool_can_look_into_an_artifact() -> None:
    with zipfile.ZipFile(io.BytesIO(sound().to_bytes())) as file:
        assert file.testzip() is None
        assert file.namelist() == ["manifest.json", *sorted(files())]
        assert file.read("spec.json") == files()["spec.json"]
        assert {one.compress_type for one in file.infolist()} == {zipfile.ZIP_STORED}


def test_what_it_is_can_be_described() -> None:
    described = describe(sign(sound(), KEY.private))
    assert described["predictor"] == "risk"
    assert described["id"] == sound().id
    assert described["bytes"] == sum(map(len, files().values()))
    assert described["signers"] == [fingerprint(public_key(KEY.public))]
    listed = described["files"]
    assert isinstance(listed, list)
    assert [one["name"] for one in listed] == sorted(files())


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../spec.json", "it leads out of its folder"),
        ("model.pkl", "no such file is part of an artifact"),
        ("manifest.json", "no such file is part of an artifact"),
        ("tokenizer/con.json", "it is a device on some systems"),
    ],
)
def test_a_file_that_does_not_belong_there_is_not_put_in(name: str, reason: str) -> None:
    with pytest.raises(InputError, match=f"artifact of risk: file .*{reason}.*; allowed: spec.json.*; leave it out"):
        make_artifact("risk", {**files(), name: b"{}"})


def test_what_could_not_be_read_is_not_made() -> None:
    every = files()
    with pytest.raises(InputError, match=r"without graph.onnx, golden.json; allowed: all of .*; add them"):
        make_artifact("risk", {name: every[name] for name in ("spec.json", "passport.json")})
    with pytest.raises(InputError, match=r'predictor "a b"; allowed: a letter'):
        make_artifact("a b", every)
    with pytest.raises(InputError, match=r"metrics.json: 4194306 bytes; allowed: 4194304"):
        make_artifact("risk", {**every, "metrics.json": b"{}" + b" " * (4 << 20)})
    with pytest.raises(InputError, match="they are one file on some systems"):
        make_artifact("risk", {**every, "tokenizer/a.json": b"{}", "tokenizer/A.json": b"{}"})
    with pytest.raises(InputError, match=r"69 files of .* bytes in all; allowed: 64 files"):
        make_artifact("risk", {**every, **{f"tokenizer/{number}.json": b"{}" for number in range(65)}})
    with pytest.raises(StateError, match=r"lineage.json is no object; allowed: a JSON object"):
        make_artifact("risk", {**every, "lineage.json": b"7"})
    with pytest.raises(StateError, match=r'the spec of "risk"; allowed: the spec of predictor other'):
        make_artifact("other", every)
    with pytest.raises(StateError, match=r"graph.onnx: graph: is cut off"):
        make_artifact("risk", {**every, "graph.onnx": every["graph.onnx"][:-1]})


def test_limits_can_be_lowered() -> None:
    whole = sound().to_bytes()
    for limits, reason in (
        (Limits(artifact_bytes=100), "bytes; allowed: at most 100"),
        (Limits(files=3), "6 entries|4 files; allowed: at most 3"),
        (Limits(graph_bytes=10), 'file "graph.onnx" of [0-9]+ bytes; allowed: at most 10'),
        (Limits(json_depth=1), "levels deep; allowed: at most 1"),
        (Limits(json_parts=1), "arrays and objects; allowed: at most 1"),
    ):
        with pytest.raises(StateError, match=reason):
            read_artifact(whole, limits=limits)


def signed_by(*keys: KeyPair) -> Artifact:
    made = sound()
    for key in keys:
        made = sign(made, key.private)
    return made


@pytest.mark.parametrize(
    ("keys", "trusted", "accepted"),
    [
        ((), None, True),
        ((KEY,), None, True),
        ((KEY,), (KEY,), True),
        ((KEY, OTHER), (OTHER,), True),
        ((KEY,), (KEY, OTHER), True),
        ((), (KEY,), False),
        ((OTHER,), (KEY,), False),
        ((), (), False),
        ((KEY,), (), False),
    ],
)
def test_a_signature_by_one_of_the_trusted_keys_is_enough_and_needed(
    keys: tuple[KeyPair, ...], trusted: tuple[KeyPair, ...] | None, accepted: bool
) -> None:
    data = signed_by(*keys).to_bytes()
    pems = None if trusted is None else [key.public for key in trusted]
    if accepted:
        assert read_artifact(data, trusted=pems).id == sound().id
    else:
        with pytest.raises(StateError, match=r"signed by (none|[0-9a-f]{32}); allowed: signed by one of .*; sign it"):
            read_artifact(data, trusted=pems)


def test_signing_again_changes_nothing() -> None:
    assert signed_by(KEY, OTHER).to_bytes() == signed_by(OTHER, KEY, KEY).to_bytes()


def test_a_wrong_signature_is_refused_even_beside_a_right_one() -> None:
    forged = signed_by(KEY).signed(Signature(public_key(OTHER.public), bytes(64)))
    for trusted in (None, [KEY.public]):
        with pytest.raises(StateError, match=f"the signature by {fingerprint(public_key(OTHER.public))} is wrong"):
            read_artifact(forged.to_bytes(), trusted=trusted)


def test_no_more_signatures_are_read_than_may_be_there() -> None:
    made = signed_by(*[new_key_pair() for _ in range(MAX_SIGNATURES)])
    assert len(read_artifact(made.to_bytes()).signatures) == MAX_SIGNATURES
    with pytest.raises(StateError, match=r"signatures.json cannot be read"):
        read_artifact(sign(made, new_key_pair().private).to_bytes())


def test_a_key_of_another_kind_is_refused() -> None:
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    public = key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
    for wrong in (private, b"", b"-----BEGIN", KEY.public):
        with pytest.raises(InputError, match=r"private key: .*; allowed: an Ed25519 key in a PEM file; make one"):
            sign(sound(), wrong)
    for wrong in (public, b"", KEY.private):
        with pytest.raises(InputError, match=r"public key: .*; allowed: an Ed25519 key in a PEM file; make one"):
            read_artifact(sound().to_bytes(), trusted=[wrong])


def test_an_encrypted_key_needs_its_password() -> None:
    from cryptography.hazmat.primitives import serialization as form

    key = form.load_pem_private_key(KEY.private, None)
    locked = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.BestAvailableEncryption(b"open"))
    assert sign(sound(), locked, password=b"open") == sign(sound(), KEY.private)
    for password in (None, b"shut"):
        with pytest.raises(InputError, match="private key: "):
            sign(sound(), locked, password=password)
