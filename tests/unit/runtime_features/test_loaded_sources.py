"""Sources become tables one after the other, and leave no file behind."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from serinus.api.featureset import FeatureSetSpec
from serinus_runtime.features.engine import Engine
from serinus_runtime.features.loaded_sources import load_sources
from serinus_runtime.user_error import TransformError
from tests.support.feature_sets import DataPlane, feature_set, source


class Witness:
    """A `Downloader` that looks at the scratch folder before each fetch."""

    def __init__(self, scratch: Path, content: bytes) -> None:
        self.scratch = scratch
        self.content = content
        self.seen: list[int] = []

    def __call__(self, uri: str, target: Path, max_bytes: int) -> None:
        self.seen.append(sum(path.is_file() for path in self.scratch.rglob("*")))
        target.write_bytes(self.content)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    spill = tmp_path / "spill"
    spill.mkdir()
    engine = Engine(spill)
    yield engine
    engine.close()


def spec_of(*names: str) -> FeatureSetSpec:
    files = {"uris": ["http://site/flights.csv"], "format": "csv"}
    sources = [source(name=name, files=files, columns=[]) for name in names]
    return FeatureSetSpec.model_validate(feature_set(sources=sources))


def test_files_of_a_source_are_gone_when_the_next_is_fetched_and_at_the_end(
    plane: DataPlane, engine: Engine
) -> None:
    around = plane.surroundings()
    witness = Witness(around.scratch, (plane.store.data / "flights.csv").read_bytes())

    inputs = load_sources(spec_of("a", "b"), engine, replace(around, download=witness))

    assert witness.seen == [0, 0]
    assert list(around.scratch.iterdir()) == []
    assert [file.uri for file in inputs["b"]] == ["http://site/flights.csv"]
    assert "delay" in engine.columns("a")


def test_a_source_without_files_is_told(plane: DataPlane, engine: Engine) -> None:
    spec = spec_of("a")
    without = spec.model_copy(
        update={"sources": [spec.sources[0].model_copy(update={"files": None})]}
    )

    with pytest.raises(TransformError, match="source `a`: set `files`"):
        load_sources(without, engine, plane.surroundings())
