"""Archives are unpacked within bounds, whatever they say of themselves."""

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from serinus_runtime.artifact import archive
from serinus_runtime.artifact.archive import array_bytes, array_shape, packed, read_arrays, unpacked
from serinus_runtime.artifact.errors import FormatRefused
from tests.support.skops_files import npy, npy_header, zipped


def test_arrays_come_back_from_bytes_that_depend_on_them_only() -> None:
    arrays = {
        "b": np.array([[1.5, np.nan], [-0.0, np.inf]]),
        "a": np.array([1, 2], dtype=np.int32),
        "none": np.empty((0, 3)),
    }

    content = array_bytes(arrays)
    again = read_arrays(content, name="arrays.npz")

    assert content == array_bytes(dict(reversed(arrays.items())))
    assert again.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(again[name], array)
        assert again[name].dtype == array.dtype


def test_numpys_own_archives_are_read() -> None:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, x=np.arange(3.0))

    assert read_arrays(buffer.getvalue(), name="x.npz")["x"].tolist() == [0.0, 1.0, 2.0]


def test_a_zip_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "UNPACKED_BYTES", 1 << 20)
    bomb = zipped({"a.npy": bytes(64 << 20)})

    with pytest.raises(FormatRefused, match=r"x.npz: \d+ bytes would unpack to 67108864, at most"):
        unpacked(bomb, name="x.npz")


def test_many_members_count_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "UNPACKED_BYTES", 1 << 20)
    bomb = zipped({f"a{number}.npy": bytes(1 << 20) for number in range(64)})

    with pytest.raises(FormatRefused, match="would unpack to 67108864"):
        unpacked(bomb, name="x.npz")


def resized(content: bytes, size: int) -> bytes:
    """An archive of one member that says another unpacked size, in both of its headers."""
    local, central = content.index(b"PK\x03\x04"), content.index(b"PK\x01\x02")
    changed = bytearray(content)
    struct.pack_into("<I", changed, local + 22, size)
    struct.pack_into("<I", changed, central + 24, size)
    return bytes(changed)


def test_a_member_that_lies_about_its_size_is_refused_without_unpacking_the_rest() -> None:
    bomb = zipped({"a.npy": bytes(64 << 20)})

    with pytest.raises(FormatRefused, match="BadZipFile"):
        unpacked(resized(bomb, 1000), name="x.npz")
    with pytest.raises(FormatRefused, match="is shorter than it says"):
        unpacked(resized(zipped({"a.npy": bytes(100)}), 1000), name="x.npz")


def with_name(name: str) -> bytes:
    return zipped({name: b"1"})


def twice() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as both:
        both.writestr("a.npy", b"1")
        with pytest.warns(UserWarning, match="Duplicate name"):
            both.writestr("a.npy", b"2")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "name",
    ["../a.npy", "/etc/passwd", "a/b.npy", "..", "a.npy\n", "a\\b.npy", "C:a.npy", "a" * 90],
)
def test_a_name_that_isnt_plain_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(FormatRefused):
        unpacked(with_name(name), name="x.npz")

    assert list(tmp_path.parent.glob("*.npy")) == []


def encrypted() -> bytes:
    changed = bytearray(zipped({"a.npy": b"1"}))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        changed[changed.index(signature) + offset] |= 1
    return bytes(changed)


def damaged() -> bytes:
    content = bytearray(zipped({"a.npy": bytes(range(256))}, compression=zipfile.ZIP_STORED))
    content[60] ^= 0xFF
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "BadZipFile"),
        (b"no archive", "BadZipFile"),
        (npy(np.zeros(3)), "BadZipFile"),
        (zipped({"a.npy": b"1"}, compression=zipfile.ZIP_LZMA), "packed in another way"),
        (zipped({"a.npy": b"1"}, compression=zipfile.ZIP_BZIP2), "packed in another way"),
        (encrypted(), "packed in another way"),
        (damaged(), "x.npz: can't be read"),
        (zipped({"a.npy": b"1"})[:-30], "x.npz: can't be read"),
    ],
    ids=["empty", "text", "array", "lzma", "bzip2", "encrypted", "damaged", "cut short"],
)
def test_what_is_no_archive_of_ours_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(FormatRefused, match=message):
        unpacked(content, name="x.npz")


def test_two_members_of_one_name_are_refused() -> None:
    with pytest.raises(FormatRefused, match="two members have one name"):
        unpacked(twice(), name="x.npz")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (npy_header("(10**12,)"), "ValueError"),
        (npy_header("(1000000000000,)"), "takes 8000000000000 bytes, not 0"),
        (npy_header("(2305843009213693952, 8)"), "bytes, not 0"),  # 2**64 in all: wraps to nothing
        (npy_header("(-1, -1)"), "the shape"),
        (npy_header("(0, 10000000000)") + b"rest", "takes 0 bytes, not 4"),
        (npy_header("(1,)", descr="|O") + bytes(8), "without pickle"),
        (b"\x93NUMPY\x09\x00", "isn't ours"),
        (b"", "ValueError"),
        (b"cos\nsystem\n(S'true'\ntR.", "ValueError"),
    ],
    ids=[
        "no number",
        "terabytes",
        "overflow",
        "negative",
        "more than asked",
        "objects",
        "version",
        "empty",
        "pickle",
    ],
)
def test_an_array_holds_what_its_shape_asks_for_or_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(FormatRefused, match=message):
        array_shape(content, name="a.npy")
    with pytest.raises(FormatRefused):
        read_arrays(packed({"a.npy": content}), name="x.npz")
