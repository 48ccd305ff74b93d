"""Turns a dataclass and the words of a command line into options, or into one clear message."""

import contextlib
import io
import re
import sys
from collections.abc import Sequence
from typing import Any, TypeVar

import tyro

from steadyhand.errors import SteadyhandError, UsageError

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

    A value that the configuration itself refuses keeps its own error.
    """
    printed = io.StringIO()
    asks_help = "--help" in arguments or "-h" in arguments
    try:
        with contextlib.ExitStack() as stack:
            if not asks_help:
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
        raise UsageError(_plain(printed.getvalue(), verb)) from None


def _plain(text: str, verb: str) -> str:
    """tyro's boxed complaint as plain lines, less its own hint to --help."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", text)
    lines = (re.sub(r"[╭╮╰╯│─]+", " ", line).strip() for line in text.splitlines())
    noise = ("full helptext", f"steadyhand {verb} --help", "(required)")
    kept = [line for line in lines if line.strip("- ") and not any(n in line for n in noise)]
    # The first line is the box's title, which the next one says again.
    return "\n".join([*kept[1:], f"See steadyhand {verb} --help."])
