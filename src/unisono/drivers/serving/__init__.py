"""The server: protocols on the outside, calls in the middle, versions that answer inside.

bytes -> http/, grpc/, asgi.py    carry requests in and responses out; they know no model
      -> service.py               finds the handler of a path
      -> wire/                    bytes <-> rows and answers, one file a format
      -> calls.py, lanes.py       what waits for which version, for how long, and what runs next
      -> versions/                the versions that are loaded, and which of them answers whom
      -> online/                  features at the request's time, and the graph
"""
