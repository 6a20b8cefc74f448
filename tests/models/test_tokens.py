"""Tokenizers: what is in their file is judged, and what they say on one machine they say on each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import pytest

import unisono as un
from unisono.models.ragged import is_ragged, ragged
from unisono.models.tokenizer_files import TEXTS, files_of, tokenizers_of
from unisono.models.tokens import MOST_BYTES, MOST_CHARACTERS, Tokenizer

Document = dict[str, Any]


def document() -> Document:
    """Words, and pieces of them."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "good", "film", "##s", "!"]
    ends = [{"SpecialToken": {"id": name, "type_id": 0}} for name in ("[CLS]", "[SEP]")]
    single = [ends[0], {"Sequence": {"id": "A", "type_id": 0}}, ends[1]]
    special = {name: {"id": name, "ids": [place], "tokens": [name]} for name, place in (("[CLS]", 2), ("[SEP]", 3))}
    return {
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 6, "strategy": "LongestFirst", "stride": 0},
        "padding": None,
        "added_tokens": [],
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "Lowercase"}]},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": single,
            "pair": single,
            "special_tokens": special,
        },
        "decoder": None,
        "model": {
            "type": "WordPiece",
            "unk_token": "[UNK]",
            "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100,
            "vocab": {word: place for place, word in enumerate(words)},
        },
    }


def tokenizer(**changes: Any) -> Tokenizer:
    return Tokenizer(msgspec.json.encode({**document(), **changes}))


def test_a_text_becomes_ids_with_a_first_and_a_last_and_no_more_than_the_length() -> None:
    made = tokenizer()
    assert made.ids("A good film!") == [2, 4, 5, 6, 8, 3]
    assert made.ids("films") == [2, 6, 7, 3]
    assert made.ids("") == [2, 3]
    assert made.ids("a a a a a a a a") == [2, 4, 4, 4, 4, 3]


def test_a_text_that_has_no_token_is_refused() -> None:
    lacking = {**document()["model"], "vocab": {"[CLS]": 2, "[SEP]": 3}, "type": "WordLevel"}
    made = tokenizer(model={name: lacking[name] for name in ("type", "vocab", "unk_token")})
    assert made.ids("") == [2, 3]
    with pytest.raises(un.ModelError, match=r"tokenizer: .*; allowed: one with tokens for every text; register"):
        made.ids("film")


def test_a_column_keeps_each_length() -> None:
    column = tokenizer().column(["films", "", "a"])
    assert [row.tolist() for row in column] == [[2, 6, 7, 3], [2, 3], [2, 4, 3]]
    assert all(row.dtype == np.int64 for row in column) and column.shape == (3,)
    assert tokenizer().column([]).shape == (0,)


def test_equal_rows_are_still_an_array_of_arrays() -> None:
    equal = ragged([np.array([1, 2]), np.array([3, 4])])
    assert equal.shape == (2,) and is_ragged(equal) and is_ragged(equal[:1])
    assert not is_ragged(np.array(["a"], object))


def test_of_a_very_long_text_only_the_beginning_is_looked_at() -> None:
    made = tokenizer()
    assert made.ids(" " * (MOST_CHARACTERS - 1) + "a") == [2, 4, 3]
    assert made.ids(" " * MOST_CHARACTERS + "a") == [2, 3]


def changed(part: str, name: str, value: object) -> Callable[[], Document]:
    return lambda: {**document(), part: {**document()[part], name: value}}


_DOUBLED = {"type": "Replace", "pattern": {"String": "a"}, "content": "aa"}

