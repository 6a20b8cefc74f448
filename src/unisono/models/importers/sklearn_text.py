"""scikit-learn's counts of words: a tokenizer that knows the words, and an operator that counts them and their pairs.

What `CountVectorizer` and `TfidfVectorizer` do with a text is done twice over: by the library `tokenizers`, whose file
travels with the graph, from a text to the numbers of its words; and by the graph, from those to counts and weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from onnx import TensorProto

from unisono.models.emit import Emitter
from unisono.models.exponential import sum_in_order
from unisono.models.tokens import MOST_TOKENS, Tokenizer
from unisono.spec.errors import ModelError
from unisono.spec.wording import listing, quoted

KINDS = ("CountVectorizer", "TfidfVectorizer")

_UNKNOWN, _FIRST = "[UNK]", "[CLS]"  # of letters that no word has
_MOST_TIMES = 4095  # that one word counts in one text, where its logarithm is taken

_PATTERNS = {
    r"(?u)\b\w\w+\b": r"[\p{L}\p{N}_]{2,}",
    r"(?u)\b\w+\b": r"[\p{L}\p{N}_]+",
}
"""What Python finds -> what the library's own regular expressions find: its \\w would take in accents, too."""


@dataclass(frozen=True, slots=True)
class Words:
    """The words that are looked for in the texts of a column.

    tokenizer: gives their numbers in the order of a text, after one for its beginning.
    numbers:   word -> its number.
    """

    tokenizer: Tokenizer = field(repr=False)
    numbers: Mapping[str, int] = field(repr=False)


def counted_columns(model: Any, names: Sequence[str]) -> tuple[str, ...]:
    """The columns in whose texts words are counted.

    names: of all its columns.
    """
    counted = (name for name, step in _readers(model, names) if type(step).__name__ in KINDS)
    return tuple(dict.fromkeys(counted))


def words_by_column(model: Any, names: Sequence[str]) -> dict[str, Words]:
    """The words that a model looks for, by column.

    Raises ModelError for texts that are read in other ways, too, and for words that are found in ways of the user's.
    """
    readers = list(_readers(model, names))
    return {
        column: _words(column, [step for name, step in readers if name == column])
        for column in counted_columns(model, names)
    }


