"""NNCF in an environment of its own: python nncf_process.py NETWORK.onnx CALIBRATION.npz OUT.xml"""

import sys

import numpy as np


def main(network: str, calibration: str, out: str) -> None:
    """Writes the quantised network beside its weights."""
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # it sends, and writes into the home folder
    import nncf  # type: ignore[import-not-found]  # in an environment of its own
    import openvino

    with np.load(calibration) as arrays:
        rows = list(arrays.values())
    model = openvino.Core().read_model(network)
    made = nncf.quantize(model, nncf.Dataset(rows), model_type=nncf.ModelType.TRANSFORMER, subset_size=len(rows))
    openvino.save_model(made, out, compress_to_fp16=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
