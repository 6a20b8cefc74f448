"""MLServer: a runtime of the Open Inference Protocol, in the server's own process: `mlserver start FOLDER`.

Its adaptive batching is on in `mlserver/model-settings.json`.
"""

# mypy: disable-error-code="import-not-found, misc, unused-ignore"

from __future__ import annotations

import numpy as np
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse

from benchmarks.serving.peers.model import open_model


class Scores(MLModel):
    async def load(self) -> bool:
        self.model = open_model()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        found = self.model(NumpyCodec.decode_input(payload.inputs[0]))
        output = NumpyCodec.encode_output("probability", np.array(found))
        return InferenceResponse(model_name=self.name, outputs=[output])