UNSOUND: dict[str, tuple[Callable[[], object], str]] = {
    "no object": (lambda: [1], "allowed: a JSON object"),
    "an unknown part": (lambda: {**document(), "code": "import os"}, '"code" in it; allowed: added_tokens'),
    "no truncation": (lambda: {**document(), "truncation": None}, "truncation None .*; allowed: max_length from 1"),
    "too long": (changed("truncation", "max_length", 10**9), "max_length from 1 to 32768"),
    "no length": (changed("truncation", "max_length", 0), "max_length from 1 to 32768"),
    "true as a length": (changed("truncation", "max_length", True), "max_length from 1 to 32768"),
    "a stride": (changed("truncation", "stride", 1), "stride 0"),
    "cut off at the left": (changed("truncation", "direction", "Left"), "direction Right"),
    "padding": (lambda: {**document(), "padding": {"strategy": "BatchLongest"}}, "null: no text is filled up"),
    "an unknown model": (changed("model", "type", "Neural"), "allowed: BPE, Unigram, WordLevel, WordPiece"),
    "a model that draws": (changed("model", "dropout", 0.1), "dropout 0.1; allowed: null"),
    "an unknown step": (
        lambda: {**document(), "normalizer": {"type": "Sequence", "normalizers": [{"type": "Shell"}]}},
        'normalizer "Shell"; allowed: BertNormalizer',
    ),
    "a long pattern": (
        lambda: {**document(), "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "a" * 1001}}},
        "a pattern of 1001 characters; allowed: 1000",
    ),
    "replacements that multiply": (
        lambda: {**document(), "normalizer": {"type": "Sequence", "normalizers": [_DOUBLED] * 7}},
        "a normalizer that can make a text 2187 times as long; allowed: 64 times",
    ),
    "what the library panics at": (changed("post_processor", "special_tokens", {}), "allowed: "),
    "what the library refuses": (changed("model", "vocab", [1]), "allowed: a tokenizer.json"),
    "no first or last token": (
        lambda: {**document(), "post_processor": None},
        "no token for an empty text; allowed: one that adds a first or last token",
    ),
}


@pytest.mark.parametrize("name", UNSOUND)
def test_an_unsound_file_is_refused(name: str) -> None:
    make, message = UNSOUND[name]
    with pytest.raises(un.ModelError, match=f"tokenizer: .*{message}.*; register the model again"):
        Tokenizer(msgspec.json.encode(make()))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "truncated"),
        (b"[" * 100_000, "allowed: a JSON object"),
        (b'{"version": "\xff"}', "allowed: a JSON object"),
        (bytes(MOST_BYTES + 1), f"allowed: {MOST_BYTES}"),
    ],
    ids=["nothing", "brackets", "not UTF-8", "too large"],
)
def test_bytes_that_are_no_file_are_refused(content: bytes, message: str) -> None:
    with pytest.raises(un.ModelError, match=message):
        Tokenizer(content)


def test_the_files_of_an_artifact_give_the_tokenizer_back() -> None:
    files = files_of("text", tokenizer())
    assert sorted(files) == ["tokenizer/text.golden.json", "tokenizer/text.json"]
    loaded = tokenizers_of({**files, "graph.onnx": b""})
    assert [*loaded] == ["text"]
    assert [loaded["text"].ids(text) for text in TEXTS] == [tokenizer().ids(text) for text in TEXTS]


def test_a_machine_that_makes_other_ids_is_refused() -> None:
    files = files_of("text", tokenizer())
    other = tokenizer(normalizer=None)
    with pytest.raises(un.ModelError, match=r"A short sentence.*has other token ids on this machine"):
        tokenizers_of({**files, "tokenizer/text.json": other.content})


@pytest.mark.parametrize(
    "content", [None, b"{}", b'{"format":2,"texts":[],"ids":[]}', b'{"format":1,"texts":["a"],"ids":[]}']
)
def test_a_tokenizer_without_its_golden_texts_is_refused(content: bytes | None) -> None:
    files = files_of("text", tokenizer())
    del files["tokenizer/text.golden.json"]
    extra = {} if content is None else {"tokenizer/text.golden.json": content}
    with pytest.raises(un.ModelError, match=r"text\.golden\.json: .*; allowed: texts and ids of format 1"):
        tokenizers_of({**files, **extra})
