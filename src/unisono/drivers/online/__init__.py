"""The online driver: what a request is answered. It knows no wire and no server; those are in `serving`."""
