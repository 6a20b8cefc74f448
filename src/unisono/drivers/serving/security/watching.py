"""What the keeper of a server does with its tokens: read them at the start, and again when they change."""

from __future__ import annotations

import logging

from unisono.drivers.serving.security.exposure import require_guard
from unisono.drivers.serving.security.token_file import TokenFile
from unisono.drivers.serving.security.tokens import Token
from unisono.drivers.serving.settings import Tokens
from unisono.spec.errors import StoreError, UnisonoError

_LOGGER = logging.getLogger(__name__)


class TokenWatch:
    """The tokens of a server that runs.

    file:     with the tokens.
    settings: [serve.tokens].
    host:     the address that the server is to listen on.

    `tokens` are those in force; None: nobody needs one.

    Raises InputError if others than this machine could ask without a token and settings do not allow that; StoreError
    if settings name a file that is not there, which would leave the server open; StateError.
    """

    def __init__(self, file: TokenFile, settings: Tokens, host: str) -> None:
        self._file = file
        self._stamp = file.stamp
        self.tokens: tuple[Token, ...] | None = file.read()
        if self.tokens is None and settings.file:
            seen = f"{file.path}: there is no such file"
            raise StoreError(f"{seen}; allowed: the file that [serve.tokens] names; make it: `unisono tokens new NAME`")
        require_guard(host, has_tokens=self.tokens is not None, insecure=settings.insecure)

    def look(self) -> bool:
        """Whether there are other tokens now than at the last look. Costs a look at a file's name.

        A file that cannot be used, or is gone, changes nothing: those in force stay, and the log says so.
        """
        stamp = self._file.stamp
        if stamp == self._stamp:
            return False
        self._stamp = stamp
        try:
            found = self._file.read()
        except UnisonoError as error:
            _LOGGER.error("the tokens in force stay: %s", error)
            return False
        if found is None:
            _LOGGER.error("the tokens in force stay: %s is gone", self._file.path)
            return False
        changed = found != self.tokens
        self.tokens = found
        return changed
