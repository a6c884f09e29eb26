"""The servers: how each is installed, started and asked."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.serving.environments import environment_python
from benchmarks.serving.models import BenchModel
from benchmarks.serving.wire_forms import (
    BENTO,
    INVOCATIONS,
    LITSERVE,
    OPEN_INFERENCE,
    OVER_GRPC,
    ROWS,
    WireForm,
)

PROGRAMS = Path(__file__).parent / "programs"


@dataclass(frozen=True, slots=True)
class Started:
    """How a server is started for one model: command, and what is added to the environment."""

    command: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Server:
    """One contender.

    `lock` names its requirements in hack/requirements/peers; None: the project's own environment.
    """

    name: str
    lock: str | None
    form: WireForm
    start: Callable[[Path, BenchModel, int, Path], Started]

    def python(self) -> Path:
        """Interpreter of its environment, which is made at first use."""
        return Path(sys.executable) if self.lock is None else environment_python(self.lock)


def _program(file: str) -> Callable[[Path, BenchModel, int, Path], Started]:
    def start(python: Path, model: BenchModel, port: int, _folder: Path) -> Started:
        program = str(PROGRAMS / file)
        return Started((str(python), program, str(model.joblib_file), model.name, str(port)))

    return start


def _over_grpc(python: Path, model: BenchModel, port: int, folder: Path) -> Started:
    started = _ours(python, model, port, folder)
    return Started(started.command, {**started.variables, "SERINUS_GRPC_PORT": str(port + 1)})


def _kserve_over_grpc(python: Path, model: BenchModel, port: int, folder: Path) -> Started:
    started = _program("kserve_server.py")(python, model, port, folder)
    return Started((*started.command, str(port + 1)))


def _with_our_package(file: str) -> Callable[[Path, BenchModel, int, Path], Started]:
    def start(python: Path, model: BenchModel, port: int, _folder: Path) -> Started:
        package = (str(model.packaged.path), model.packaged.digest)
        return Started((str(python), str(PROGRAMS / file), *package, model.name, str(port)))

    return start


def _ours(python: Path, model: BenchModel, port: int, folder: Path) -> Started:
    key = folder / "key"
    key.write_bytes(b"k" * 32)
    store = model.packaged.path.parents[1]
    settings = {
        "DEPLOYMENT": model.name,
        "REVISION": "0123456789",
        "NAMESPACE": "default",
        "POD_UID": "a-pod",
        "MODEL_URI": f"file:///store/{model.packaged.path.relative_to(store)}",
        "MODEL_DIGEST": model.packaged.digest,
        "STORE": str(store),
        "FEEDBACK_KEY_FILE": str(key),
        "COHORT_LENGTH_SECONDS": "60",
        "HOST": "127.0.0.1",
        "PORT": str(port),
    }
    variables = {f"SERINUS_{name}": value for name, value in settings.items()}
    return Started((str(python), "-m", "serinus_runtime.server"), variables)


def _bento(python: Path, model: BenchModel, port: int, folder: Path) -> Started:
    command = [python.parent / "bentoml", "serve", "bento_service:Bench", "--port", str(port)]
    variables = {
        "BENCH_JOBLIB": str(model.joblib_file),
        "PYTHONPATH": str(PROGRAMS),
        "BENTOML_HOME": str(folder / "bentoml"),
        "BENTOML_DO_NOT_TRACK": "True",
    }
    return Started((*map(str, command), "--host", "127.0.0.1"), variables)


def _mlflow(python: Path, model: BenchModel, port: int, folder: Path) -> Started:
    saved = folder / f"mlflow-{model.name}"
    if not saved.exists():
        save = [python, PROGRAMS / "mlflow_save.py", model.joblib_file, saved]
        subprocess.run(save, check=True, capture_output=True)
    options = ["--model-uri", saved, "--env-manager", "local", "--port", port, "--workers", "1"]
    command = [python.parent / "mlflow", "models", "serve", *options]
    path = f"{python.parent}:/usr/local/bin:/usr/bin:/bin"
    return Started(tuple(map(str, command)), {"PATH": path})


def _mlserver(workers: int) -> Callable[[Path, BenchModel, int, Path], Started]:
    def start(python: Path, model: BenchModel, port: int, folder: Path) -> Started:
        home = folder / f"mlserver-{model.name}-{workers}"
        home.mkdir(exist_ok=True)
        settings = {
            "host": "127.0.0.1",
            "http_port": port,
            "grpc_port": port + 1,
            "metrics_port": port + 2,
            "parallel_workers": workers,
        }
        parameters = {"uri": str(model.joblib_file)}
        implementation = "mlserver_sklearn.SKLearnModel"
        document = {"name": model.name, "implementation": implementation, "parameters": parameters}
        (home / "settings.json").write_text(json.dumps(settings))
        (home / "model-settings.json").write_text(json.dumps(document))
        return Started((str(python.parent / "mlserver"), "start", str(home)))

    return start


def _ours_with_logs(python: Path, model: BenchModel, port: int, folder: Path) -> Started:
    """Each row to the prediction log, a line for each request to the access log."""
    started = _ours(python, model, port, folder)
    policy = folder / "policy.json"
    policy.write_text(
        json.dumps({"samplePercent": 100, "maxAgeSeconds": 3600, "maxSizeBytes": 1 << 30})
    )
    logs = {
        "SERINUS_PREDICTION_LOG": str(folder / f"log-{model.name}"),
        "SERINUS_PREDICTION_LOG_POLICY": str(policy),
        "SERINUS_PREDICTION_LOG_SECONDS": "5",
        "SERINUS_ACCESS_LOG": "true",
    }
    return Started(started.command, {**started.variables, **logs})


OURS = "serinus"
OURS_GRPC = "serinus, gRPC"
WITH_LOGS = "serinus, all logs on"
BY_ROWS = "serinus, rows"
CONTROL = "raw ASGI"
SERVERS = (
    Server(OURS, None, OPEN_INFERENCE, _ours),
    Server(WITH_LOGS, None, OPEN_INFERENCE, _ours_with_logs),
    Server(BY_ROWS, None, ROWS, _ours),
    Server(CONTROL, "fastapi", OPEN_INFERENCE, _program("raw_asgi.py")),
    Server("raw ASGI, our predictor", None, OPEN_INFERENCE, _with_our_package("same_predictor.py")),
    Server("floor, our predictor", None, OPEN_INFERENCE, _with_our_package("floor.py")),
    Server("FastAPI", "fastapi", OPEN_INFERENCE, _program("fastapi_server.py")),
    Server(OURS_GRPC, None, OVER_GRPC, _over_grpc),
    Server("KServe, gRPC", "kserve", OVER_GRPC, _kserve_over_grpc),
    Server("MLServer in process, gRPC", "mlserver", OVER_GRPC, _mlserver(0)),
    Server("KServe", "kserve", OPEN_INFERENCE, _program("kserve_server.py")),
    Server("MLServer", "mlserver", OPEN_INFERENCE, _mlserver(1)),
    Server("MLServer in process", "mlserver", OPEN_INFERENCE, _mlserver(0)),
    Server("MLflow", "mlflow", INVOCATIONS, _mlflow),
    Server("bentoml serve", "bentoml", BENTO, _bento),
    Server("LitServe", "litserve", LITSERVE, _program("litserve_server.py")),
)
