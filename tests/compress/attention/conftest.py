"""What attention is replaced in."""

from __future__ import annotations

import pytest

from tests.compress.attention.nets import Tokens, tokenizer
from tests.compress.conftest import Case, case_of, data_of, text_rows, trained
from tests.compress.nets import CLASSES
from unisono.compress.subject import Subject
from unisono.spec.types import DType, String


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """An encoder of PyTorch's own layers that reads the same texts as `texts`."""
    import torch

    from unisono.compress.modules.model import torch_model

    folder = tmp_path_factory.mktemp("encoder")
    inputs: dict[str, DType] = {"text": String}
    torch.manual_seed(0)
    model = torch_model((Tokens(), tokenizer()), inputs, None)
    data = data_of(text_rows(), inputs, CLASSES)
    return case_of(folder, trained(Subject(torch=model), data, folder, epochs=8, rate=3e-3), data)
