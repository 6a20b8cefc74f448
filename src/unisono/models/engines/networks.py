"""The parts of a graph that is cut around its network, as data: nothing of it needs onnx to be run."""

from __future__ import annotations

import msgspec

from unisono.spec.errors import ModelError
from unisono.spec.wording import one_line


class NetworkParts(msgspec.Struct, frozen=True, array_like=True):
    """The parts of a graph.

    before:   makes what the network reads, and values that are used later, too; None if there is nothing to do.
    network:  in the middle.
    reads:    names of what it is given.
    gives:    names of what it makes.
    after:    makes what the network does not; None if there is nothing left.
    outputs:  of the graph, in order.
    ids:      input of the network that holds token ids -> how many there are; onnxruntime refuses others, OpenVINO
              takes zeros for them.
    """

    before: bytes | None
    network: bytes
    reads: list[str]
    gives: list[str]
    after: bytes | None
    outputs: list[str]
    ids: dict[str, int]

    def to_bytes(self) -> bytes:
        """As `read_network_parts` reads them."""
        return msgspec.msgpack.encode(self)


def read_network_parts(content: bytes) -> NetworkParts:
    """What `NetworkParts.to_bytes` wrote. Raises ModelError for anything else."""
    try:
        return msgspec.msgpack.decode(content, type=NetworkParts)
    except msgspec.MsgspecError as error:
        raise ModelError(
            f"network: {one_line(error)}; allowed: what this engine wrote; prepare the version again"
        ) from error
