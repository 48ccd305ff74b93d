"""Messages: what openpi's client sends is read, and nothing but what may be."""

import tracemalloc

import msgpack
import numpy as np
import pytest
from openpi_client import msgpack_numpy

from steadyhand.errors import MessageError
from steadyhand.runtime.wire import DTYPES, pack, unpack


def array(data: bytes, dtype="<f4", shape=(1,)) -> bytes:
    kept = {b"__ndarray__": True, b"data": data, b"dtype": dtype, b"shape": shape}
    return msgpack.packb({"a": kept})


def test_messages_are_those_of_openpi_in_both_directions() -> None:
    message = {
        "numbers": np.arange(6, dtype=np.float32).reshape(2, 3),
        "picture": np.full((2, 2, 3), 200, np.uint8),
        "turned": np.arange(3, dtype=">i4"),
        "none": np.zeros((0, 2)),
        "truth": np.array([True, False]),
        "one": np.float32(0.5),
        "prompt": "open the door",
        "nested": {"list": [1, 2.5, None]},
    }
    assert pack(message) == msgpack_numpy.packb(message)
    ours, theirs = unpack(pack(message)), msgpack_numpy.unpackb(pack(message))
    for name, value in message.items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(ours[name], theirs[name])
            assert ours[name].dtype == value.dtype.newbyteorder("=")
        else:
            assert ours[name] == value
    assert type(ours["one"]) is np.float32


def test_every_kind_of_number_comes_back_with_its_bits() -> None:
    for text, dtype in DTYPES.items():
        assert dtype.kind in "biuf"
        assert dtype.itemsize <= 8
        sent = np.array([0, 1], dtype)
        found = unpack(pack({"a": sent}))["a"]
        np.testing.assert_array_equal(found, sent)
        assert found.dtype.isnative, text


def deep(value: object, levels: int) -> object:
    return value if levels == 0 else [deep(value, levels - 1)]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not msgpack"),
        (b"\xc1", "not msgpack"),
        (b"\x81\xa1\xff\x01", "not msgpack"),
        (b"\x91" * 3000, "not msgpack"),
        (b"\xdd\xff\xff\xff\xff", "not msgpack"),
        (b"\xdf\xff\xff\xff\xff", "not msgpack"),
        (b"\x81\xa1a\xc6\xff\xff\xff\xff", "not msgpack"),
        (pack({"a": 1}) + b"\x01", "not msgpack"),
        (msgpack.packb({1: 2}), "not msgpack"),
        (msgpack.packb([1]), "not a list"),
        (msgpack.packb("text"), "not a text"),
        (msgpack.packb({"a": b"bytes"}), "holds no bytes"),
        (msgpack.packb({b"a": 1}), "names in a message are texts"),
        (msgpack.packb({"a": msgpack.ExtType(5, b"x")}), "no extension types"),
        (msgpack.packb({"a": msgpack.Timestamp(1)}), "holds no Timestamp"),
        (msgpack.packb({"a": deep(1, 4)}), "more than 4 deep"),
        (msgpack.packb({"a": [[]] * 1024 + []}), "more than 1024 maps and lists"),
        (array(b"1234", "|O"), "holds '|O'"),
        (array(b"1234", "|V4"), "holds '|V4'"),
        (array(b"12345678", "<c8"), "holds '<c8'"),
        (array(b"1234", "<U1"), "holds '<U1'"),
        (array(b"1" * 16, "<f16"), "holds '<f16'"),
        (array(b"1" * 8, "<M8[s]"), "holds '<M8"),
        (array(b"1234", "f4,f4"), "holds 'f4,f4'"),
        (array(b"1234", 7), "holds 7"),
        (array(b"1234", "<f4", (2,)), "came with 4 bytes"),
        (array(b"1234", "<f4", (-1,)), "not the shape"),
        (array(b"1234", "<f4", (True,)), "not the shape"),
        (array(b"1234", "<f4", 1), "not the shape"),
        (array(b"", "<f4", (2**31, 2**31)), "came with 0 bytes"),
        (array(b"", "<f4", (2**62, 0)), "not the shape"),
        (array(b"1234", "<f4", (1,) * 9), "at most 8 axes"),
        (array(None), "came with no bytes"),
        (msgpack.packb({"a": {b"__npgeneric__": True, b"dtype": "<f4"}}), "without its number"),
        (
            msgpack.packb({"a": {b"__npgeneric__": True, b"data": 999, b"dtype": "|i1"}}),
            "not msgpack",
        ),
    ],
)
def test_what_may_not_be_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(MessageError, match=said.replace("|", r"\|").replace("[", r"\[")):
        unpack(data)


def test_nothing_is_made_of_a_size_that_only_is_declared() -> None:
    small = [
        array(b"1234", "<f8", (2**31,)),
        b"\xdc\x04\x00" * 1000,  # lists of 1,024 within each other
        b"\x81\xa1a\xdc\x04\x00" + b"\x80" * 1024,  # many maps in few bytes
    ]
    unpack(pack({"a": 1}))
    tracemalloc.start()
    for data in small:
        with pytest.raises(MessageError):
            unpack(data)
    assert tracemalloc.get_traced_memory()[1] < 12 << 20
    tracemalloc.stop()


def test_any_byte_may_come_where_a_truth_value_belongs() -> None:
    found = unpack(array(b"\x00\x01\x02\xff", "|b1", (4,)))["a"]
    assert found.dtype == bool
    assert found.view(np.uint8).tolist() == [0, 1, 1, 1]


def test_what_is_no_message_is_not_sent() -> None:
    with pytest.raises(MessageError, match="numbers alone"):
        pack({"a": np.array(["words"])})
    with pytest.raises(TypeError):
        pack({"a": object()})
