"""Writing a package: all its files at once, under the digest of its manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from serinus_runtime.artifact import manifest as manifest_file
from serinus_runtime.artifact.manifest import MANIFEST_FILE, FileEntry, Manifest
from serinus_runtime.digest import digest_of, hex_of, read_file
from serinus_runtime.store import publish_directory, scratch_directory, withdraw_directory


def publish(manifest: Manifest, files: Mapping[str, bytes], parent: Path) -> tuple[Path, str]:
    """Write a package below `parent`; its path and digest.

    `manifest.files` is filled in here. A package that is there already is left as it is, unless
    one of its files was lost or changed: then this one takes its place.
    """
    entries = tuple(
        FileEntry(name=name, digest=digest_of(content), size_bytes=len(content))
        for name, content in sorted(files.items())
    )
    rendered = manifest_file.render(replace(manifest, files=entries))
    digest = digest_of(rendered)
    target = parent / hex_of(digest)
    contents = {**files, MANIFEST_FILE: rendered}
    if target.is_dir():
        if _is_intact(target, contents):
            return target, digest
        withdraw_directory(target)
    with scratch_directory(parent) as scratch:
        for name, content in contents.items():
            (scratch / name).write_bytes(content)
        publish_directory(scratch, target)
    return target, digest


def _is_intact(directory: Path, contents: Mapping[str, bytes]) -> bool:
    try:
        return all(read_file(directory / name) == content for name, content in contents.items())
    except FileNotFoundError:
        return False
