"""The fake keeps the contract that the real API server keeps (tests/apiserver/test_kube.py)."""

import pytest

from tests.support.fake_kube import FakeKube
from tests.support.kube_contract import KubeContract


class TestFakeKube(KubeContract):
    @pytest.fixture
    def kube(self) -> FakeKube:
        return FakeKube()

    @pytest.fixture
    def namespace(self) -> str:
        return "flights"
