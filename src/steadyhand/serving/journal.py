"""The log of a server: one line an event, as words or as JSON, to standard error.

It says who came, what was refused and why, and what broke; never what was observed or done.
"""

import json
import logging
import sys
import time
import traceback
from textwrap import indent
from typing import Any

LOG = logging.getLogger("steadyhand.serving")
LONGEST = 300
"""Characters of one field; a client may send what it likes."""


def event(name: str, *, level: int = logging.INFO, **fields: Any) -> None:
    """One line: what happened, and what belongs to it."""
    LOG.log(level, name, extra={"fields": {key: _short(value) for key, value in fields.items()}})


def broke(name: str, error: BaseException, **fields: Any) -> None:
    """An error that is nobody's mistake but ours, with where it came from."""
    where = "".join(traceback.format_exception(error))
    said = f"{type(error).__name__}: {error}"
    extra = {"fields": {**fields, "error": said, "traceback": where[-4000:]}}
    LOG.error(name, extra=extra)


def to_stderr(*, as_json: bool) -> logging.Handler:
    """Begin to write the log; the handler, to be removed again."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines(as_json))
    LOG.setLevel(logging.INFO)
    LOG.propagate = False  # whatever an import does to the root's handlers
    LOG.addHandler(handler)
    # It warns of every word to a client that has gone, and some clients go in the middle of many.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    return handler


class _Lines(logging.Formatter):
    def __init__(self, as_json: bool) -> None:
        super().__init__()
        self._json = as_json

    def format(self, record: logging.LogRecord) -> str:
        fields = getattr(record, "fields", {})
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        at = f"{at}.{int(record.msecs):03}Z"
        if self._json:
            head = {"time": at, "level": record.levelname.lower(), "event": record.getMessage()}
            return json.dumps({**head, **fields})
        words = [f"{key}={_word(value)}" for key, value in fields.items() if key != "traceback"]
        line = " ".join([at, record.getMessage(), *words])
        # Behind a margin: words of a client in it cannot pass for a line of their own.
        if "traceback" in fields:
            line += "\n" + indent(fields["traceback"].rstrip(), "  | ", lambda each: True)
        return line


def _short(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    return value[:LONGEST] if isinstance(value, str) else value


def _word(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if text.isalnum() or not isinstance(value, str) else json.dumps(text)
