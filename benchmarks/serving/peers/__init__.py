"""The other servers, each as its own documentation would have it for speed; each runs in an environment of its own."""
