"""Turns a dataclass and the words of a command line into options, or into one clear message."""

import contextlib
import io
import os
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

import tyro

from steadyhand.errors import ConfigurationError, SteadyhandError, UsageError, unknown
from steadyhand.values import shown

T = TypeVar("T")


def parse(
    kind: type[T],
    arguments: Sequence[str],
    *,
    verb: str,
    description: str,
    default: Any = tyro.MISSING_NONPROP,
) -> T:
    """Options of type `kind`. `--help` prints and exits with 0; a mistake raises `UsageError`.

    A value that the configuration itself refuses is a `ConfigurationError` in its own words.
    """
    printed = io.StringIO()
    asks_help = "--help" in arguments or "-h" in arguments
    try:
        with contextlib.ExitStack() as stack:
            if not asks_help:
                stack.enter_context(_wide())
                stack.enter_context(contextlib.redirect_stdout(printed))
                stack.enter_context(contextlib.redirect_stderr(printed))
            return tyro.cli(
                kind,
                args=list(arguments),
                prog=f"steadyhand {verb}",
                description=description,
                default=default,
                config=(tyro.conf.AvoidSubcommands, tyro.conf.FlagCreatePairsOff),
            )
    except SteadyhandError:
        raise
    except SystemExit as stop:
        if stop.code in (0, None):
            sys.exit(0)
        raise _complaint(printed.getvalue(), verb) from None


def _complaint(text: str, verb: str) -> SteadyhandError:
    """tyro's boxed complaint as one error in this project's words."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    lines = [line.strip("╭╮╰╯│─ ") for line in text.splitlines()]
    lines = [line for line in lines if line.strip("-")]
    said = " ".join(lines[1:])  # the first line is the box's title
    if found := re.search(r"Error parsing config\S*: (.*?)(?= For full helptext|$)", said):
        return ConfigurationError(found[1])
    return UsageError(f"{_translated(lines[1:], said)} See steadyhand {verb} --help.")


def _translated(lines: Sequence[str], said: str) -> str:
    if found := re.search(r"invalid choice '(.*?)' for argument '(.*?)'.*\((.*?)\)", said):
        choices = set(re.findall(r"'(.*?)'", found[3])) - {"None"}
        return unknown(found[2], found[1], choices)
    if found := re.search(r"Missing value for argument '(.*?)'. Expected (\d+)", said):
        if not found[1].startswith("-"):
            return f"There is no option --{found[1]}: it is given without a name."
        return f"{found[1]} takes {found[2]} value{'s' if found[2] != '1' else ''}."
    if found := re.search(r"Error parsing (\S+?):", said):
        values = re.findall(r"""(['"])(.*?)\1""", said.partition("Argument helptext")[0])
        value = shown(values[-1][1]) if values else "what was given"
        kind = re.search(rf"{found[1]} (?:{{None}}\|)?(\S+)", said.partition("helptext:")[2])
        kinds = {"INT": "a whole number", "FLOAT": "a number"}
        return f"{found[1]} takes {kinds.get(kind[1], kind[1]) if kind else 'one'}, not {value}."
    if found := re.search(r"Unrecognized options: (\S+?),? ", f"{said} "):
        word = found[1].partition("=")[0]
        if not word.startswith("-"):
            return f"'{word}' is a word too many."
        near = re.search(r"Perhaps you meant: (--\S+)", said)
        return f"There is no option {word}." + (f" Did you mean {near[1]}?" if near else "")
    if lines and lines[0].startswith("Missing from"):
        pairs = zip(lines[1::2], lines[2::2], strict=False)
        missing = (f"{name} ({about.removesuffix(' (required)')})" for name, about in pairs)
        return f"Missing: {', '.join(m for m in missing if 'full helptext' not in m)}."
    return said.partition(" For full helptext")[0]


@contextlib.contextmanager
def _wide() -> Iterator[None]:
    """A screen so wide that no complaint is broken into lines."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "2000"
    try:
        yield
    finally:
        os.environ.pop("COLUMNS")
        if before is not None:
            os.environ["COLUMNS"] = before
