"""An integer graph in onnxruntime on several machines: this one, two other processors by emulation, WebAssembly."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.compress.elsewhere import browser_runtime, emulator
from benchmarks.edge_transformers.arm import PROCESSOR, NotHereError, arm_python

Rows = Sequence[Sequence[int]]
"""Token ids, a text each."""

Answers = list[bytes]
"""The int32 numbers of each text's answer."""

Ask = Callable[[bytes, Rows], Answers]

_PYTHON = """
import json, os, sys
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import numpy, onnxruntime
graph, rows, found = sys.argv[1:]
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = options.inter_op_num_threads = 1
options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
session = onnxruntime.InferenceSession(graph, options, ["CPUExecutionProvider"])
said = [session.run(None, {"given": numpy.array([row], numpy.int64)})[0] for row in json.load(open(rows))]
json.dump([one.astype("<i4").tobytes().hex() for one in said], open(found, "w"))
"""

_NODE = """
const fs = require("fs");
const ort = require("onnxruntime-web");
ort.env.wasm.numThreads = 1;
ort.env.logLevel = "error";
(async () => {
  const [graph, rows, found] = process.argv.slice(2);
  const options = {executionProviders: ["wasm"], graphOptimizationLevel: "basic"};
  const session = await ort.InferenceSession.create(new Uint8Array(fs.readFileSync(graph)), options);
  const said = [];
  for (const row of JSON.parse(fs.readFileSync(rows))) {
    const given = new ort.Tensor("int64", BigInt64Array.from(row.map(BigInt)), [1, row.length]);
    const one = (await session.run({given})).answer.data;
    said.push(Buffer.from(one.buffer, one.byteOffset, one.byteLength).toString("hex"));
  }
  fs.writeFileSync(found, JSON.stringify(said));
})();
"""


HERE = "onnxruntime on this processor"
HASWELL = "onnxruntime on a Haswell, emulated: without VNNI and AVX-512"
ARM = f"onnxruntime on 64-bit ARM, emulated: {PROCESSOR}"
BROWSER = "onnxruntime in WebAssembly"


def runtime(name: str, folder: Path) -> Ask:
    """One of NAMES.

    folder: for its files; what is there is used again.

    Raises NotHereError if it cannot be had on this machine.
    """
    return _OPENERS[name](folder)


def _here(folder: Path) -> Ask:
    return _asks([sys.executable, "-c", _PYTHON], folder)


def _haswell(folder: Path) -> Ask:
    program = emulator()
    if program is None:
        raise NotHereError("no qemu-x86_64 (Debian: qemu-user-static)")
    return _asks([program, "-cpu", "Haswell", sys.executable, "-c", _PYTHON], folder)


def _arm(folder: Path) -> Ask:
    command, environment = arm_python(folder / "arm")
    return _asks([*command, "-c", _PYTHON], folder, environment)


def _browser(folder: Path) -> Ask:
    modules = folder / "browser"
    modules.mkdir(parents=True, exist_ok=True)
    if browser_runtime(modules) is None:
        raise NotHereError("no node or npm, or npm does not get onnxruntime-web")
    (modules / "run.js").write_text(_NODE)
    return _asks(["node", str(modules / "run.js")], folder)


_OPENERS: dict[str, Callable[[Path], Ask]] = {HERE: _here, BROWSER: _browser, ARM: _arm, HASWELL: _haswell}
NAMES = tuple(_OPENERS)


def _asks(command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> Ask:
    def ask(graph: bytes, rows: Rows) -> Answers:
        places = [folder / name for name in ("graph.onnx", "rows.json", "found.json")]
        places[0].write_bytes(graph)
        places[1].write_text(json.dumps([list(map(int, row)) for row in rows]))
        variables = {**os.environ, "OPENBLAS_NUM_THREADS": "1"} if environment is None else dict(environment)
        subprocess.run([*command, *map(str, places)], check=True, env=variables, capture_output=True, timeout=3000)
        return [bytes.fromhex(one) for one in json.loads(places[2].read_text())]

    return ask
