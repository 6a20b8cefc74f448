"""The same graph on other machines: a processor without VNNI and AVX-512, by emulation, and WebAssembly."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PYTHON = """
import json, sys
import numpy as np
from unisono.models.session import Runner

graph, feeds, found = sys.argv[1:]
run = Runner(open(graph, "rb").read())
said = [run(dict(np.load(one))) for one in json.loads(feeds)]
json.dump([[one.tobytes().hex() for one in row if one.dtype.kind == "f"] for row in said], open(found, "w"))
"""

_NODE = """
const fs = require("fs");
const ort = require("onnxruntime-web");
ort.env.wasm.numThreads = 1;
ort.env.logLevel = "error";
const kinds = {int64: BigInt64Array, float64: Float64Array, float32: Float32Array};
const tensor = (one) => {
  const bytes = Uint8Array.from(Buffer.from(one.bytes, "hex"));
  return new ort.Tensor(one.kind, new kinds[one.kind](bytes.buffer), one.shape);
};
const hex = (one) => Buffer.from(one.data.buffer, one.data.byteOffset, one.data.byteLength).toString("hex");
(async () => {
  const [graph, feeds, found] = process.argv.slice(2);
  const options = {executionProviders: ["wasm"], graphOptimizationLevel: "basic"};
  const session = await ort.InferenceSession.create(new Uint8Array(fs.readFileSync(graph)), options);
  const rows = JSON.parse(fs.readFileSync(feeds)), said = [];
  for (const row of rows) {
    const given = Object.fromEntries(Object.entries(row).map(([name, one]) => [name, tensor(one)]));
    const answer = await session.run(given);
    said.push(session.outputNames.map((name) => answer[name]).filter((one) => one.type.startsWith("float")).map(hex));
  }
  fs.writeFileSync(found, JSON.stringify(said));
})();
"""

Feeds = Mapping[str, NDArray[Any]]
Bits = list[list[str]]
"""Of each row, its outputs of floats, as hexadecimal digits."""


def here(graph: bytes, rows: Sequence[Feeds]) -> Bits:
    """What this machine says."""
    from unisono.models.session import Runner

    run = Runner(graph)
    return [[one.tobytes().hex() for one in run(row) if one.dtype.kind == "f"] for row in rows]


def emulator() -> str | None:
    """What runs programs as another processor would; None: it is not installed."""
    return shutil.which("qemu-x86_64-static") or shutil.which("qemu-x86_64")


def emulated(graph: bytes, rows: Sequence[Feeds], folder: Path, *, processor: str = "Haswell") -> Bits:
    """What another x86 says. It takes ten times as long or more."""
    for place, row in enumerate(rows):
        arrays: dict[str, Any] = dict(row)
        np.savez(folder / f"{place}.npz", **arrays)
    (folder / "graph.onnx").write_bytes(graph)
    found = folder / "emulated.json"
    feeds = json.dumps([str(folder / f"{place}.npz") for place in range(len(rows))])
    command = [emulator() or "", "-cpu", processor, sys.executable, "-c", _PYTHON, str(folder / "graph.onnx"), feeds]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OPENBLAS_NUM_THREADS": "1"}
    subprocess.run([*command, str(found)], check=True, env=environment, capture_output=True, timeout=1500)
    return _read(found)


def browser_runtime(folder: Path) -> Path | None:
    """A folder with onnxruntime for WebAssembly; None: there is no node or npm, or npm does not get it."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return None
    if not (folder / "node_modules" / "onnxruntime-web").exists():
        install = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "onnxruntime-web"]
        done = subprocess.run(install, cwd=folder, capture_output=True, check=False, timeout=300)
        if done.returncode:
            return None
    return folder


def in_web_assembly(graph: bytes, rows: Sequence[Feeds], folder: Path) -> Bits:
    """What WebAssembly says, in node.

    folder: see `browser_runtime`.
    """
    (folder / "graph.onnx").write_bytes(graph)
    (folder / "run.js").write_text(_NODE)
    told = [{name: _told(one) for name, one in row.items()} for row in rows]
    (folder / "rows.json").write_text(json.dumps(told))
    found = folder / "browser.json"
    command = ["node", "run.js", "graph.onnx", "rows.json", str(found)]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=600)
    return _read(found)


def _told(one: NDArray[Any]) -> dict[str, Any]:
    return {"kind": str(one.dtype), "shape": list(one.shape), "bytes": np.ascontiguousarray(one).tobytes().hex()}


def _read(found: Path) -> Bits:
    bits: Bits = json.loads(found.read_text())
    return bits
