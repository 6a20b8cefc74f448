"""Texts as the token ids that a language model reads. The one module that uses the library `tokenizers`.

A tokenizer is a file in the library's own format; what is in it is judged before anything is built of it. It says where
a text is cut off, and never fills one up: each row has its own length.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

import msgspec
import numpy as np

from unisono.models.ragged import Tensor, ragged
from unisono.spec.errors import ModelError
from unisono.spec.wording import listing, one_line, quoted

MOST_BYTES = 64 << 20
"""Of a tokenizer's file: ten times the largest vocabulary in use."""

MOST_TOKENS = 1 << 15
"""Of a text, after which it is cut off."""

MOST_CHARACTERS = 1 << 16
"""Of a text that are looked at, or 16 a token if that is more: a server has to answer in time."""

_PARTS = (
    *("added_tokens", "decoder", "model", "normalizer", "padding"),
    *("post_processor", "pre_tokenizer", "truncation", "version"),
)
_MODELS = ("BPE", "Unigram", "WordLevel", "WordPiece")
_STEPS = {
    "normalizer": """
        BertNormalizer ByteLevel Lowercase NFC NFD NFKC NFKD Nmt Precompiled Prepend Replace Sequence Strip StripAccents
    """,
    "pre_tokenizer": """
        BertPreTokenizer ByteLevel CharDelimiterSplit Digits FixedLength Metaspace Punctuation Sequence Split
        UnicodeScripts Whitespace WhitespaceSplit
    """,
    "post_processor": "BertProcessing ByteLevel RobertaProcessing Sequence TemplateProcessing",
}
_NESTED = ("normalizers", "pretokenizers", "processors")
_MOST_PATTERN = 1000  # characters of a regular expression
_MOST_GROWTH = 64  # of a text, by what is put in the place of something else


class Tokenizer:
    """Makes token ids of texts: the same ones in every driver, whatever stands beside a text.

    content: of a tokenizer.json that says `truncation` and no `padding`.

    Threads may share it. Raises ModelError if it is no such file, or the library is not there.
    """

    __slots__ = ("_characters", "_encode", "content", "length")

    def __init__(self, content: bytes) -> None:
        document = _judged(content)
        self.content = content
        self.length: int = document["truncation"]["max_length"]
        self._characters = max(MOST_CHARACTERS, 16 * self.length)
        self._encode = _built(content).encode
        if not self.ids(""):
            raise _refused("no token for an empty text", "one that adds a first or last token (a post_processor)")

    def ids(self, text: str) -> list[int]:
        """The token ids of one text: 1 to `length` of them. Raises ModelError if the tokenizer cannot say any."""
        try:
            found: list[int] = self._encode(text[: self._characters]).ids
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # as of a vocabulary without a token that is needed; panics are no Exception
            raise _refused(one_line(error), "one with tokens for every text") from error
        return found

    def column(self, texts: Iterable[str]) -> Tensor:
        """The token ids of some texts: an array of arrays, int64, each as long as its text."""
        return ragged([np.array(self.ids(text), np.int64) for text in texts])


def _judged(content: bytes) -> Mapping[str, Any]:
    """The document, if unisono builds such a tokenizer; ModelError that says why not."""
    if len(content) > MOST_BYTES:
        raise _refused(f"{len(content)} bytes", f"{MOST_BYTES}")
    try:
        document = msgspec.json.decode(content, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _refused(one_line(error), "a JSON object") from error
    fault = next(_faults(document), None)
    if fault is not None:
        raise _refused(*fault)
    return document


def _faults(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is wrong, and what is allowed."""
    if unknown := [part for part in document if part not in _PARTS]:
        yield f"{quoted(unknown[0])} in it", listing(_PARTS)
    if not _is_truncation(document.get("truncation")):
        yield (
            f"truncation {quoted(document.get('truncation'))}",
            f"max_length from 1 to {MOST_TOKENS}, direction Right, strategy LongestFirst, stride 0",
        )
    if document.get("padding") is not None:
        yield f"padding {quoted(document['padding'])}", "null: no text is filled up"
    model = document.get("model")
    if not isinstance(model, dict) or model.get("type") not in _MODELS:
        yield "a model of another kind", listing(_MODELS)
    elif model.get("dropout"):
        yield f"dropout {model['dropout']}", "null: the same ids for the same text"
    for part, allowed in _STEPS.items():
        yield from _faults_of_step(part, document.get(part), allowed.split())
    if (growth := _growth(document.get("normalizer"))) > _MOST_GROWTH:
        yield f"a normalizer that can make a text {growth} times as long", f"{_MOST_GROWTH} times"


def _is_truncation(value: object) -> bool:
    if not isinstance(value, dict) or type(value.get("max_length")) is not int:
        return False
    rest = (value.get("direction", "Right"), value.get("strategy"), value.get("stride"))
    return 1 <= value["max_length"] <= MOST_TOKENS and rest == ("Right", "LongestFirst", 0)


def _faults_of_step(part: str, step: object, allowed: Sequence[str]) -> Iterator[tuple[str, str]]:
    if step is None:
        return
    if not isinstance(step, dict) or step.get("type") not in allowed:
        kind = step.get("type") if isinstance(step, dict) else step
        yield f"{part} {quoted(kind)}", listing(allowed)
        return
    pattern = step.get("pattern")
    if isinstance(pattern, dict) and len(str(pattern.get("Regex", ""))) > _MOST_PATTERN:
        yield f"{part}: a pattern of {len(str(pattern['Regex']))} characters", f"{_MOST_PATTERN}"
    for name in _NESTED:
        inner = step.get(name)
        for one in inner if isinstance(inner, list) else ():
            yield from _faults_of_step(part, one, allowed)


def _growth(step: object) -> int:
    """How many times as long its replacements can make a text: they follow each other, so their lengths multiply."""
    if not isinstance(step, dict):
        return 1
    content, inner = step.get("content"), step.get("normalizers")
    growth = 1 + len(content) if isinstance(content, str) and content else 1
    for one in inner if isinstance(inner, list) else ():
        growth *= _growth(one)
    return growth


def _built(content: bytes) -> Any:
    library = _library()
    try:
        return library.Tokenizer.from_str(content.decode())
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # the library's own; its panics are no Exception
        raise _refused(one_line(error), "a tokenizer.json") from error


def _library() -> ModuleType:
    try:
        import tokenizers
    except ImportError as error:
        raise ModelError(
            "tokenizer: this model reads text, and the library `tokenizers` is not installed; allowed: with it; "
            "run `pip install 'unisono[text]'`"
        ) from error
    return tokenizers


def _refused(seen: str, allowed: str) -> ModelError:
    return ModelError(f"tokenizer: {seen}; allowed: {allowed}; register the model again, with such a tokenizer")
