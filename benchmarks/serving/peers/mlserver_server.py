"""MLServer's own command, as a module: `python -m benchmarks.serving.peers.mlserver_server start FOLDER`."""

# mypy: disable-error-code="import-not-found, unused-ignore"

from __future__ import annotations

from mlserver.cli import main

if __name__ == "__main__":
    main()
