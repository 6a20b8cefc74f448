"""`unisono artifact`: one version of a predictor as a file that can be looked at, kept elsewhere and brought back."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from unisono.cli import prose
from unisono.cli.answer import Answer
from unisono.cli.keys import read_key
from unisono.cli.options import COMMON_DEFAULTS, REPORTING_DEFAULTS, Common, PredictorName, Reporting, option
from unisono.spec.errors import InputError, StoreError

if TYPE_CHECKING:
    from unisono.store.artifacts import Artifact
    from unisono.store.registry import Registry

HELP = "Look into the file of a version, take it out of the registry, or bring it into one."

SHOW_EXAMPLES = ("unisono artifact show late.zip", "unisono artifact show late.zip --trust release.pub.pem")
EXPORT_EXAMPLES = ("unisono artifact export late late.zip", "unisono artifact export late late.zip --version 3f2a91")
IMPORT_EXAMPLES = ("unisono artifact import late.zip", 'unisono artifact import late.zip --why "from staging"')
SHOW_FIELDS = {
    "predictor": "its name",
    "id": "of the version, made from the content: 32 hexadecimal digits",
    "format": "of the artifact, a number",
    "bytes": "of all files together",
    "files": "of each: name, bytes, sha256",
    "signers": "fingerprints of the keys that signed it; every signature was found right",
}
EXPORT_FIELDS = {
    "predictor": "its name",
    "version": "id of the version",
    "out": "the file written",
    "bytes": "of that file",
    "signers": "fingerprints of the keys that signed it",
}
IMPORT_FIELDS = {
    "predictor": "its name",
    "version": "id of the version, which does not answer until it is promoted",
    "artifact": "where it is kept now",
    "signers": "fingerprints of the keys that signed it",
}

ArtifactFile = Annotated[Path, Parameter(help="File of an artifact.")]
Trust = Annotated[
    tuple[Path, ...],
    option("FILE", "PEM file of a public key that has to have signed it; several: one of them. Default: none has to."),
    Parameter(negative=""),
]


def show(file: ArtifactFile, /, *, trust: Trust = (), common: Reporting = REPORTING_DEFAULTS) -> Answer:
    """Judge an artifact and show what it is: predictor, id, files with sizes and hashes, and who signed it.

    Everything that is checked before an artifact is used is checked: sizes, names, hashes, signatures, specs, graphs.
    Nothing of it is built, run or unpacked, so it is safe to look at one that you would not use. A file that is refused
    is told with the reason, and exit code 5.
    """
    from unisono.store.artifacts import describe

    artifact = _read(file, trust)
    described = describe(artifact)
    signers = [one.fingerprint for one in artifact.signatures]
    sizes = prose.table(
        [("file", "bytes", "sha256"), *((name, len(one), _sha256(one)) for name, one in artifact.files.items())]
    )
    facts = prose.table(
        [("predictor", artifact.predictor), ("id", artifact.id), ("signed by", ", ".join(signers) or "nobody")]
    )
    return Answer(described, f"{facts}\n{sizes}")


def export(
    predictor: PredictorName,
    file: Annotated[Path, Parameter(help="File to write, which is not there yet.")],
    /,
    *,
    version: Annotated[
        str, option("VERSION", "Id of the version, its first digits, or an alias. Default: champion.")
    ] = "champion",
    common: Common = COMMON_DEFAULTS,
) -> Answer:
    """Write a version of a predictor as one file, with its signatures.

    The file is the artifact as the registry keeps it, judged and checked against its id on the way; any tool for zip
    files can look into it. The same version is the same bytes, wherever it is exported. No file is written over.
    """
    with closing(_registry(common)) as registry:
        artifact = registry.artifact(registry.version(predictor, version))
    content = artifact.to_bytes()
    _write_new(file, content)
    signers = [one.fingerprint for one in artifact.signatures]
    data = {"predictor": predictor, "version": artifact.id, "out": str(file), "bytes": len(content), "signers": signers}
    return Answer(data, f"wrote version {artifact.id} of {predictor} to {file}: {len(content)} bytes")


def import_(
    file: ArtifactFile,
    /,
    *,
    trust: Trust = (),
    by: Annotated[str | None, option("NAME", "Who does it, for the history. Default: your login name.")] = None,
    why: Annotated[str, option("TEXT", "For what reason, for the history. Default: none is given.")] = "",
    common: Common = COMMON_DEFAULTS,
) -> Answer:
    """Bring an artifact into the registry as a version of its predictor.

    It is judged first, and kept only if nothing is wrong with it and a trusted key has signed it, where the project or
    --trust asks for that. It keeps its id. Which version answers stays as it is, until `unisono models promote`.
    """
    artifact = _read(file, trust)
    with closing(_registry(common)) as registry:
        version = registry.add(artifact, by=by, why=why)
    signers = [one.fingerprint for one in artifact.signatures]
    data = {"predictor": version.predictor, "version": version.id, "artifact": version.artifact, "signers": signers}
    step = f"`unisono models promote {version.predictor} {version.id[:12]}` lets it answer"
    return Answer(data, f"imported version {version.id} of {version.predictor}; {step}")


def _registry(common: Common) -> Registry:
    from unisono.drivers.config import read_config
    from unisono.drivers.registries import open_registry

    root = common.project.resolve()
    return open_registry(root, read_config(root))


def _read(file: Path, trust: tuple[Path, ...]) -> Artifact:
    from unisono.store.artifacts import Limits, read_artifact

    most = Limits().artifact_bytes
    trusted = [read_key(path) for path in trust] or None
    try:
        with file.open("rb") as opened:
            data = opened.read(most + 1)
    except OSError as error:
        raise StoreError(f"{file}: {error.strerror}; allowed: the file of an artifact; correct the path") from error
    return read_artifact(data, trusted=trusted)


def _sha256(content: bytes) -> str:
    from hashlib import sha256

    return sha256(content).hexdigest()


def _write_new(path: Path, content: bytes) -> None:
    """Write a file whole, or none."""
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError as error:
        raise InputError(f"{path}: is there already; allowed: a file that is not there; choose another name") from error
    except OSError as error:
        path.unlink(missing_ok=True)
        raise StoreError(f"{path}: {error.strerror}; nothing is left of it; make room and run again") from error
