"""Settings as they stand behind a name, `gap=0.1,commit=0.5`, read as the kinds that are usual."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from steadyhand.errors import ConfigurationError, unknown
from steadyhand.values import shown

YES_OR_NO = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
KINDS: dict[type[Any], str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a text",
}


def read_settings(owner: str, text: str, usual: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of `owner` that are given, each of the kind of the one that is `usual`.

    Raises `ConfigurationError` with the nearest name for a typo.
    """
    found: dict[str, Any] = {}
    for word in filter(None, text.split(",")):
        key, _, value = word.partition("=")
        if key not in usual:
            raise ConfigurationError(unknown(f"setting of {owner}:", key, usual))
        found[key] = _read(owner, key, value, usual[key])
    return found


def _read(owner: str, key: str, text: str, usual: object) -> Any:
    for kind, said in KINDS.items():
        if type(usual) is kind:
            with suppress(ValueError, KeyError):
                return YES_OR_NO[text.lower()] if kind is bool else kind(text)
            raise ConfigurationError(
                f"{owner}'s {key} is {said}, not '{text}'. Write it as {owner}:{key}={usual}"
            )
    raise ConfigurationError(
        f"{owner}'s {key} is {shown(usual)} by default, and only numbers, texts, true and false "
        "can be written into a name. Write a function that sets it, and name that."
    )
