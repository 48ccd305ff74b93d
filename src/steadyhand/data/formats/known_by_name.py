"""What is not read here and yet known by its files: what to do with it, in a sentence.

Names of files alone are looked at, of a folder and of those in it; nothing is opened but the first
bytes of a file that may stand for another.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

LOOKED = 1000
"""Files of a folder whose names are looked at."""
POINTER = b"version https://git-lfs"
ENDINGS = {
    (".tfrecord", ".tfrecord-"): (
        "is of TensorFlow (RLDS). Convert it to LeRobot, as openpi's and LeRobot's converters do"
    ),
    (".arrow",): (
        "is of Arrow files of the Hugging Face datasets library, without meta/info.json. Load it "
        "with datasets.load_from_disk and write its columns as arrays: Dataset.to_parquet, or "
        "numpy.savez with one array a feature and episode_ends"
    ),
    (".pkl", ".pickle", ".pt", ".pth", ".joblib"): (
        "is of pickles, which can run any program and are never opened. Load them where you trust "
        "them, and write numpy.savez with one array a feature and episode_ends"
    ),
    (".mcap", ".bag", ".db3"): (
        "is a robot's bag of messages, of which a map says what is the state and what the action. "
        "See what is in it: steadyhand convert BAG OUT.npz --map guess"
    ),
    (".zip", ".tar", ".tar.gz", ".tgz", ".tar.zst", ".7z", ".rar"): (
        "is an archive. Unpack it and name the folder"
    ),
}
ALONE = {
    (".json", ".jsonl"): (
        "is of JSON, which is not read. Write its numbers as a table, .csv or .parquet, with a row "
        "a step, or with numpy.savez, one array a feature and episode_ends"
    ),
    (".mat",): (
        "is of MATLAB. Load it with scipy.io.loadmat, or h5py where it is of version 7.3, and "
        "write numpy.savez with one array a feature and episode_ends"
    ),
}
"""Where there is nothing else."""


def told_by_name(path: Path) -> str | None:
    """What a path is and what to do with it, going on from its name; None where it is not known."""
    if path.is_dir():
        if (path / "meta_data" / "info.json").exists():
            return (
                "is a LeRobotDataset v1, which is not read here: v2.0, v2.1 and v3.0 are. LeRobot "
                "converts it"
            )
        if (path / "meta").is_dir() and not (path / "meta" / "info.json").exists():
            return (
                "is a LeRobotDataset without its meta/info.json. A part of it is missing; copy it "
                "again"
            )
        if inside := sorted((path / "snapshots").glob("*/meta/info.json")):
            return (
                f"keeps a LeRobotDataset as the Hugging Face Hub does. Name {inside[-1].parents[1]}"
            )
    for file in islice(_files(path), LOOKED):
        if _is_pointer(file):
            return (
                f"has Git LFS pointers and not the files, as {file.name}: run `git lfs pull` in it"
            )
    for ending, said in ENDINGS.items():
        if any(_ends(file, ending) for file in islice(_files(path), LOOKED)):
            return said
    files = list(islice((file for file in _files(path) if file.is_file()), LOOKED))
    for ending, said in ALONE.items():
        if files and all(_ends(file, ending) for file in files):
            return said
    return None


def _files(path: Path) -> Iterator[Path]:
    """The file, or those in a folder and in its folders."""
    if path.is_dir():
        yield from (file for at in ("*", "*/*", "*/*/*") for file in path.glob(at))
    else:
        yield path


def _ends(file: Path, endings: tuple[str, ...]) -> bool:
    name = file.name.lower()
    return any(name.endswith(e) or (e[-1] == "-" and e in name) for e in endings)


def _is_pointer(file: Path) -> bool:
    try:
        if file.is_symlink() or not file.is_file() or file.stat().st_size > 1000:
            return False
        with file.open("rb") as content:
            return content.read(len(POINTER)) == POINTER
    except OSError:
        return False