def _readers(step: Any, names: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Each of the columns with each of the steps that reads it first."""
    kind = type(step).__name__
    if kind == "Pipeline":
        parts = [part for _, part in step.steps if part not in (None, "passthrough")]
        yield from _readers(parts[0], names) if parts else ()
    elif kind == "FeatureUnion":
        for _, part in step.transformer_list:
            yield from _readers(part, names)
    elif kind == "ColumnTransformer":
        places = step._transformer_to_input_indices
        for name, part, _ in step.transformers_:
            if part != "drop":
                yield from _readers(part, [names[place] for place in places[name]])
    else:
        yield from ((name, step) for name in names)


def _words(column: str, steps: Sequence[Any]) -> Words:
    for step in steps:
        for seen, allowed in _faults(step):
            raise ModelError(f"model: {type(step).__name__} with {seen}; allowed: {allowed}; fit it so")
    ways = {(step.token_pattern, bool(step.lowercase)) for step in steps}
    if len(ways) > 1:
        raise ModelError(
            f'model: "{column}" is cut into words in {len(ways)} ways; allowed: one token_pattern and one lowercase '
            "for each column; fit it so"
        )
    ((pattern, lowercase),) = ways
    found = sorted({word for step in steps for term in step.vocabulary_ for word in term.split(" ")})
    numbers = {word: place for place, word in enumerate(found, 2)}
    return Words(Tokenizer(_tokenizer(numbers, _PATTERNS[pattern], lowercase=lowercase)), numbers)


def _faults(step: Any) -> Iterator[tuple[str, str]]:
    """What is not said in a graph: (what was seen, what is allowed)."""
    kind = type(step).__name__
    if kind not in KINDS:
        yield "a text whose words are counted by another step", "one or the other"
        return
    if not hasattr(step, "vocabulary_"):
        yield "no words", "a fitted one"
    fixed = {"analyzer": "word", "tokenizer": None, "preprocessor": None, "strip_accents": None, "input": "content"}
    for name, value in fixed.items():
        if getattr(step, name) != value:
            yield f"{name} {quoted(getattr(step, name))}", f"{value!r}: no function of Python's"
    if step.token_pattern not in _PATTERNS:
        yield f"token_pattern {quoted(step.token_pattern)}", listing(quoted(one) for one in _PATTERNS)
    if step.stop_words is not None and step.ngram_range[1] > 1:
        yield "stop_words and pairs of words", "one of the two: pairs go over the words that are left out"


def _tokenizer(numbers: Mapping[str, int], pattern: str, *, lowercase: bool) -> bytes:
    first = {"SpecialToken": {"id": _FIRST, "type_id": 0}}
    document: dict[str, Any] = {
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": MOST_TOKENS, "strategy": "LongestFirst", "stride": 0},
        "padding": None,
        "added_tokens": [],
        "normalizer": {"type": "Lowercase"} if lowercase else None,
        "pre_tokenizer": {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Removed", "invert": True},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [first, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [first, {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {_FIRST: {"id": _FIRST, "ids": [1], "tokens": [_FIRST]}},
        },
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": {_UNKNOWN: 0, _FIRST: 1, **numbers}, "unk_token": _UNKNOWN},
    }
    return msgspec.json.encode(document)


def emit_counts(emit: Emitter, step: Any, tokens: str, words: Words) -> str:
    """How often each of a vectorizer's terms is in each text, weighed as it weighs: float64, rows x terms.

    tokens: the numbers of the words, int64, rows x words.
    """
    pool, starts, places = _terms(step.vocabulary_, words.numbers)
    counted = emit(
        "TfIdfVectorizer",
        tokens,
        mode="TF",
        min_gram_length=1,
        max_gram_length=len(starts),
        max_skip_count=0,
        ngram_counts=starts,
        ngram_indexes=places,
        pool_int64s=pool,
    )
    if step.binary:
        counted = emit("Cast", counted, to=TensorProto.BOOL)
    counts = emit("Cast", counted, to=TensorProto.DOUBLE)
    return emit_weights(emit, step._tfidf, counts) if type(step).__name__ == "TfidfVectorizer" else counts


def _terms(vocabulary: Mapping[str, int], numbers: Mapping[str, int]) -> tuple[list[int], list[int], list[int]]:
    """All terms' word numbers one after the other, the shortest first; where those of 1, 2, ... words begin; and each
    term's column."""
    terms = sorted((len(term.split(" ")), int(place), term) for term, place in vocabulary.items())
    longest = terms[-1][0]
    pool: list[int] = []
    starts = []
    for length in range(1, longest + 1):
        starts.append(len(pool))
        pool += [numbers[word] for own, _, term in terms if own == length for word in term.split(" ")]
    return pool, starts, [place for _, place, _ in terms]


def emit_weights(emit: Emitter, step: Any, counts: str) -> str:
    """What a TfidfTransformer makes of counts."""
    if step.sublinear_tf:
        times = emit("Cast", emit("Min", counts, emit.constant(float(_MOST_TIMES))), to=TensorProto.INT64)
        counts = emit("Gather", emit.constant(_damped()), times)
    if step.use_idf:
        counts = emit("Mul", counts, emit.constant(np.asarray(step.idf_, np.float64)))
    if step.norm is None:
        return counts
    if step.norm == "l2":
        length = emit("Sqrt", sum_in_order(emit, emit("Mul", counts, counts), axis=1))
    else:
        length = sum_in_order(emit, emit("Abs", counts), axis=1)
    nothing = emit("Equal", length, emit.constant(0.0))
    return emit("Div", counts, emit("Where", nothing, emit.constant(1.0), length))


def _damped() -> Any:
    """1 + log(n) for n from 0, where it is 0."""
    return np.concatenate([[0.0], 1.0 + np.log(np.arange(1.0, _MOST_TIMES + 1))])


def texts_of(column: Iterable[str | None]) -> list[str]:
    """Texts as a vectorizer takes them: a missing one is empty."""
    return [text or "" for text in column]
