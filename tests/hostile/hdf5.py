"""robomimic's HDF5 files, whose links, layouts, kinds and attributes are a stranger's."""

import json
import os
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from case import Hostile, outside
from sound import ACTION, ARRAYS, STATE

Change = Callable[[h5py.File], object]
DEMO = "data/demo_0"


def demos(path: Path, change: Change | None = None, **options: Any) -> Path:
    """Two demonstrations of six steps, as robomimic writes them, changed."""
    with h5py.File(path, "w") as file:
        for number in (0, 1):
            demo = file.create_group(f"data/demo_{number}")
            steps = slice(6 * number, 6 * number + 6)
            demo.create_dataset("actions", data=ACTION[steps], **options)
            demo.create_dataset("obs/state", data=STATE[steps], **options)
            demo.attrs["num_samples"] = 6
        file["data"].attrs["total"] = 12
        file["data"].attrs["env_args"] = json.dumps({"env_kwargs": {"control_freq": 20}})
        if change is not None:
            change(file)
    return path


def instead(place: str, make: Callable[[h5py.Group, str], object]) -> Change:
    """Something else at a place of the first demonstration."""

    def change(file: h5py.File) -> None:
        del file[place]
        parent, name = file[place.rpartition("/")[0]], place.rpartition("/")[2]
        make(parent, name)

    return change


def every(place: str, make: Callable[[h5py.Group, str], object]) -> Change:
    """Something more in every demonstration."""

    def change(file: h5py.File) -> None:
        for number in (0, 1):
            make(file[f"data/demo_{number}"], place)

    return change


def of(values: Any, **options: Any) -> Callable[[h5py.Group, str], object]:
    return lambda parent, name: parent.create_dataset(name, data=values, **options)


def link(made: Any) -> Callable[[h5py.Group, str], object]:
    return lambda parent, name: parent.__setitem__(name, made)


def declared(shape: tuple[int, ...], **options: Any) -> Callable[[h5py.Group, str], object]:
    return lambda parent, name: parent.create_dataset(name, shape=shape, **options)


def filtered(code: int, *values: int) -> Callable[[h5py.Group, str], object]:
    """A chunk that says it went through a filter which is not there."""

    def make(parent: h5py.Group, name: str) -> None:
        plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plan.set_chunk((6, 2))
        plan.set_filter(code, h5py.h5z.FLAG_OPTIONAL, values)
        space = h5py.h5s.create_simple((6, 2))
        made = h5py.h5d.create(parent.id, name.encode(), h5py.h5t.IEEE_F32LE, space, plan)
        made.write_direct_chunk((0, 0), bytes(48))

    return make


def chunk_of(data: bytes, **options: Any) -> Callable[[h5py.Group, str], object]:
    """A chunk whose packed bytes are a stranger's."""

    def make(parent: h5py.Group, name: str) -> None:
        kind = {"shape": (6, 2), "dtype": "f4", "chunks": (6, 2), "compression": "gzip"}
        made = parent.create_dataset(name, **{**kind, **options})
        made.id.write_direct_chunk((0, 0), data)

    return make


def attributes(**values: Any) -> Change:
    return lambda file: file["data"].attrs.update(values)


def samples(value: Any) -> Change:
    return lambda file: file[DEMO].attrs.__setitem__("num_samples", value)


def virtual(file_of: Callable[[h5py.Group], str], shape: Any = (6, 2), **options: Any) -> Any:
    def make(parent: h5py.Group, name: str) -> None:
        layout = h5py.VirtualLayout(shape=shape, dtype="f4", **options)
        source = h5py.VirtualSource(file_of(parent), "secret", shape=(6, 2), **options)
        layout[0:6] = source
        parent.create_virtual_dataset(name, layout)

    return make


def secret(parent: h5py.Group) -> str:
    """An HDF5 file outside of the cases."""
    path = outside(Path(parent.file.filename).parent) / "secret.h5"
    if not path.exists():
        with h5py.File(path, "w") as file:
            file["secret"] = np.full((6, 2), 42, np.float32)
            file["data/demo_0/actions"] = np.full((6, 2), 42, np.float32)
    return str(path)


