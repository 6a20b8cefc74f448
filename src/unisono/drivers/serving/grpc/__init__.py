"""The Open Inference Protocol over gRPC: optional, `pip install unisono[grpc]`.

messages.py   the protocol's messages, built from one table
tensors.py    tensors in messages <-> tensors as the server has them
service.py    the calls of the service, bytes in and bytes out
server.py     carries them, on grpcio
"""
