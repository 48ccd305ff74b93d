"""The `steadyhand` command: finds the verb, runs it, and turns every outcome into an exit status.

0 is success, 2 a mistake of the user's with one message, 130 Ctrl-C. Under --json exactly one
JSON object goes to standard output; everything else goes to standard error.
"""

import importlib
import json
import os
import re
import sys
from collections.abc import Sequence
from typing import Any

from steadyhand.cli.interrupts import heard
from steadyhand.errors import (
    ConfigurationError,
    SteadyhandError,
    UsageError,
    missing_extra,
    unknown,
)

VERBS = {
    "demo": "see regression fail and diffusion succeed, in two minutes",
    "record": "write an expert's demonstrations of a task",
    "train": "train a policy from demonstrations",
    "evaluate": "try a policy in its task, with intervals and video",
    "export": "write a policy as a folder that runs without torch",
    "run": "drive a robot with a policy, at a fixed rate",
    "serve": "answer robots over the network with policies",
    "distill": "teach a policy to do in one network call what another does in many",
    "study": "answer a question with trainings, figures and a report: steps, chunk, modes, …",
    "benchmark": "train and compare many methods on one task, as one table",
    "compare": "compare policies on the same initial states",
    "convert": "write demonstrations in another format",
    "inspect": "say what a data set or a policy holds, and what is wrong with it",
}

SMALLER = {
    "train": "Take a smaller --batch-size or network",
    "evaluate": "Take a smaller --parallel",
    "compare": "Take a smaller --parallel",
    "benchmark": "Take fewer --workers or a smaller network",
    "study": "Take fewer --workers or a smaller --network",
}
"""What takes less memory, by verb."""

HELP = """usage: steadyhand VERB [options]

Diffusion policies for robots: from demonstrations to smooth motion.

{verbs}

  steadyhand VERB --help   what a verb takes
  steadyhand --version     the version

A first look, and a first policy:
  steadyhand demo
  steadyhand train fork --out runs/first
  steadyhand evaluate runs/first --episodes 50 --video 3
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; the exit status."""
    # Before torch is loaded: threads that wait sleep instead of spinning on. On a core that
    # something else wants, too, spinning made a training step thirty times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    arguments = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in arguments
    try:
        with heard():
            result = _run(arguments)
    except BrokenPipeError:
        # The reader of our output has gone; there is nobody left to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        told = _told(error, " ".join([*arguments[:1], *(w for w in arguments if w == "--offline")]))
        if told is None:
            raise
        return _fail(told, as_json)
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        if as_json:
            print(json.dumps({"error": {"kind": "interrupted", "message": "Stopped by Ctrl-C."}}))
        return 130
    if as_json and result is not None:
        print(json.dumps(result))
    return 130 if isinstance(result, dict) and result.get("interrupted") else 0


def _run(arguments: list[str]) -> dict[str, Any] | None:
    verb = arguments[0] if arguments else "--help"
    if verb in ("-h", "--help", "help"):
        print(HELP.format(verbs="\n".join(f"  {name:10}{text}" for name, text in VERBS.items())))
        return None
    if verb == "--version":
        from importlib.metadata import version

        print(f"steadyhand {version('steadyhand')}")
        return None
    if verb not in VERBS:
        raise UsageError(unknown("verb", verb, VERBS) + " See steadyhand --help.")
    module: Any = importlib.import_module(f"steadyhand.cli.{verb}")
    return module.run(arguments[1:])


def _told(error: Exception, verb: str) -> SteadyhandError | None:
    """What a user is told of an error; None for a defect, which is shown as it is."""
    said = str(error)
    if isinstance(error, SteadyhandError):
        return error
    if isinstance(error, ModuleNotFoundError):
        return missing_extra(error)
    if isinstance(error, OSError):
        where = error.filename or "a file"
        return UsageError(
            f"{where}: {error.strerror or error}. Check the path, its rights and the disk."
        )
    if isinstance(error, RecursionError):
        return ConfigurationError(
            "Something that was read is nested too deep. Look at it with another program."
        )
    # torch says so in words: its own class is for CUDA only. Numpy says so for some sizes.
    memory = "(allocate|out of) memory|array is too big|Maximum allowed dim|calculation overflowed"
    known = isinstance(error, RuntimeError | ValueError | OverflowError)
    if isinstance(error, MemoryError) or (known and re.search(memory, said)):
        less = SMALLER.get(verb, "Free some, or take less data")
        return ConfigurationError(f"There is not enough memory ({said or 'none is left'}). {less}.")
    if isinstance(error, OverflowError):
        return ConfigurationError(f"A number is too large ({said}). Give a smaller one.")
    return None


def _fail(error: SteadyhandError, as_json: bool) -> int:
    if as_json:
        print(json.dumps({"error": {"kind": error.kind, "message": str(error)}}))
    else:
        said = str(error).replace("\n", "\\n")  # a name with a line end could pose as a message
        print(f"steadyhand: {said}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
