"""Where a model lies that a user names: a folder, or what is fetched of it from the hub.

Such a name comes from the command line or from Python, never from a policy's file.
"""

from functools import lru_cache
from pathlib import Path

from steadyhand.errors import ConfigurationError, library

FILES = ("*.json", "*.txt", "*.model", "model*.safetensors")
"""What is fetched: descriptions, tokenizers and weights, and nothing that could run."""


def model_folder(source: str, what: str, such_as: str) -> Path:
    """The folder of a model, fetched where it is the name of one on the hub.

    Raises `ConfigurationError` where it is neither, and where the hub cannot be reached.
    """
    if Path(source).is_dir():
        return Path(source)
    try:
        return _fetched(source)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"There is no {what} '{source}': it is no folder, and the hub knows no such model or "
            f"cannot be reached. Name one as {such_as}, or a folder that holds one."
        ) from error


@lru_cache
def _fetched(source: str) -> Path:
    hub = library("huggingface_hub")
    return Path(hub.snapshot_download(source, allow_patterns=[*FILES]))
