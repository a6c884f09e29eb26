"""Images that are written without any container tool."""

import hashlib
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from native_cluster import images


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    program = tmp_path / "prometheus"
    program.write_bytes(b"\x7fELF and so on")
    path = tmp_path / "image.tar"
    images.write_archive(path, "serinus.dev/prometheus:1", program)
    return path


def content(archive: Path, name: str) -> bytes:
    with tarfile.open(archive) as tar:
        member = tar.extractfile(name)
        assert member is not None
        return member.read()


def config(archive: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    (image,) = json.loads(content(archive, "manifest.json"))
    return image, json.loads(content(archive, image["Config"]))


def test_an_archive_tells_its_image_s_name(archive: Path) -> None:
    assert images.references_in(archive) == ["serinus.dev/prometheus:1"]


def test_digests_are_those_of_the_content(archive: Path) -> None:
    image, settings = config(archive)

    (layer,) = image["Layers"]
    digest = hashlib.sha256(content(archive, layer)).hexdigest()
    assert settings["rootfs"]["diff_ids"] == [f"sha256:{digest}"]
    assert (
        image["Config"] == f"{hashlib.sha256(content(archive, image['Config'])).hexdigest()}.json"
    )


def test_the_program_runs_as_a_user_that_kubernetes_can_see_is_not_root(
    archive: Path, tmp_path: Path
) -> None:
    image, settings = config(archive)
    layer = tmp_path / "layer.tar"
    layer.write_bytes(content(archive, image["Layers"][0]))

    with tarfile.open(layer) as tar:
        (entry,) = tar.getmembers()
    assert settings["config"]["User"] == "65532:65532"
    assert settings["config"]["Entrypoint"] == [f"/{entry.name}"]
    assert entry.mode & 0o111 == 0o111


def test_an_archive_of_another_format_names_nothing(tmp_path: Path) -> None:
    path = tmp_path / "oci.tar"
    with tarfile.open(path, "w") as tar:
        tar.addfile(tarfile.TarInfo("oci-layout"))

    assert images.references_in(path) == []
