"""The answers to a forest's questions, 64 rows at once: a word a question.

The rows of a feature are dropped into buckets between its thresholds; what is in a bucket or below gets a yes.
"""

from __future__ import annotations

from unisono.kernel.forest import (
    ANSWERS,
    COUNT,
    FEATURE,
    FEATURE_COUNT,
    FEATURE_DEPTH,
    FEATURE_SEARCH,
    FEATURE_WORDS,
    FEATURES,
    FIRST,
    FIRST_MEMBER,
    MATRIX,
    MEMBERS,
    MISSING,
    MISSING_IS_MEMBER,
    QUESTION,
    SEARCH,
    SET_COUNT,
    SET_DEPTH,
    SET_SEARCH,
    SET_WORDS,
    SETS,
    WIDTH,
)
from unisono.kernel.words import bits_float, fill, load, shift_left, store


def ask_all(forest: int, start: int, count: int) -> None:
    """The answers of the rows start..start + count, at most 64."""
    for index in range(load(forest, FEATURE_COUNT)):
        ask_feature(forest, load(forest, FEATURES) + 8 * FEATURE_WORDS * index, start, count)
    for index in range(load(forest, SET_COUNT)):
        ask_set(forest, load(forest, SETS) + 8 * SET_WORDS * index, start, count)


def ask_feature(forest: int, feature: int, start: int, count: int) -> None:
    """Every question about one feature. feature: its place in the table."""
    questions = load(feature, COUNT)
    answers = load(forest, ANSWERS) + 8 * load(feature, FIRST)
    missing = drop_rows(forest, feature, start, count)
    flags = load(forest, MISSING) + 8 * load(feature, FIRST)
    below = 0
    for question in range(questions):
        below |= load(answers, question)
        store(answers, question, below | (missing & load(flags, question)))


def drop_rows(forest: int, feature: int, start: int, count: int) -> int:
    """Put each row's bit into its bucket; those of missing values, which are returned, into the last."""
    questions = load(feature, COUNT)
    answers = load(forest, ANSWERS) + 8 * load(feature, FIRST)
    search = load(forest, SEARCH) + 8 * load(feature, FEATURE_SEARCH)
    depth = load(feature, FEATURE_DEPTH)
    width = load(forest, WIDTH)
    matrix = load(forest, MATRIX) + 8 * (start * width + load(feature, FEATURE))
    fill(answers, questions + 1, 0)
    missing = 0
    for row in range(count):
        value = bits_float(load(matrix, row * width))
        is_missing = 1 if value != value else 0
        bucket = below(search, depth, value)
        bucket += is_missing * (questions - bucket)
        store(answers, bucket, load(answers, bucket) | shift_left(1, row))
        missing |= shift_left(is_missing, row)
    return missing


def below(search: int, depth: int, value: float) -> int:
    """How many numbers are less than a value. search: 2^depth - 1 of them, in the order in which a search asks.

    No jump and no choice depends on the value: the next place is computed from the answer.
    """
    place = 1
    for _ in range(depth):
        place = 2 * place + (1 if bits_float(load(search, place)) < value else 0)
    return place - shift_left(1, depth)


def ask_set(forest: int, members: int, start: int, count: int) -> None:
    """Whether a feature is in a set. members: the set's place in the table."""
    width = load(forest, WIDTH)
    matrix = load(forest, MATRIX) + 8 * (start * width + load(members, FEATURE))
    answer = 0
    for row in range(count):
        value = bits_float(load(matrix, row * width))
        answer |= shift_left(1 if is_member(forest, members, value) else 0, row)
    store(load(forest, ANSWERS), load(members, QUESTION), answer)


def is_member(forest: int, members: int, value: float) -> bool:
    """Whether a value is in a set, or is missing and such values are."""
    numbers = load(forest, MEMBERS) + 8 * load(members, FIRST_MEMBER)
    search = load(forest, SEARCH) + 8 * load(members, SET_SEARCH)
    found = bits_float(load(numbers, below(search, load(members, SET_DEPTH), value)))
    return found == value or (value != value and load(members, MISSING_IS_MEMBER) != 0)
