"""Demonstrations on the Hugging Face hub: `hf://user/name@revision/folder`, fetched when named.

They lie in huggingface_hub's own cache and are found there without a network. Only files of kinds
that demonstrations are kept in are fetched, nothing that could run. A name in a policy's or a run's
own file fetches nothing: it is looked for in the cache alone.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from steadyhand.errors import DataError, UsageError, library

HUB = "hf://"
NUMBERS = (
    "json",
    "jsonl",
    "parquet",
    "csv",
    "npz",
    "npy",
    "hdf5",
    "h5",
    "hdf",
    "zarr.zip",
    "arrow",
)
PICTURES = ("mp4", "mkv", "webm", "avi", "mov", "png", "jpg", "jpeg", "jxl", "tif", "tiff")
BAGS = ("mcap", "db3", "bag", "yaml")
CHUNKS = ("*.zarr/*", ".z*", "*/.z*", "*/[0-9]*")
FILES = (*(f"*.{kind}" for kind in (*NUMBERS, *PICTURES, *BAGS)), *CHUNKS)
"""What is fetched: files by their endings, and the chunks of zarr stores."""
NAME = re.compile(r"(?:datasets/)?([\w.-]+/[\w.-]+)(?:@([^@/]+))?((?:/[^/]+)*)/?")
WAY = "Name one as hf://user/name, with @revision and /folder after it where that is needed."


@dataclass(frozen=True)
class Named:
    """A data set on the hub, as it was named."""

    repository: str
    revision: str | None
    inside: str
    """The folder or file of it that is meant; all of it where this is empty."""

    def __str__(self) -> str:
        revision = "" if self.revision is None else f"@{quote(self.revision, safe='')}"
        return f"{HUB}{self.repository}{revision}{self.inside and '/' + self.inside}"

    @property
    def patterns(self) -> list[str]:
        """What is fetched of it."""
        if not self.inside:
            return list(FILES)
        root = re.sub(r"([\[*?])", r"[\1]", self.inside)
        whole = [root, f"{root}/*"] if re.search(r"\.(\w+)$", self.inside) else []
        return [*whole, *(f"{root}/{pattern}" for pattern in FILES)]


def is_on_hub(path: Path | str) -> bool:
    """Whether a path is a name on the hub, also where its slashes have become one."""
    return re.match(r"hf:([/\\]|\Z)", str(path)) is not None


def located(path: Path, *, fetch: bool = True) -> Path:
    """Where what a path names lies on this computer: fetched first, where it is on the hub.

    Without `fetch` only what was fetched before is found. Raises `DataError` for what is not there
    or may not be had, `UsageError` for what is no name, and `MissingExtraError`.
    """
    if not is_on_hub(path):
        return path
    named = _parsed(path)
    hub = library("huggingface_hub")
    try:
        folder = hub.snapshot_download(
            named.repository,
            repo_type="dataset",
            revision=named.revision,
            allow_patterns=named.patterns,
            local_files_only=not fetch,
        )
    except Exception as error:  # whatever a network and a library of many versions raise
        raise DataError(_why(named, error, fetch)) from error
    found = Path(folder)
    place = found / named.inside
    if not place.exists():
        held = ", ".join(sorted(entry.name for entry in found.glob("*"))) or "nothing"
        raise DataError(
            f"{named}: there is no '{named.inside}' in it, or it holds no demonstrations. Of what "
            f"was fetched there is: {held}."
        )
    return place


def hub_name(path: Path) -> str | None:
    """The name on the hub, at this very revision, of what lies in its cache; None elsewhere."""
    parts = path.absolute().parts
    for place, part in enumerate(parts[:-2]):
        words = part.split("--")
        if words[0] == "datasets" and len(words) == 3 and parts[place + 1] == "snapshots":
            repository, inside = "/".join(words[1:]), "/".join(parts[place + 3 :])
            return str(Named(repository, parts[place + 2], inside))
    return None


def _parsed(path: Path) -> Named:
    words = re.sub(r"^hf:/*", "", str(path).replace("\\", "/"))
    found = NAME.fullmatch(words)
    inside = found[3].strip("/") if found else ""
    if not found or words.startswith(("models/", "spaces/")) or ".." in inside.split("/"):
        raise UsageError(f"'{HUB}{words}' is no name of a data set on the hub. {WAY}")
    return Named(found[1], found[2] and unquote(found[2]), inside)


def _why(named: Named, error: Exception, fetch: bool) -> str:
    """What to say where a data set cannot be had, and what to do."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    page = f"huggingface.co/datasets/{named.repository}"
    if "GatedRepoError" in kinds:
        return (
            f"{named} is given only to those who asked: accept its terms at {page}, and log in "
            "with `hf auth login` (or set HF_TOKEN)."
        )
    if "RevisionNotFoundError" in kinds:
        return f"{named}: there is no such revision. Leave out @{named.revision}, or see {page}."
    if kinds & {"RepositoryNotFoundError", "HFValidationError"}:
        return (
            f"There is no data set {named} on the hub, or it is private: then log in with "
            f"`hf auth login` (or set HF_TOKEN). {WAY}"
        )
    if not fetch:
        return (
            f"{named} is not among what was fetched, and nothing is fetched for what a run or a "
            f"policy says of itself. Name it: --data {named}"
        )
    return (
        f"{named} cannot be fetched, and was not before ({_short(error)}). See whether there is a "
        "network, and that HF_HUB_OFFLINE is not set."
    )


def _short(error: BaseException) -> str:
    """The reason that an error gives, in a line."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__).rstrip(".")[:200]
