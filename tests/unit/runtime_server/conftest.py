"""Packages and clients shared by the tests of the model server."""

from collections.abc import Callable
from pathlib import Path

import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression

from serinus_runtime.artifact.packaging import Packaged
from tests.support.model_servers import Client, made
from tests.support.trained_models import fitted, one_hot, ordinal, packaged


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="session")
def two_classes(store: Path) -> Packaged:
    model = HistGradientBoostingClassifier(max_iter=20)
    return packaged(fitted(ordinal(), model, classes=(False, True)), store)


@pytest.fixture(scope="session")
def three_classes(store: Path) -> Packaged:
    model = LogisticRegression(max_iter=500)
    return packaged(fitted(one_hot(), model, classes=("early", "late", "on time")), store)


@pytest.fixture(scope="session")
def regression(store: Path) -> Packaged:
    model = HistGradientBoostingRegressor(max_iter=20)
    return packaged(fitted(ordinal(), model, classes=None), store)


@pytest.fixture
def client_of(store: Path) -> Callable[..., Client]:
    """client_of(package, MAX_BODY_BYTES="100"): a client of a fresh server."""
    return lambda package, **settings: Client(made(package, store, **settings))


@pytest.fixture
def client(client_of: Callable[..., Client], two_classes: Packaged) -> Client:
    return client_of(two_classes)
