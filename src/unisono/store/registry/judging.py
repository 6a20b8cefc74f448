"""What may be said to a registry: names of aliases and tags, who changes something and why."""

from __future__ import annotations

import getpass
import re

from unisono.spec.errors import InputError
from unisono.spec.wording import NAME_ALLOWED, is_name, quoted

MOST_LETTERS = 2000

_HEXADECIMAL = re.compile("[0-9a-fA-F]+")
_TAG = re.compile("[A-Za-z0-9][A-Za-z0-9_.:/-]{0,99}")


def judged_alias(alias: str) -> str:
    """The alias. Raises InputError for what cannot be one."""
    if not is_name(alias):
        raise InputError(f"alias {quoted(alias)}; allowed: {NAME_ALLOWED}; choose another")
    if _HEXADECIMAL.fullmatch(alias):
        raise InputError(
            f"alias {quoted(alias)} could be the beginning of a version's id; allowed: a name with a letter after f; "
            "choose another"
        )
    return alias


def judged_tag(tag: str) -> str:
    """The tag. Raises InputError for what cannot be one."""
    if not _TAG.fullmatch(tag):
        raise InputError(f"tag {quoted(tag)}; allowed: letters, digits and _ . : / -, at most 100; choose another")
    return tag


def judged_text(what: str, text: str) -> str:
    """A text that is kept. Raises InputError if it is too long, or has a character that no database keeps."""
    if len(text) > MOST_LETTERS or "\0" in text:
        raise InputError(
            f"{what} {quoted(text)}; allowed: at most {MOST_LETTERS} characters, none of them NUL; shorten it"
        )
    return text


def login_name() -> str:
    """Who runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "unknown"
