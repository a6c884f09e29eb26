"""Images of single static programs, written without any container tool, and loading of images."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from native_cluster import layout, tools
from native_cluster.commands import run
from native_cluster.configuration import PAUSE_IMAGE
from native_cluster.terminal import ClusterError, phase

NOBODY = "65532:65532"
_LAYOUT = "bin"
"""Where the program is in the image: charts mount data at `/prometheus`."""
_IMPORT_TIMEOUT_SECONDS = 300
_MEMORY = layout.STATE / "loaded-images.json"


def image_of(module: tools.ToolModule) -> str:
    """Reference of the image of a module's only program, tagged by the program's content."""
    key = tools.folder_of(module).name.rpartition("-")[2]
    return f"serinus.dev/{module.name}:{key}-{_LAYOUT}"


def load_own_images() -> None:
    """Give the node the pause and Prometheus images, unless it has them."""
    load_program(PAUSE_IMAGE, tools.path_of(tools.PAUSE))
    load_program(image_of(tools.PROMETHEUS), tools.path_of(tools.PROMETHEUS))


def load_program(reference: str, program: Path) -> None:
    """Give the node an image of a program, unless it has one of that name."""
    if any(name.endswith(reference) for name in _references()):
        return
    archive = layout.STATE / f"{program.name}.tar"
    write_archive(archive, reference, program)
    load([archive])
    archive.unlink()


def load(archives: Sequence[Path]) -> None:
    """Import image archives into the node's containerd; what was imported before is passed over.

    Raises
    ------
    ClusterError
        If an archive isn't there, or isn't one.
    """
    memory = json.loads(_MEMORY.read_text()) if _MEMORY.exists() else {}
    present = set(_references())
    for archive in archives:
        if not archive.is_file():
            raise ClusterError("load", f"there is no archive {archive}")
        known = memory.get(_identity(archive))
        if known and set(known) <= present:
            continue
        with phase(f"loading {archive.name}"):
            local = ["--local"] if _ctr_imports_remotely() else []
            run(
                "containerd",
                [*_ctr(), "images", "import", *local, archive],
                timeout_seconds=_IMPORT_TIMEOUT_SECONDS,
            )
        memory[_identity(archive)] = sorted(set(_references()) & set(references_in(archive)))
    _MEMORY.write_text(json.dumps(memory, indent=1))


def references_in(archive: Path) -> list[str]:
    """Names of the images in an archive of docker's format; none for other formats."""
    return [tag for image in _manifest(archive) for tag in image.get("RepoTags") or ()]


def _manifest(archive: Path) -> list[dict[str, Any]]:
    with tarfile.open(archive) as content:
        if "manifest.json" not in content.getnames():
            return []
        manifest = content.extractfile("manifest.json")
        assert manifest is not None
        images: list[dict[str, Any]] = json.load(manifest)
        return images


def _identity(archive: Path) -> str:
    """What tells contents apart; not the time, which hack/images/build renews at each use."""
    configs = [str(image["Config"]) for image in _manifest(archive)]
    stat = archive.stat()
    content = " ".join(configs) or str(stat.st_mtime_ns)
    return f"{archive.resolve()} {stat.st_size} {content}"


def write_archive(archive: Path, reference: str, program: Path) -> None:
    """Write an image with nothing but `program` as its entry point (docker-archive layout)."""
    layer = _layer(program)
    layer_digest = hashlib.sha256(layer).hexdigest()
    config = json.dumps(
        {
            "architecture": _architecture(),
            "os": "linux",
            "config": {
                "Entrypoint": [f"/{_LAYOUT}/{program.name}"],
                "User": NOBODY,
                "WorkingDir": "/",
            },
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_digest}"]},
            "history": [{"created_by": "hack/cluster"}],
        }
    ).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    manifest = [{"Config": config_name, "RepoTags": [reference], "Layers": [f"{layer_digest}.tar"]}]
    with tarfile.open(archive, "w") as output:
        _add(output, config_name, config)
        _add(output, f"{layer_digest}.tar", layer)
        _add(output, "manifest.json", json.dumps(manifest).encode())


def _layer(program: Path) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as output:
        _add(output, f"{_LAYOUT}/{program.name}", program.read_bytes(), mode=0o755)
    return buffer.getvalue()


def _add(output: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    entry.mode = mode
    output.addfile(entry, io.BytesIO(content))


def _architecture() -> str:
    return run("go", ["go", "env", "GOARCH"]).strip()


def _ctr() -> list[str]:
    return ["ctr", "--address", str(layout.CONTAINERD_SOCKET), "--namespace", "k8s.io"]


def _ctr_imports_remotely() -> bool:
    """containerd 2 moved the import into the daemon and needs `--local` for the old way."""
    return "--local " in run("containerd", [*_ctr(), "images", "import", "--help"])


def _references() -> list[str]:
    return run("containerd", [*_ctr(), "images", "list", "--quiet"]).split()
