"""The file that tokens are kept in: what the server knows of them, never a secret."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from unisono.connect.segments import room, sync_directory
from unisono.drivers.serving.security.tokens import MOST_TOKENS, Token
from unisono.spec.errors import InputError, StateError, StoreError
from unisono.spec.wording import did_you_mean, listing, one_line

NAME = "tokens.json"
_MODE = 0o600


class _Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: Literal[1] = 1
    tokens: Annotated[tuple[Token, ...], Meta(max_length=MOST_TOKENS)] = ()


class TokenFile:
    """The tokens of a project's server.

    path: of the file; it need not be there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def stamp(self) -> tuple[int, int, int] | None:
        """Another one whenever the file is another; None if there is none. Costs a look at its name."""
        try:
            seen = self.path.stat()
        except OSError:
            return None
        return seen.st_ino, seen.st_mtime_ns, seen.st_size

    def read(self) -> tuple[Token, ...] | None:
        """All tokens; None if there is no file, which means that nobody needs one.

        Raises StoreError if it cannot be read, or if others may write it; StateError if it is not what was written.
        """
        try:
            with self.path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                content = file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"{self.path}: {error.strerror}; allowed: a file with tokens; give access") from error
        if mode & (stat.S_IWGRP | stat.S_IWOTH):
            seen = f"others may write it (mode {stat.S_IMODE(mode):o})"
            raise StoreError(f"{self.path}: {seen}; allowed: its owner only; `chmod 600 {self.path}`")
        return self._decode(content)

    def add(self, token: Token) -> None:
        """Keep one more. Raises InputError if there is one of its name, StoreError."""
        with self._locked():
            tokens = self.read() or ()
            if token.name in [one.name for one in tokens]:
                raise InputError(
                    f"token {token.name}: there is one of this name; allowed: a new name; choose another, or "
                    f"`unisono tokens revoke {token.name}`"
                )
            self._write((*tokens, msgspec.structs.replace(token, place=_free(self.path, tokens))))

    def revoke(self, name: str) -> Token:
        """Forget the token of a name or an id, and return it. Raises InputError if there is none, StoreError."""
        with self._locked():
            tokens = self.read() or ()
            for token in tokens:
                if name in (token.name, token.id):
                    self._write([one for one in tokens if one is not token])
                    return token
        names = [token.name for token in tokens]
        step = did_you_mean(name, names, otherwise="see `unisono tokens list`")
        raise InputError(f"token {one_line(name, length=100)}: there is none; allowed: {listing(names)}; {step}")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One writer at a time; the next waits."""
        with room(self.path.parent):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path.with_name(f".{self.path.name}.lock"), os.O_RDWR | os.O_CREAT, _MODE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _write(self, tokens: Sequence[Token]) -> None:
        """All of it or nothing; never with another mode."""
        content = msgspec.json.format(msgspec.json.encode(_Content(tokens=tuple(tokens))))
        partial = self.path.with_name(f".{self.path.name}.{os.getpid()}.partial")
        try:
            with room(self.path.parent):
                partial.unlink(missing_ok=True)
                with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _MODE), "wb") as file:
                    file.write(content + b"\n")
                    file.flush()
                    os.fsync(file.fileno())
                partial.replace(self.path)
                sync_directory(self.path.parent)
        finally:
            partial.unlink(missing_ok=True)

    def _decode(self, content: bytes) -> tuple[Token, ...]:
        try:
            tokens = msgspec.json.decode(content, type=_Content).tokens
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._unsound(one_line(error)) from error
        for what in ("id", "name", "place"):
            if len({getattr(token, what) for token in tokens}) != len(tokens):
                raise self._unsound(f"two tokens have one {what}")
        return tokens

    def _unsound(self, seen: str) -> StateError:
        allowed = "what `unisono tokens` wrote"
        return StateError(f"{self.path}: {seen}; allowed: {allowed}; restore it, or delete it and make new tokens")


def _free(path: Path, tokens: Sequence[Token]) -> int:
    """The first place that no token has."""
    taken = {token.place for token in tokens}
    place = next((place for place in range(MOST_TOKENS) if place not in taken), None)
    if place is None:
        raise InputError(f"{path}: {MOST_TOKENS} tokens; allowed: no more; revoke what is not used")
    return place


def token_file(root: Path, store: Path, named: str) -> TokenFile:
    """The file of a project.

    root:  the project's folder.
    store: its store.
    named: what [serve.tokens] says: a path, relative to the project's folder; empty: a file in the store.
    """
    return TokenFile(root / named if named else store / NAME)
