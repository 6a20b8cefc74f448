"""How names are judged and how things seen are shown in messages."""

from __future__ import annotations

import re
from collections.abc import Iterable

MAX_NAME_LENGTH = 100
NAME_ALLOWED = f'a letter, then letters, digits and single "_", at most {MAX_NAME_LENGTH} characters'

_NAME = re.compile("[A-Za-z](_?[A-Za-z0-9])*_?")
_SHOWN_CHOICES = 20
_PASSWORD = re.compile(r"(://[^:/?#@]*:)[^@]*@")


def is_name(value: object) -> bool:
    """Whether a value can name a source, view, column, transform or predictor.

    A double underscore cannot be in a name: it parts the view from the rest in a feature's name.
    """
    return isinstance(value, str) and len(value) <= MAX_NAME_LENGTH and _NAME.fullmatch(value) is not None


def quoted(value: object) -> str:
    """A value as a message shows it: text in double quotes, anything else with its type; on one line, never long.

    >>> print(quoted("6h"), quoted(6))
    "6h" 6 (of type int)
    """
    if isinstance(value, str):
        return f'"{_shortened(_escaped(value), 60)}"'
    text = value.__name__ if isinstance(value, type) else repr(value)
    return f"{_shortened(_escaped(text), 60)} (of type {type(value).__name__})"


def one_line(message: object, *, length: int = 200) -> str:
    """What another library says, fit for a fault: on one line, at most `length` characters.

    >>> one_line("refused\\n\\tIs it running?")
    'refused Is it running?'
    """
    return _shortened(_escaped(" ".join(str(message).split())), length)


def without_password(url: str) -> str:
    """A URL as it may be shown; anything else as it is.

    >>> without_password("postgresql://me:secret@host/shop#scores"), without_password("scores.csv")
    ('postgresql://me:***@host/shop#scores', 'scores.csv')
    """
    return _PASSWORD.sub(r"\1***@", url)


def _escaped(text: str) -> str:
    return text.encode("unicode_escape").decode()


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 3] + "..."


def listing(choices: Iterable[object]) -> str:
    """What is allowed, as a message shows it; the first few of many.

    >>> listing(["a", "b"]), listing([])
    ('a, b', 'none')
    """
    names = [str(choice) for choice in choices]
    more = f", ... ({len(names)} in all)" if len(names) > _SHOWN_CHOICES else ""
    return (", ".join(names[:_SHOWN_CHOICES]) + more) or "none"


def did_you_mean(value: object, choices: Iterable[str], *, otherwise: str = "use one of these") -> str:
    """The next step after an unknown name: the nearest known one, or `otherwise`.

    >>> did_you_mean("arrdelay", ["arr_delay", "carrier"])
    'did you mean "arr_delay"?'
    """
    from difflib import get_close_matches  # 3 ms, only needed once something is wrong

    close = get_close_matches(value[:MAX_NAME_LENGTH], list(choices), n=1) if isinstance(value, str) else []
    return f'did you mean "{close[0]}"?' if close else otherwise
