"""Processes: one keeper, which knows the registry, and workers, which answer and know nothing but what they are told.

messages.py   what they say to each other
channel.py    carries it, over a pair of sockets
keeper.py     starts workers, tells them what to serve, stops them
slots.py      one worker's place: a process in it, and another when that ends
watching.py   asks the registry what is to be served
worker.py     the process of a worker; what it serves is put together in `assembly`
"""
