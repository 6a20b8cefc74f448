"""The files of tokenizers in an artifact: `tokenizer/COLUMN.json`, and `tokenizer/COLUMN.golden.json` to try it by."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from unisono.models.tokens import Tokenizer
from unisono.spec.errors import ModelError
from unisono.spec.wording import is_name, one_line, quoted

FORMAT = 1

_FILE = re.compile(r"tokenizer/(?P<column>[A-Za-z0-9_]+)\.json")

TEXTS = (
    *("", " ", "a", "A short sentence.", "don't  STOP\tnow\n", "1,234.5 % of 10\N{SUPERSCRIPT TWO}"),
    *("na\u00efve", "nai\u0308ve", "stra\u00dfe", "\ufb01ne \uff21\uff22", "\x00\x07\ufffd\u200b\u00a0x"),
    *("\u6771\u4eac\u306b\u3044\u308b", "\uc548\ub155", "\u0645\u0631\u062d\u0628\u0627", "\u0928\u092e\u0938\u094d"),
    *("\N{GRINNING FACE}\N{ZERO WIDTH JOINER}\N{WHITE SMILING FACE}", "https://example.org/a?b=c#d @you #tag"),
    *("[CLS] [SEP] <s> </s> <unk>", "antidisestablishmentarianism" * 8, "one two three " * 700, "z" * 300),
)
"""Texts that tokenizers differ on: spaces, cases, accents, scripts, signs, special tokens, length."""


class _Golden(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Texts with their token ids."""

    format: int
    texts: list[str]
    ids: list[list[int]]


def files_of(column: str, tokenizer: Tokenizer) -> dict[str, bytes]:
    """What an artifact keeps of a column's tokenizer: name -> content."""
    golden = _Golden(FORMAT, list(TEXTS), [tokenizer.ids(text) for text in TEXTS])
    return {f"tokenizer/{column}.json": tokenizer.content, _golden_name(column): msgspec.json.encode(golden)}


def tokenizers_of(files: Mapping[str, bytes]) -> dict[str, Tokenizer]:
    """Column -> tokenizer, of the files of an artifact.

    Raises ModelError for a file that is no tokenizer, or one that makes other ids here than where it was registered.
    """
    found = ((_FILE.fullmatch(name), content) for name, content in files.items())
    made = {match["column"]: Tokenizer(content) for match, content in found if match and is_name(match["column"])}
    for column, tokenizer in made.items():
        _try(column, tokenizer, files)
    return made


def _golden_name(column: str) -> str:
    return f"tokenizer/{column}.golden.json"


def _try(column: str, tokenizer: Tokenizer, files: Mapping[str, bytes]) -> None:
    name = _golden_name(column)
    golden = _read(name, files.get(name, b""))
    for text, wanted in zip(golden.texts, golden.ids, strict=True):
        if tokenizer.ids(text) != wanted:
            raise ModelError(
                f"{name}: {quoted(text)} has other token ids on this machine than where the version was registered; "
                "allowed: the same ids; install the version of `tokenizers` that its passport names"
            )


def _read(name: str, content: bytes) -> _Golden:
    try:
        golden = msgspec.json.decode(content, type=_Golden)
        if golden.format != FORMAT or len(golden.texts) != len(golden.ids):
            raise ValueError(f"format {golden.format}, {len(golden.texts)} texts, {len(golden.ids)} lists of ids")
    except (msgspec.MsgspecError, ValueError) as error:
        raise ModelError(
            f"{name}: {one_line(error)}; allowed: texts and ids of format {FORMAT}; register the model again"
        ) from error
    return golden
