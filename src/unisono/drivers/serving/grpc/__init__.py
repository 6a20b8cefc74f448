"""The Open Inference Protocol over gRPC: optional, `pip install unisono[grpc]`.

messages.py   the protocol's messages, built from one table
tensors.py    tensors in messages <-> tensors as the server has them
service.py    the calls of the service, bytes in and bytes out
server.py     carries them, on grpcio
"""

from importlib.util import find_spec

from unisono.spec.errors import StoreError


def check_installed() -> None:
    """Raises StoreError if a worker could not speak gRPC."""
    if find_spec("grpc") is None:
        raise StoreError(
            "[serve.grpc] port needs grpcio; install it: pip install 'unisono[grpc]', or leave the section out"
        )
