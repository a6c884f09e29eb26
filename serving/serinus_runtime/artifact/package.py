"""The package on disk: a directory with `manifest.json` and the files that it names.

Everything is read once, as bytes whose digest is known, and parsed from those bytes: what changes
on disk in between is never seen. Nothing in it is ever unpickled.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serinus_runtime.artifact import golden, plan_codec
from serinus_runtime.artifact import manifest as manifest_file
from serinus_runtime.artifact.archive import read_arrays
from serinus_runtime.artifact.errors import (
    AnswersDiffer,
    ArtifactChanged,
    ArtifactMissing,
    FormatRefused,
    refusing,
)
from serinus_runtime.artifact.manifest import (
    ARRAYS_FILE,
    EVALUATION_FILE,
    GOLDEN_FILE,
    MANIFEST_FILE,
    NATIVE_FILE,
    ONNX_FILE,
    Manifest,
)
from serinus_runtime.artifact.model import NATIVE, Model, Predictor
from serinus_runtime.artifact.plan_check import check_operations, check_plan
from serinus_runtime.artifact.plan_predictor import PlanPredictor
from serinus_runtime.digest import digest_of, read_file

_URI_PREFIX = "file:///store/"
_MODELS_FOLDER = "models"
_NAME_BYTES = 255


def directory_of(uri: str, store: Path) -> Path:
    """Directory of a `file:///store/models/…` address; raises `FormatRefused`.

    Other folders of the store hold what users bring: nothing there is taken for a model.
    """
    if not uri.startswith(_URI_PREFIX):
        raise FormatRefused(f"storageUri: expected {_URI_PREFIX}…, got {uri}")
    with refusing(f"storageUri: {uri!r}"):
        root = store.resolve()
        directory = (root / uri.removeprefix(_URI_PREFIX)).resolve()
    if max(len(os.fsencode(part)) for part in directory.parts) > _NAME_BYTES:
        raise FormatRefused(f"storageUri: {uri[:_NAME_BYTES]}…: a name is too long for a file")
    if not directory.is_relative_to(root):
        raise FormatRefused(f"storageUri: {uri} leads out of the store")
    if not directory.is_relative_to(root / _MODELS_FOLDER):
        raise FormatRefused(f"storageUri: expected {_URI_PREFIX}{_MODELS_FOLDER}/…, got {uri}")
    return directory


@dataclass(frozen=True, slots=True)
class Package:
    """A package whose manifest is that of its digest."""

    directory: Path
    digest: str
    manifest: Manifest

    def content(self, name: str) -> bytes:
        """Bytes of a file; raises `ArtifactError` unless they are those of the manifest."""
        entry = next(entry for entry in self.manifest.files if entry.name == name)
        return _read(self.directory, name, entry.digest)

    def model(self) -> Model:
        """The model; raises `ArtifactError`."""
        return Model(manifest=self.manifest, digest=self.digest, predictor=self._predictor())

    def _predictor(self) -> Predictor:
        manifest = self.manifest
        if manifest.plan is not None:
            arrays = read_arrays(self.content(ARRAYS_FILE), name=ARRAYS_FILE)
            plan = plan_codec.parse(manifest.plan, arrays)
            check_plan(plan, manifest.signature, n_answers=manifest.n_answers)
            return PlanPredictor(plan, len(manifest.signature.inputs))
        if manifest.onnx is not None:
            return self._onnx_predictor(manifest.onnx)
        # Only here, because it imports scikit-learn, which takes seconds.
        from serinus_runtime.artifact.native import load_native

        return load_native(self.content(NATIVE_FILE), manifest)

    def _onnx_predictor(self, document: Mapping[str, Any]) -> Predictor:
        # Only here, because it imports onnxruntime, which few models need.
        from serinus_runtime.artifact.onnx_predictor import OnnxPredictor

        arrays = read_arrays(self.content(ARRAYS_FILE), name=ARRAYS_FILE)
        with refusing(MANIFEST_FILE):
            operations = plan_codec.parse_operations(document["operations"], arrays)
        check_operations(operations, self.manifest.signature)
        return OnnxPredictor(operations, self.content(ONNX_FILE))


def _read(directory: Path, name: str, digest: str) -> bytes:
    try:
        content = read_file(directory / name)
    except FileNotFoundError as error:
        raise ArtifactMissing(name) from error
    found = digest_of(content)
    if found != digest:
        raise ArtifactChanged(name, digest, found)
    return content


def opened(directory: Path, digest: str) -> Package:
    """The package of a directory, once the manifest is found to be the digest's.

    Raises
    ------
    ArtifactError
        The package isn't there, was changed (the file is named), or isn't of our format.
    """
    if not directory.is_dir():
        raise ArtifactMissing(str(directory))
    content = _read(directory, MANIFEST_FILE, digest)
    return Package(directory, digest, manifest_file.parse(content))


def load(directory: Path, digest: str) -> Model:
    """The model of a package that is intact and answers here as it should.

    Raises
    ------
    ArtifactError
        A file is wrong, or the answer to a golden row.
    """
    package = opened(directory, digest)
    package.content(EVALUATION_FILE)
    golden_rows = golden.parse(package.content(GOLDEN_FILE))
    model = package.model()
    if model.predictor.kind == NATIVE:  # one alone may take a hundredth of a second
        golden_rows = golden.first(golden_rows, 1)
    problem = golden.first_difference(golden_rows, package.manifest.signature, model.predictor)
    if problem:
        raise AnswersDiffer(problem)
    return model
