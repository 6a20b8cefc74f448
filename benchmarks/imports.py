"""What `import unisono` costs: whole processes against a Python that does nothing, and the heavy modules it loads."""

from __future__ import annotations

from statistics import median

from benchmarks.harness import ask_process, finish, parser, run_process, say

TARGET_S = 0.3
HEAVY = (
    "grpc", "lightgbm", "llvmlite", "lmdb", "matplotlib", "msgspec", "ndonnx", "numba", "numpy", "onnx", "onnxruntime",
    "pandas", "polars", "pyarrow", "scipy", "sklearn", "spox", "sqlalchemy", "uvicorn",
)  # fmt: skip
FORBIDDEN = {"numba", "onnxruntime", "polars"}
IMPORT = ["-c", "import unisono"]
NOTHING = ["-c", "pass"]
LIST = ["-c", "import sys, json, unisono; print(json.dumps({'loaded': sorted(sys.modules)}))"]


def loaded_heavy_modules() -> list[str]:
    loaded = ask_process(LIST)["loaded"]
    assert isinstance(loaded, list)
    return [name for name in HEAVY if name in loaded]


def measure(runs: int) -> tuple[float, float]:
    """Median wall seconds of a process that imports unisono, and of one that does not, in turn, after one of each."""
    pairs = [(run_process(IMPORT), run_process(NOTHING)) for _ in range(runs + 1)][1:]
    return median(ours.wall_s for ours, _ in pairs), median(bare.wall_s for _, bare in pairs)


def main() -> None:
    arguments = parser(str(__doc__), runs=10, workload=False).parse_args()
    heavy = loaded_heavy_modules()
    say(f"  heavy modules loaded: {', '.join(heavy) or 'none'}")
    unisono_s, bare_s = measure(arguments.runs)
    result = {
        "benchmark": "imports",
        "runs": arguments.runs,
        "unisono_s": round(unisono_s, 4),
        "bare_s": round(bare_s, 4),
        "import_s": round(unisono_s - bare_s, 4),
        "target_s": TARGET_S,
        "heavy_modules": heavy,
        "met": unisono_s - bare_s < TARGET_S and not FORBIDDEN & set(heavy),
    }
    finish(result, as_json=arguments.json)


if __name__ == "__main__":
    main()
