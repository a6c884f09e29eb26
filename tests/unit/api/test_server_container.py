"""A server of one's own is checked field by field."""

from typing import Any

import pytest
from pydantic import ValidationError

from serinus.api.server_container import ServerContainer

LEAST: dict[str, Any] = {
    "image": "registry.example.com/iris:1", "port": 3000, "probes": {"readyPath": "/readyz"},
}  # fmt: skip


def test_image_port_and_readiness_are_enough() -> None:
    assert ServerContainer.model_validate(LEAST).metrics is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"image": ""},
        {"port": 0},
        {"port": 65536},
        {"probes": {}},
        {"probes": {"readyPath": "readyz"}},
        {"probes": {"readyPath": "/a b"}},
        {"probes": {"readyPath": "/", "startupSeconds": 0}},
        {"metrics": {"profile": "mlflow"}},
        {"args": ["x"] * 65},
    ],
)
def test_what_can_t_be_meant_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ServerContainer.model_validate(LEAST | wrong)
