"""Addresses to files: below the data folder only, unpacked, never trusting a name."""

import errno
import gzip
import io
import zipfile
from pathlib import Path

import pytest

from serinus_runtime.digest import digest_of
from serinus_runtime.features.disk_room import DiskRoom
from serinus_runtime.features.source_files import SourceFiles, local_files
from serinus_runtime.user_error import SourceError

CONTENT = b"a,b\n1,2\n"


class NoNetwork:
    def __call__(self, uri: str, target: Path, max_bytes: int) -> None:
        raise AssertionError(uri)


class Site:
    """A `Downloader` that answers from memory."""

    def __init__(self, pages: dict[str, bytes]) -> None:
        self.pages = pages

    def __call__(self, uri: str, target: Path, max_bytes: int) -> None:
        if uri not in self.pages:
            raise SourceError(f"{uri} answers 404 Not Found")
        target.write_bytes(self.pages[uri])


@pytest.fixture
def data(tmp_path: Path) -> Path:
    data = tmp_path / "data"
    data.mkdir()
    (data / "x.csv").write_bytes(CONTENT)
    (tmp_path / "secret.csv").write_bytes(b"secret")
    return data


def found(
    data: Path, *uris: str, site: Site | None = None, room_bytes: int = 1 << 20
) -> SourceFiles:
    scratch = data.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    download = site or NoNetwork()
    room = DiskRoom(room_bytes)
    return local_files("flights", uris, data=data, scratch=scratch, download=download, room=room)


def contents(files: SourceFiles) -> list[bytes]:
    return [file.path.read_bytes() for file in files.files]


def zipped(compression: int = zipfile.ZIP_STORED, /, **members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def damaged(compression: int) -> bytes:
    """A zip in which the compressed data of its one member were overwritten."""
    content = bytearray(zipped(compression, a=bytes(range(256)) * 40))
    content[31:60] = b"\xff" * 29
    return bytes(content)


def test_a_file_below_the_data_folder_is_read_with_its_digest(data: Path) -> None:
    files = found(data, "file:///data/x.csv")

    assert contents(files) == [CONTENT]
    assert files.inputs[0].digest == digest_of(CONTENT)
    assert files.inputs[0].size_bytes == len(CONTENT)


def test_a_glob_gives_all_its_files_in_order(data: Path) -> None:
    (data / "b").mkdir()
    (data / "b" / "2.csv").write_bytes(b"2")
    (data / "b" / "1.csv").write_bytes(b"1")

    assert contents(found(data, "file:///data/b/*.csv")) == [b"1", b"2"]


@pytest.mark.parametrize(
    ("uri", "told"),
    [
        ("file:///data/../secret.csv", "leads out"),
        ("file:///data/a/../../secret.csv", "leads out"),
        ("file:///data/%2e%2e/secret.csv", "leads out"),
        ("file:///data/../*.csv", "leads out"),
        ("file:///data/link.csv", "symbolic link leads out"),
        ("file:///data/folder/secret.csv", "symbolic link leads out"),
        ("file:///models/secret.csv", "is not in the store's data folder"),
        ("file:///etc/passwd", "is not in the store's data folder"),
        ("file:///data/none.csv", "doesn't exist"),
        ("file:///data/none*.csv", "matches no file"),
        ("file://host/x.csv", "three slashes"),
        ("file:///data/empty.csv", "is empty. Write it anew, or take it out of `files.uris`"),
    ],
)
def test_an_address_that_leads_nowhere_or_out_is_named(data: Path, uri: str, told: str) -> None:
    (data / "link.csv").symlink_to(data.parent / "secret.csv")
    (data / "folder").symlink_to(data.parent)
    (data / "empty.csv").touch()

    with pytest.raises(SourceError, match=told) as error:
        found(data, uri)

    assert str(error.value).startswith("source `flights`: file://")


def test_a_link_within_the_data_folder_is_followed(data: Path) -> None:
    (data / "latest.csv").symlink_to("x.csv")

    assert contents(found(data, "file:///data/latest.csv")) == [CONTENT]


def test_gzip_is_unpacked_and_its_digest_is_that_of_the_packed_bytes(data: Path) -> None:
    packed = gzip.compress(CONTENT, mtime=0)
    (data / "x.csv.gz").write_bytes(packed)

    files = found(data, "file:///data/x.csv.gz")

    assert contents(files) == [CONTENT]
    assert files.inputs[0].digest == digest_of(packed)


def test_all_files_of_a_zip_are_read(data: Path) -> None:
    (data / "x.zip").write_bytes(zipped(**{"a": b"1", "b": b"2", "__MACOSX/a": b"junk"}))

    assert contents(found(data, "file:///data/x.zip")) == [b"1", b"2"]


def test_a_name_in_a_zip_is_never_a_path(data: Path) -> None:
    (data / "x.zip").write_bytes(zipped(**{"up/../../out.csv": CONTENT}))

    files = found(data, "file:///data/x.zip")

    assert contents(files) == [CONTENT]
    assert not list(data.parent.rglob("out.csv"))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (zipped(), "holds no file"),
        (zipped(a=b""), "is empty"),
        (gzip.compress(CONTENT * 1000)[:-20], "can't be unpacked"),
        (zipped(a=CONTENT)[:-30], "can't be unpacked"),
        (damaged(zipfile.ZIP_DEFLATED), "can't be unpacked"),
        (damaged(zipfile.ZIP_BZIP2), "can't be unpacked"),
        (damaged(zipfile.ZIP_LZMA), "can't be unpacked"),
    ],
    ids=["no member", "empty member", "cut gzip", "cut zip", "deflate", "bzip2", "lzma"],
)
def test_a_broken_archive_is_named(data: Path, content: bytes, told: str) -> None:
    (data / "x.zip").write_bytes(content)

    with pytest.raises(SourceError, match=rf"source `flights`: file:///data/x\.zip.* {told}"):
        found(data, "file:///data/x.zip")


