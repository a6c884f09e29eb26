"""Programs built from the Go modules below `hack/tools`, cached outside the checkout.

A cache entry is keyed by all that the binary depends on: the module's files, the build flags and
Go's version. Modules are apart because their dependencies disagree.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from native_cluster import layout
from native_cluster.commands import run
from native_cluster.sharing import exclusive
from native_cluster.terminal import ClusterError, say

KUBERNETES_VERSION = "v1.36.3"
PROGRESS_EVERY_SECONDS = 15.0


@dataclass(frozen=True)
class ToolModule:
    """A Go module and the programs that it gives."""

    name: str
    packages: tuple[str, ...]
    ldflags: str = "-s -w"
    tags: str = ""
    binary: str | None = None
    """Name of the only program, where its package's name isn't it."""
    module: str = ""
    """Its folder in hack/tools, where its name isn't it."""

    @property
    def folder(self) -> Path:
        """Where the module is."""
        return layout.TOOL_MODULES / (self.module or self.name)

    @property
    def binaries(self) -> tuple[str, ...]:
        """Names of the programs."""
        if self.binary:
            return (self.binary,)
        return tuple(package.rpartition("/")[2] for package in self.packages)


_VERSION_VARIABLE = "k8s.io/component-base/version"
_KUBERNETES_LDFLAGS = (
    f"-s -w -X {_VERSION_VARIABLE}.gitVersion={KUBERNETES_VERSION}"
    f" -X {_VERSION_VARIABLE}.gitMajor=1"
    f" -X {_VERSION_VARIABLE}.gitMinor={KUBERNETES_VERSION.split('.')[1]}"
    f" -X {_VERSION_VARIABLE}.gitTreeState=clean"
)
KUBERNETES = ToolModule(
    "kubernetes",
    tuple(
        f"k8s.io/kubernetes/cmd/{program}"
        for program in (
            "kube-apiserver",
            "kube-controller-manager",
            "kube-scheduler",
            "kubelet",
            "kube-proxy",
            "kubectl",
        )
    ),
    ldflags=_KUBERNETES_LDFLAGS,
)
# The client alone, for clusters that bring their own servers.
KUBECTL = ToolModule(
    "kubectl", ("k8s.io/kubernetes/cmd/kubectl",), ldflags=_KUBERNETES_LDFLAGS, module="kubernetes"
)
ETCD = ToolModule("etcd", ("go.etcd.io/etcd/server/v3",), binary="etcd")
HELM = ToolModule("helm", ("helm.sh/helm/v4/cmd/helm",))
COREDNS = ToolModule("coredns", (".",), binary="coredns")
PAUSE = ToolModule("pause", (".",), binary="pause")
PROMETHEUS = ToolModule(
    "prometheus",
    ("github.com/prometheus/prometheus/cmd/prometheus",),
    tags="netgo,remove_all_sd,enable_kubernetes_sd",
)
KIND = ToolModule("kind", ("sigs.k8s.io/kind",))
TRAEFIK = ToolModule("traefik", ("github.com/traefik/traefik/v3/cmd/traefik",))
KUBECONFORM = ToolModule("kubeconform", ("github.com/yannh/kubeconform/cmd/kubeconform",))

CLUSTER_MODULES = (KUBERNETES, ETCD, COREDNS, PAUSE, HELM, PROMETHEUS)
TEST_MODULES = (KUBERNETES, ETCD, HELM, KUBECONFORM, PROMETHEUS)
KEPT_BUILDS = 3
"""Of each module: going back and forth between branches builds nothing."""


def cache_key(module: ToolModule, go_version: str) -> str:
    """Hash of all that the module's programs depend on, 16 hex digits."""
    parts = [module.ldflags, module.tags, *module.packages, go_version]
    digest = hashlib.sha256("\0".join(parts).encode())
    for path in sorted(module.folder.rglob("*")):
        if path.is_file():
            digest.update(f"\0{path.relative_to(module.folder)}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def folder_of(module: ToolModule) -> Path:
    """Cache folder of the module's programs."""
    go_version = os.environ.get("GOTOOLCHAIN", "") + _go_version()
    return layout.CACHE / "tools" / f"{module.name}-{cache_key(module, go_version)}"


def path_of(module: ToolModule, binary: str | None = None) -> Path:
    """Path of one program of the module."""
    return folder_of(module) / (binary or module.binaries[0])


_GO_VERSION: list[str] = []


def _go_version() -> str:
    if not _GO_VERSION:
        _GO_VERSION.append(run("go", ["go", "env", "GOVERSION"]).strip())
    return _GO_VERSION[0]


def ensure(modules: tuple[ToolModule, ...]) -> None:
    """Build what isn't in the cache yet, telling how far it is and how long each took.

    Raises
    ------
    ClusterError
        If there is no Go, or a build fails; the message names the module.
    """
    if shutil.which("go") is None:
        raise ClusterError(
            "go",
            "not installed; the cluster's programs are built with Go 1.26 or newer. Install it, or "
            "start Docker (then kind is used), or name a cluster in SERINUS_KUBECONFIG",
        )
    for module in modules:
        if not folder_of(module).is_dir():
            with exclusive(layout.CACHE / "tools" / f"{module.name}.lock", str(layout.CHECKOUT)):
                if not folder_of(module).is_dir():  # who held the lock may have built it
                    _build(module)


def _build(module: ToolModule) -> None:
    target = folder_of(module)
    started = time.monotonic()
    say(f"  building {', '.join(module.binaries)} …")
    log = layout.CACHE / "tools" / f"{module.name}.log"
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".build-") as scratch:
        output = Path(scratch) / "out"
        output.mkdir()
        _run_build(build_command(module, output), module, log)
        output.rename(target)
    say(f"  building {', '.join(module.binaries)}: {time.monotonic() - started:.0f} s")
    _drop_old_builds(module)


def build_command(module: ToolModule, output: Path) -> list[str]:
    """Render the command that writes the module's programs into `output`."""
    command = ["nice", "-n", "5", "go", "build", "-v", "-mod=readonly", "-trimpath"]
    command += ["-buildvcs=false", "-ldflags", module.ldflags]
    if module.tags:
        command += ["-tags", module.tags]
    destination = str(output / module.binary) if module.binary else f"{output}/"
    return [*command, "-o", destination, *module.packages]


def _run_build(command: list[str], module: ToolModule, log: Path) -> None:
    """Run a build; `go build -v` writes a line for each package that it compiles."""
    env = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"}
    started = told = time.monotonic()
    packages = 0
    with (
        log.open("w") as copy,
        subprocess.Popen(
            command,
            cwd=module.folder,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            copy.write(line)
            packages += 1
            now = time.monotonic()
            if now - told > PROGRESS_EVERY_SECONDS:
                told = now
                say(f"    {module.name}: {packages} packages in {now - started:.0f} s")
    if process.returncode:
        raise ClusterError(f"build of {module.name}", "failed", log)


def _drop_old_builds(module: ToolModule) -> None:
    builds = layout.CACHE.glob(f"tools/{module.name}-{'[0-9a-f]' * 16}")
    for old in sorted(builds, key=lambda path: path.stat().st_mtime)[:-KEPT_BUILDS]:
        shutil.rmtree(old)
