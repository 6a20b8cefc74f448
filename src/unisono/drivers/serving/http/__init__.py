"""HTTP/1.1 for the hot routes: a protocol of our own on httptools' parser and uvloop's sockets.

bytes -> reader.py        whole requests, or the refusal of what is none
      -> connection.py    requests to the service, answers back in the order of the requests
      -> responses.py     bytes
   connections.py         all of a worker's: how many, which of them wait for too long
   server.py, sockets.py, tls.py    start, drain, listen, encrypt
"""