def test_a_fetched_file_is_read(data: Path) -> None:
    site = Site({"http://site/x.csv.gz": gzip.compress(CONTENT)})

    files = found(data, "http://site/x.csv.gz", site=site)

    assert contents(files) == [CONTENT]


def test_a_refused_fetch_names_the_source(data: Path) -> None:
    with pytest.raises(SourceError, match="source `flights`: http://site/y answers 404"):
        found(data, "http://site/y", site=Site({}))


def test_a_fetched_file_is_known_by_its_public_address(data: Path) -> None:
    uri = "http://site/x.csv?X-Signature=geheim"

    files = found(data, uri, site=Site({uri: CONTENT}))

    assert [file.uri for file in (*files.inputs, *files.files)] == ["http://site/x.csv"] * 2


BOMB = {f"{number}": bytes(400 << 10) for number in range(4)}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.zip", zipped(zipfile.ZIP_DEFLATED, **BOMB)),
        ("x.csv.gz", gzip.compress(bytes(2 << 20))),
    ],
)
def test_all_files_of_a_source_share_the_room_on_disk(
    data: Path, name: str, content: bytes
) -> None:
    (data / name).write_bytes(content)

    with pytest.raises(SourceError, match=rf"source `flights`: file:///data/{name}.* needs more"):
        found(data, f"file:///data/{name}")

    written = sum(path.stat().st_size for path in (data.parent / "scratch").rglob("content"))
    assert written <= 1 << 20


def test_what_was_fetched_takes_room_as_well(data: Path) -> None:
    site = Site({"http://site/x": bytes(700), "http://site/y": bytes(700)})

    with pytest.raises(SourceError, match="source `flights`: http://site/y needs more"):
        found(data, "http://site/x", "http://site/y", site=site, room_bytes=1000)


def test_a_disk_that_is_full_is_no_broken_archive(data: Path) -> None:
    class FullDisk:
        def __call__(self, uri: str, target: Path, max_bytes: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        local_files(
            "flights",
            ["http://site/x"],
            data=data,
            scratch=data.parent,
            download=FullDisk(),
            room=DiskRoom(1),
        )
