"""The program for devices that the documents show compiles, links with the kernel alone, and gives the answer."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from unisono.kernel.integer.encoder import Encoder
from unisono.kernel.integer.network import Embedding, Network, Pool
from unisono.kernel.integer.packing import packed
from unisono.kernel.library import FILES, FOLDER

PAGE = Path(__file__).parents[3] / "docs" / "integer-kernel.md"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="its loader looks elsewhere")
def test_the_program_in_the_documents_answers_as_the_encoder_does(tmp_path: Path) -> None:
    vectors = np.arange(12, dtype=np.int8).reshape(3, 4)
    words = Embedding("words", vectors, np.full(3, 100, np.int32), np.zeros((8, 4), np.int32))
    network = Network((words, Pool("mean", 0, "mean")), 0, 1.0)
    (tmp_path / "network").write_bytes(packed(network))
    [program] = re.findall(r"^```c\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    (tmp_path / "device.c").write_text(program)
    library = FOLDER / FILES[sys.platform]
    command = [sys.executable, "-m", "ziglang", "cc", "-Wall", "-Werror", "-o", "device", "device.c", str(library)]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    environment = {**os.environ, "LD_LIBRARY_PATH": str(library.parent), "DYLD_LIBRARY_PATH": str(library.parent)}
    done = subprocess.run(
        [str(tmp_path / "device"), "network"], cwd=tmp_path, env=environment, check=True, capture_output=True, text=True
    )
    assert [int(number) for number in done.stdout.split()] == Encoder(network).answer([0, 2, 1]).ravel().tolist()
