"""Attention head by head and row by row: what is held of it is one row of scores, never a matrix of tokens x tokens.

Keys and values of a head are first copied as signed bytes, values by columns, so that both of its products are those of
unsigned with signed bytes. Queries keep their zero point: a key's score is QUERY_ZERO times the sum of its numbers too
large, which is taken off.
"""

from __future__ import annotations

from unisono.kernel.integer.cells import array, clipped, operand, row_at, row_count, scratch, whole_blocks
from unisono.kernel.integer.form import (
    BLOCK,
    COLUMNS,
    FIRST_AT,
    GIVEN,
    HEADS,
    NUMBER,
    SECOND,
    THIRD,
    WIDTH,
)
from unisono.kernel.integer.network import INVERSE_BITS, KEY_ZERO, QUERY_ZERO
from unisono.kernel.words import fill, inner_products, load, load_byte, load_int32, store_byte, store_int32

RESULT_SHIFT = INVERSE_BITS - 1
RESULT_OFFSET = (1 << (RESULT_SHIFT - 1)) + (QUERY_ZERO << RESULT_SHIFT)


def attention(call: int, one: int) -> None:
    """Softmax attention; see `network.Attention`."""
    size = load(one, WIDTH) // load(one, HEADS)
    for head in range(load(one, HEADS)):
        copy_keys(call, one, head * size, size)
        copy_values(call, one, head * size, size)
        for row in range(row_count(call, one)):
            attend(call, one, row, head * size, size)


def padded_tokens(call: int, one: int) -> int:
    """How many keys there are, filled up: the scratch memory has room for as many."""
    return whole_blocks(row_count(call, operand(call, one, SECOND)))


def keys_at(call: int) -> int:
    """Keys of a head, a row a token; behind the sums of products."""
    return scratch(call) + BLOCK


def key_sums_at(call: int, one: int, size: int) -> int:
    """What each key's score has too much: int32s."""
    return keys_at(call) + padded_tokens(call, one) * whole_blocks(size)


def scores_at(call: int, one: int, size: int) -> int:
    """Scores of a row: int32s."""
    return key_sums_at(call, one, size) + 4 * padded_tokens(call, one)


def weights_at(call: int, one: int, size: int) -> int:
    """Weights of a row: bytes."""
    return scores_at(call, one, size) + 4 * padded_tokens(call, one)


def values_at(call: int, one: int, size: int) -> int:
    """Values of a head, a row a column."""
    return weights_at(call, one, size) + padded_tokens(call, one)


def copy_keys(call: int, one: int, first: int, size: int) -> None:
    """A head's keys less their zero point, filled up with zeros, and what their scores have too much."""
    given = operand(call, one, SECOND)
    stride = whole_blocks(size)
    sums = key_sums_at(call, one, size)
    for token in range(row_count(call, given)):
        source = row_at(call, given, token) + first
        target = keys_at(call) + token * stride
        fill(target, stride // 8, 0)
        total = 0
        for column in range(size):
            key = load_byte(source, column) - KEY_ZERO
            store_byte(target, column, key)
            total += key
        store_int32(sums, token, QUERY_ZERO * total)


def copy_values(call: int, one: int, first: int, size: int) -> None:
    """A head's values less their zero point, column by column, filled up with zeros."""
    given = operand(call, one, THIRD)
    tokens = row_count(call, given)
    stride = padded_tokens(call, one)
    for column in range(size):
        target = values_at(call, one, size) + column * stride
        fill(target, stride // 8, 0)
        for token in range(tokens):
            store_byte(target, token, load_byte(row_at(call, given, token) + first, column) - KEY_ZERO)


def attend(call: int, one: int, row: int, first: int, size: int) -> None:
    """One row of one head."""
    most = score(call, one, row_at(call, operand(call, one, GIVEN), row) + first, size)
    inverse = (1 << INVERSE_BITS) // weigh(call, one, most, size)
    sums = scratch(call)
    weights = weights_at(call, one, size)
    stride = padded_tokens(call, one)
    target = row_at(call, one, row) + first
    for begin in range(0, size, COLUMNS):
        columns = values_at(call, one, size) + begin * stride
        inner_products(sums, weights, columns, stride, stride // BLOCK)
        for column in range(begin, min(begin + COLUMNS, size)):
            value = load_int32(sums, column - begin) * inverse + RESULT_OFFSET
            store_byte(target, column, value >> RESULT_SHIFT)


def score(call: int, one: int, query: int, size: int) -> int:
    """Scores of a query, and the largest of them."""
    stride = whole_blocks(size)
    sums = key_sums_at(call, one, size)
    found = scores_at(call, one, size)
    tokens = row_count(call, operand(call, one, SECOND))
    most = 0
    for first in range(0, tokens, COLUMNS):
        inner_products(found + 4 * first, query, keys_at(call) + first * stride, stride, stride // BLOCK)
        for token in range(first, min(first + COLUMNS, tokens)):
            value = load_int32(found, token) - load_int32(sums, token)
            store_int32(found, token, value)
            most = value if token == 0 else max(most, value)
    return most


def weigh(call: int, one: int, most: int, size: int) -> int:
    """Weights of a row from its scores, filled up with zeros, and their sum."""
    table = array(call, one, FIRST_AT)
    last = load(one, NUMBER) - 1
    found = scores_at(call, one, size)
    weights = weights_at(call, one, size)
    fill(weights, padded_tokens(call, one) // 8, 0)
    total = 0
    for token in range(row_count(call, operand(call, one, SECOND))):
        weight = load_byte(table, clipped(most - load_int32(found, token), last))
        store_byte(weights, token, weight)
        total += weight
    return total