def raw(parent: h5py.Group) -> str:
    path = outside(Path(parent.file.filename).parent) / "secret.raw"
    path.write_bytes(np.full((6, 2), 42, np.float32).tobytes())
    return str(path)


def external(path_of: Callable[[h5py.Group], str]) -> Callable[[h5py.Group, str], object]:
    def make(parent: h5py.Group, name: str) -> None:
        parent.create_dataset(name, shape=(6, 2), dtype="f4", external=[(path_of(parent), 0, 48)])

    return make


def circle(file: h5py.File) -> None:
    group = file[DEMO].create_group("round")
    group["again"] = group
    group["up"] = file["data"]


def doubled(file: h5py.File) -> None:
    """Groups of two names for one group, thirty deep: a billion paths."""
    group = file[DEMO].create_group("many")
    for _ in range(30):
        inner = group.create_group("left")
        group["right"] = inner
        group = inner
    group["end"] = STATE[:6]


RIGHT: dict[str, tuple[dict[str, Any], Change | None]] = {
    "plain": ({}, None),
    "gzip": ({"compression": "gzip"}, None),
    "lzf": ({"compression": "lzf", "shuffle": True}, None),
    "fletcher32": ({"chunks": True, "fletcher32": True}, None),
    "growing": ({"chunks": (2, 2), "maxshape": (None, None)}, None),
    "scaleoffset": ({}, every("counts", of(np.arange(6), scaleoffset=0))),
    "nested": ({}, every("states/arm/joints", of(STATE[:6]))),
    "other-length": ({}, every("src_demo_inds", of(np.array([3, 7, 1])))),
    "with-text": ({}, every("words", of(np.array(["a"] * 6, "S1")))),
    "with-objects": ({}, every("words", of(["a"] * 6, dtype=h5py.string_dtype()))),
    "with-references": ({}, every("refs", declared((6,), dtype=h5py.ref_dtype, fillvalue=None))),
    "with-fields": ({}, every("pair", of(np.zeros(6, [("a", "f4"), ("b", "f4")])))),
    "with-complex": ({}, every("wave", of(np.ones(6, complex)))),
    "with-a-number": ({}, every("model", of(3.0))),
    "with-nothing": (
        {},
        every("none", lambda parent, name: parent.create_dataset(name, data=h5py.Empty("f4"))),
    ),
    "with-external": ({}, every("kept", external(raw))),
    "with-virtual": ({}, every("kept", virtual(secret))),
    "with-an-external-link": (
        {},
        every(
            "kept",
            lambda parent, name: link(h5py.ExternalLink(secret(parent), "secret"))(parent, name),
        ),
    ),
    "with-a-broken-link": ({}, every("kept", link(h5py.SoftLink("/nowhere")))),
    "with-a-link-inside": ({}, every("again", link(h5py.SoftLink("obs/state")))),
    "with-a-bad-name": ({}, every("a\x1b[2J", of(STATE[:6]))),
    "with-brackets": ({}, every("a[0]", of(STATE[:6]))),
    "with-a-plugin": ({}, every("packed", filtered(32015, 3))),
    "with-nothing-written": ({}, every("hole", declared((6, 2), dtype="f4"))),
    "with-a-lie": ({}, every("hole", declared((10**12, 10**3), dtype="f4", chunks=(10, 10)))),
}
BOMB = bytes(300_000_000)

