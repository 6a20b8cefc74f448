"""FastAPI on uvicorn with uvloop and httptools, the model on the loop: quicker than a thread for a model this quick."""

from __future__ import annotations

import uvicorn
from fastapi import FastAPI

from benchmarks.serving.peers.forms import Answer, Row, values
from benchmarks.serving.peers.model import HOST, open_model, port

application = FastAPI()
model = open_model()


@application.post("/predict")
async def predict(row: Row) -> Answer:
    return Answer(probability=model([values(row)])[0])


if __name__ == "__main__":
    uvicorn.run(
        application,
        host=HOST,
        port=port(),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )
