"""`.npz` files: archives of arrays whose headers, sizes and packing are a stranger's."""

import io
import os
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from case import Hostile, outside
from sound import ACTION, ARRAYS, ENDS, STATE

Members = dict[str, bytes]


def member(values: Any, **options: Any) -> bytes:
    made = io.BytesIO()
    np.lib.format.write_array(made, np.asanyarray(values), **options)
    return made.getvalue()


def headed(text: str, data: bytes = b"", version: bytes = b"\1\0") -> bytes:
    """An array whose header is what somebody typed."""
    padded = text.encode("latin1").ljust(118) + b"\n"
    size = struct.pack("<H" if version == b"\1\0" else "<I", len(padded))
    return b"\x93NUMPY" + version + size + padded + data


def says(shape: str, descr: str = "'<f4'", order: str = "False", data: bytes = bytes(48)) -> bytes:
    return headed(f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}", data)


def packed(path: Path, members: Members, how: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(path, "w", how) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, how)


SOUND: Members = {"state.npy": member(STATE), "action.npy": member(ACTION)}
SOUND |= {"episode_ends.npy": member(ENDS), "rate_hz.npy": member(np.float64(20))}

RIGHT: dict[str, Members] = {
    "plain": SOUND,
    "turned": {**SOUND, "state.npy": member(np.asfortranarray(STATE))},
    "big-endian": {**SOUND, "state.npy": member(STATE.astype(">f4"))},
    "version-2": {**SOUND, "state.npy": member(STATE, version=(2, 0))},
    "with-objects": {**SOUND, "note.npy": member(np.array([{}] * 12, object))},
    "with-text": {**SOUND, "note.npy": member(np.array(["a"] * 12))},
    "with-a-file": {**SOUND, "readme.txt": b"hello"},
    "with-a-date": {**SOUND, "day.npy": member(np.array(["2026-01-01"] * 12, "M8[D]"))},
    "with-complex": {**SOUND, "wave.npy": member(np.ones(12, complex))},
    "with-fields": {**SOUND, "pair.npy": member(np.zeros(12, [("a", "f4"), ("b", "O")]))},
    "with-a-lie": {**SOUND, "big.npy": says("(10**12,)".replace("10**12", "1" + "0" * 12))},
    "with-a-bad-name": {**SOUND, "\x1b[2J.npy": member(STATE), "../up.npy": member(STATE)},
    "with-a-path": {**SOUND, "/etc/x.npy": member(STATE), ".npy": member(STATE)},
}

SHAPES = {
    "negative": "(-12, 3)",
    "of-bool": "(True, 12)",
    "of-text": "('12',)",
    "a-list": "[12, 1]",
    "huge": f"({10**30},)",
    "400-digits": f"({'9' * 100}, {'9' * 10},)",
    "trillion": f"({10**12},)",
    "many": f"({'1, ' * 30})",
    "product": f"({2**32}, {2**32})",
    "empty-huge": f"(0, {10**12})",
    "float": "(12.0,)",
    "none": "None",
    "scalar": "()",
}
KINDS = {
    "object": "'|O'",
    "text": "'<U3'",
    "bytes": "'|S4'",
    "void": "'|V4'",
    "complex": "'<c8'",
    "date": "'<M8[s]'",
    "time": "'<m8[s]'",
    "long-double": "'<f16'",
    "fields": "[('a', '<f4'), ('b', '|O')]",
    "nested": "[('a', [('b', [('c', '|O')])])]",
    "sub": "('<f4', (1000000,))",
    "wide": "'|V2000000000'",
    "nonsense": "'zzz'",
    "number": "4",
    "code": "__import__('os').system('true')",
    "deep": "[" * 60 + "]" * 60,
}


def mangled(place: int, change: Callable[[bytes], bytes]) -> bytes:
    """A sound archive whose directory is changed where its last part begins."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in SOUND.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    data = made.getvalue()
    start = data.index(b"PK\1\2") + place
    return data[:start] + change(data[start:])


RAW: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "text": lambda: b"not an archive at all",
    "only-an-end": lambda: b"PK\5\6" + bytes(18),
    "a-plain-array": lambda: member(STATE),
    "a-pickle": lambda: b"\x80\x04cos\nsystem\n(S'true'\ntR.",
    "cut": lambda: mangled(0, lambda rest: b"")[:-30],
    "cut-in-the-directory": lambda: mangled(0, lambda rest: rest[:40]),
    "locked": lambda: mangled(8, lambda rest: b"\1" + rest[1:]),
    "packed-by-99": lambda: mangled(10, lambda rest: b"\x63" + rest[1:]),
    "another-checksum": lambda: mangled(16, lambda rest: b"\0\0\0\0" + rest[4:]),
    "larger-than-it-is": lambda: mangled(24, lambda rest: b"\xff\xff\xff\x7f" + rest[4:]),
    "packed-larger": lambda: mangled(20, lambda rest: b"\xff\xff\xff\x7f" + rest[4:]),
    "elsewhere": lambda: mangled(42, lambda rest: b"\xff\xff\xff\x7f" + rest[4:]),
}


def write(folder: Path) -> Iterator[Hostile]:
    def at(name: str) -> Path:
        return folder / f"npz-{name}.npz"

    for name, members in RIGHT.items():
        packed(at(name), members)
        yield Hostile(f"npz {name}", at(name), True, ARRAYS)
    for name, shape in SHAPES.items():
        packed(at(f"shape-{name}"), {**SOUND, "action.npy": says(shape)})
        yield Hostile(f"npz shape {name}", at(f"shape-{name}"))
    for name, kind in KINDS.items():
        packed(at(f"kind-{name}"), {**SOUND, "action.npy": says("(12,)", kind)})
        yield Hostile(f"npz kind {name}", at(f"kind-{name}"))
    for name, make in RAW.items():
        at(name).write_bytes(make())
        yield Hostile(f"npz {name}", at(name), arrays=ARRAYS)
    for name, members in others().items():
        packed(at(name), members)
        yield Hostile(f"npz {name}", at(name))
    packed(at("packed-by-bzip2"), SOUND, zipfile.ZIP_BZIP2)
    yield Hostile("npz packed by bzip2", at("packed-by-bzip2"), arrays=ARRAYS)
    packed(at("packed-by-lzma"), SOUND, zipfile.ZIP_LZMA)
    yield Hostile("npz packed by lzma", at("packed-by-lzma"), arrays=ARRAYS)
    os.mkfifo(at("pipe"))
    yield Hostile("npz pipe", at("pipe"))
    at("device").symlink_to("/dev/zero")
    yield Hostile("npz device", at("device"))
    packed(outside(folder) / "linked.npz", SOUND)
    with zipfile.ZipFile(at("twice"), "w") as archive:
        for content in (STATE, STATE * np.nan):
            archive.writestr(zipfile.ZipInfo("state.npy"), member(content))
        for part in ("action.npy", "episode_ends.npy"):
            archive.writestr(zipfile.ZipInfo(part), SOUND[part])
    yield Hostile("npz twice", at("twice"))


def others() -> dict[str, Members]:
    """Members that a set cannot do without, as they should not be."""
    ends = {
        "nothing": np.zeros(0, np.int64),
        "floats": np.array([6.0, 12.0]),
        "nan": np.array([6, np.nan]),
        "text": np.array(["6", "12"]),
        "objects": np.array([6, 12], object),
        "falling": np.array([12, 6]),
        "negative": np.array([-6, 12]),
        "beyond": np.array([6, 10**18]),
        "unsigned": np.array([6, 2**64 - 1], np.uint64),
        "square": np.array([[6, 12]]),
        "one": np.int64(12),
        "bools": np.array([True]),
    }
    found = {f"ends-{k}": {**SOUND, "episode_ends.npy": member(v)} for k, v in ends.items()}
    rates: dict[str, Any] = {
        "nan": np.nan,
        "infinite": np.inf,
        "negative": -1.0,
        "zero": 0,
        "text": "fast",
        "bool": True,
        "list": [20.0, 30.0],
        "huge": 1e308,
        "tiny": 5e-324,
        "complex": 1j,
        "object": np.array({}, object),
    }
    found |= {f"rate-{k}": {**SOUND, "rate_hz.npy": member(v)} for k, v in rates.items()}
    real = says(f"({300_000_000},)", "'|u1'", data=bytes(300_000_000))
    found |= {
        "bomb": {**SOUND, "action.npy": says("(12, 2)", data=bytes(10**7))},
        "too-little": {**SOUND, "zeros.npy": says(f"({10**9},)", "'|u1'", data=bytes(10**6))},
        "bomb-that-is": {**SOUND, "zeros.npy": real},
        "no-magic": {**SOUND, "action.npy": b"NUMPY" + bytes(100)},
        "version-9": {**SOUND, "action.npy": headed("{}", version=b"\x09\0")},
        "no-header": {**SOUND, "action.npy": b"\x93NUMPY\1\0\xff\xff"},
        "long-header": {**SOUND, "action.npy": headed("(" * 60_000)},
        "header-of-4-gb": {**SOUND, "action.npy": b"\x93NUMPY\2\0\xff\xff\xff\xff{"},
        "header-deep": {**SOUND, "action.npy": headed("(" * 9000 + ")" * 9000, version=b"\2\0")},
        "header-of-minus": {**SOUND, "action.npy": headed("-" * 9000 + "1", version=b"\2\0")},
        "header-nul": {**SOUND, "action.npy": headed("{\0}")},
        "short": {**SOUND, "action.npy": says("(12, 2)", data=bytes(7))},
        "nan": {**SOUND, "action.npy": member(ACTION * np.nan)},
        "no-ends": {"action.npy": member(ACTION)},
        "ends-only": {"episode_ends.npy": member(ENDS)},
        "empty": {},
        "crowded": {f"{i}.npy": SOUND["state.npy"] for i in range(3000)} | SOUND,
        "no-width": {**SOUND, "action.npy": member(np.zeros((12, 0), np.float32))},
        "five-dimensions": {**SOUND, "cube.npy": member(np.zeros((12, 2, 2, 2, 2)))},
    }
    return found