FAULTS: dict[str, Change] = {
    **{f"action-{name}": instead(f"{DEMO}/actions", make) for name, make in {
        "external": external(raw),
        "external-device": external(lambda parent: "/dev/zero"),
        "external-relative": external(lambda parent: "../outside/secret.raw"),
        "virtual": virtual(secret),
        "virtual-endless": virtual(secret, (6, 2), maxshape=(None, 2)),
        "virtual-itself": virtual(lambda parent: "."),
        "linked-out": lambda parent, name: link(h5py.ExternalLink(secret(parent), "secret"))(
            parent, name),
        "linked-to-a-pipe": link(h5py.ExternalLink("/dev/stdin", "x")),
        "linked-to-another": link(h5py.SoftLink("/data/demo_1/actions")),
        "linked-nowhere": link(h5py.SoftLink("/nowhere")),
        "linked-to-itself": link(h5py.SoftLink("actions")),
        "linked-by-way": lambda parent, name: (
            parent.file.__setitem__("way", h5py.ExternalLink(secret(parent), "/")),
            link(h5py.SoftLink("/way/secret"))(parent, name)),
        "linked-up": link(h5py.SoftLink("../../../../data/demo_1/actions")),
        "a-group": lambda parent, name: parent.create_group(name),
        "a-type": link(np.dtype("f4")),
        "text": of(np.array(["a"] * 6, "S1")),
        "objects": of(["a"] * 6, dtype=h5py.string_dtype()),
        "ragged": declared((6,), dtype=h5py.vlen_dtype(np.float32), data=None),
        "references": declared((6,), dtype=h5py.ref_dtype),
        "regions": declared((6,), dtype=h5py.regionref_dtype),
        "fields": of(np.zeros(6, [("a", "f4"), ("b", "S4")])),
        "complex": of(np.ones((6, 2), complex)),
        "opaque": of(np.zeros(6, "V8")),
        "wide": of(np.zeros(6, ("f4", (1000,)))),
        "long-double": of(np.zeros((6, 2), np.longdouble)),
        "scalar": of(1.0),
        "nothing": lambda parent, name: parent.create_dataset(name, data=h5py.Empty("f4")),
        "no-steps": of(np.zeros((0, 2), "f4")),
        "no-width": of(np.zeros((6, 0), "f4")),
        "shorter": of(ACTION[:4]),
        "wider": of(np.zeros((6, 3), "f4")),
        "deep": of(np.zeros((6, *[1] * 20), "f4")),
        "nan": of(ACTION[:6] * np.nan),
        "trillion": declared((10**12,), dtype="f4", chunks=(1000,)),
        "trillion-contiguous": declared((10**12,), dtype="f4"),
        "quadrillion": declared((10**6, 10**6, 10**3), dtype="f8", chunks=(1, 1, 1000)),
        "chunk-2-gb": declared((6, 2), dtype="f4", chunks=(6, 80_000_000), maxshape=(None, None)),
        "chunk-short": chunk_of(b"x"),
        "chunk-noise": chunk_of(bytes(range(256))),
        "chunk-bomb": chunk_of(zlib.compress(BOMB)),
        "chunk-of-256-mb": declared(
            (6, 2), dtype="f4", chunks=(6, 11_000_000), maxshape=(None, None)),
        "blosc": filtered(32001, 1, 2, 3), "zstd": filtered(32015), "unknown": filtered(60_000),
        "nbit": filtered(5), "bzip2": filtered(307),
        "gzip-twice": filtered(1, 9),
    }.items()},
    **{f"samples-{name}": samples(value) for name, value in {
        "text": "many", "nan": np.nan, "infinite": np.inf, "negative": -6, "list": [6, 6],
        "huge": 2**63 - 1, "float": 6.5, "bytes": b"6", "nothing": h5py.Empty("f4"),
        "fields": np.zeros((), [("a", "f4")]), "unsigned": np.uint64(2**64 - 1),
    }.items()},
    **{f"total-{name}": attributes(total=value) for name, value in {
        "text": "all", "nan": np.nan, "huge": 2**62, "list": list(range(1000)),
    }.items()},
    **{f"env-{name}": attributes(env_args=value) for name, value in {
        "number": 5, "list": ["a", "b"], "bytes": b"\xff\xfe", "null": "null", "a-list": "[]",
        "not-json": "{", "deep": "[" * 30_000, "nothing": h5py.Empty("f4"),
        "400-digits": '{"env_kwargs": {"control_freq": ' + "9" * 400 + "}}",
        "1e999": '{"env_kwargs": {"control_freq": 1e999}}',
        "nan": '{"env_kwargs": {"control_freq": NaN}}',
        "text": '{"env_kwargs": {"control_freq": "fast"}}',
        "true": '{"env_kwargs": {"control_freq": true}}',
        "negative": '{"env_kwargs": {"control_freq": -1}}',
        "tiny": '{"env_kwargs": {"control_freq": 5e-324}}',
        "kwargs-list": '{"env_kwargs": [20]}', "kwargs-null": '{"env_kwargs": null}',
    }.items()},
    "data-linked-out": lambda file: (
        file.move("data", "kept"),
        file.__setitem__("data", h5py.ExternalLink(secret(file), "data")),
    ),
    "data-an-array": lambda file: (file.move("data", "kept"), file.__setitem__("data", STATE)),
    "demo-linked-out": instead(DEMO, lambda parent, name: link(
        h5py.ExternalLink(secret(parent), "data/demo_0"))(parent, name)),
    "demo-an-array": instead(DEMO, of(STATE)),
    "demo-gone": instead(DEMO, link(h5py.SoftLink("/nowhere"))),
    "obs-linked-out": instead(f"{DEMO}/obs", lambda parent, name: link(
        h5py.ExternalLink(secret(parent), "/"))(parent, name)),
    "obs-linked": instead(f"{DEMO}/obs", link(h5py.SoftLink("/data/demo_1/obs"))),
    "obs-an-array": instead(f"{DEMO}/obs", of(STATE)),
    "state-linked-out": instead(f"{DEMO}/obs/state", lambda parent, name: link(
        h5py.ExternalLink(secret(parent), "secret"))(parent, name)),
    "state-linked-to-the-other": instead(
        f"{DEMO}/obs/state", link(h5py.SoftLink("/data/demo_1/obs/state"))),
    "circle": circle,
    "doubled": doubled,
    "crowded": lambda file: [
        file[f"{DEMO}/obs"].__setitem__(f"state{i}", file[f"{DEMO}/obs/state"])
        for i in range(3000)
    ],
    "no-demos": lambda file: (file.__delitem__("data/demo_0"), file.__delitem__("data/demo_1")),
    "number-huge": lambda file: file.move(DEMO, "data/demo_" + "9" * 5000),
    "number-arabic": lambda file: file.move(DEMO, "data/demo_\u0663"),
    "number-negative": lambda file: file.move(DEMO, "data/demo_-1"),
    "number-twice": lambda file: file.move(DEMO, "data/demo_01"),
    "two-actions": lambda file: file[DEMO].create_dataset("action", data=ACTION[:6]),
}  # fmt: skip


def write(folder: Path) -> Iterator[Hostile]:
    for name, (options, change) in RIGHT.items():
        path = demos(folder / f"hdf5-{name}.hdf5", change, **options)
        yield Hostile(f"hdf5 {name}", path, True, ARRAYS)
    for name, change in FAULTS.items():
        yield Hostile(f"hdf5 {name}", demos(folder / f"hdf5-{name}.hdf5", change))
    whole = (folder / "hdf5-plain.hdf5").read_bytes()
    for name, content in {
        "nothing": b"",
        "magic": whole[:8],
        "cut": whole[:-100],
        "half": whole[: len(whole) // 2],
        "noise": whole[:600] + bytes(b ^ 85 for b in whole[600:1200]) + whole[1200:],
        "text": b"hello",
    }.items():
        (folder / f"hdf5-{name}.h5").write_bytes(content)
        yield Hostile(f"hdf5 file {name}", folder / f"hdf5-{name}.h5")
    os.mkfifo(folder / "hdf5-pipe.hdf5")
    yield Hostile("hdf5 pipe", folder / "hdf5-pipe.hdf5")
