"""The cluster that hack/cluster raises does what a cluster does, and hack/cluster keeps its word.

Independent of the operator: when these fail, look here before anywhere else.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from tests.support import machine_of_its_own
from tests.support.live_cluster import KubectlError, Namespace, kubectl

ROOT = Path(__file__).parents[2]
HACK_CLUSTER = ROOT / "hack/cluster"
NOBODY = 65532

# A Service refuses until its first endpoint has come round to the node.
ASK_UNTIL_ANSWERED = """\
import time, urllib.request
deadline = time.monotonic() + 10
while True:
    try:
        print(urllib.request.urlopen("http://web", timeout=5).read())
        break
    except OSError:
        if time.monotonic() > deadline:
            raise
        time.sleep(0.1)
"""

native_only = pytest.mark.skipif(
    os.environ.get("SERINUS_CLUSTER") != "native", reason="about the native cluster"
)


@pytest.fixture
def place() -> Iterator[Namespace]:
    """A new namespace that enforces the restricted PodSecurity standard, without the operator."""
    name = f"itself-{uuid.uuid4().hex[:8]}"
    kubectl("create", "namespace", name)
    kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
    yield Namespace(name)
    kubectl("delete", "namespace", name, "--wait=false")


def pod_spec(script: str, *, claim: str | None = None, port: int | None = None) -> dict[str, Any]:
    """A pod that runs a Python script as the restricted standard demands."""
    container: dict[str, Any] = {
        "name": "main",
        "image": os.environ["SERINUS_JOBS_IMAGE"],
        "command": ["python", "-c", script],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": NOBODY,
            "fsGroup": NOBODY,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
    }
    if claim:
        spec["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]
        container["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    if port:
        container["ports"] = [{"containerPort": port}]
        container["readinessProbe"] = {"tcpSocket": {"port": port}, "periodSeconds": 1}
    return spec


def job(name: str, script: str, *, claim: str | None = None) -> dict[str, Any]:
    template = {"spec": pod_spec(script, claim=claim)}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"backoffLimit": 0, "template": template},
    }


def run_job(place: Namespace, name: str, script: str, *, claim: str | None = None) -> str:
    """Run a Job to its end and return its pod's termination message."""
    place.apply(job(name, script, claim=claim))
    try:
        place.kubectl("wait", f"job/{name}", "--for=condition=Complete", "--timeout=60s")
    except KubectlError as error:
        logs = place.kubectl("logs", f"job/{name}", "--tail=20")
        raise AssertionError(f"{error}\n{logs}") from error
    pods = json.loads(
        place.kubectl("get", "pods", "-l", f"batch.kubernetes.io/job-name={name}", "-o", "json")
    )
    (status,) = pods["items"][0]["status"]["containerStatuses"]
    return str(status["state"]["terminated"].get("message", ""))


def claim(name: str, mode: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {"accessModes": [mode], "resources": {"requests": {"storage": "1Gi"}}},
    }


def web(place: Namespace) -> None:
    """A pod `server` that serves HTTP, ready, and its Service `web`."""
    script = (
        "import http.server as h, sys\n"
        "class Hello(h.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        self.send_response(200); self.end_headers(); self.wfile.write(b'hello')\n"
        "print('serving', flush=True)\n"
        "h.ThreadingHTTPServer(('', 8080), Hello).serve_forever()\n"
    )
    place.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "server", "labels": {"app": "web"}},
            "spec": pod_spec(script, port=8080),
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web"},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
        },
    )
    place.kubectl("wait", "pod/server", "--for=condition=Ready", "--timeout=60s")


def test_a_job_s_last_words_are_read(place: Namespace) -> None:
    script = "open('/dev/termination-log', 'w').write('42 rows')"

    assert run_job(place, "speak", script) == "42 rows"


@pytest.mark.parametrize("mode", ["ReadWriteOnce", "ReadWriteMany"])
def test_what_one_job_writes_to_a_claim_the_next_one_reads(place: Namespace, mode: str) -> None:
    place.apply(claim("data", mode))

    run_job(place, "write", "open('/data/x', 'w').write('kept')", claim="data")
    read = "open('/dev/termination-log', 'w').write(open('/data/x').read())"

    assert run_job(place, "read", read, claim="data") == "kept"


@native_only
def test_a_deleted_claim_takes_its_volume_and_its_files_along(place: Namespace) -> None:
    place.apply(claim("data", "ReadWriteOnce"))
    run_job(place, "write", "open('/data/x', 'w').write('kept')", claim="data")
    volume = place.kubectl("get", "pvc", "data", "-o", "jsonpath={.spec.volumeName}")
    folder = Path(kubectl("get", "pv", volume, "-o", "jsonpath={.spec.local.path}"))
    assert (folder / "x").read_text() == "kept"

    place.kubectl("delete", "job/write", "pvc/data", "--timeout=60s")
    kubectl("wait", f"pv/{volume}", "--for=delete", "--timeout=60s")

    assert not folder.exists()


def test_services_are_found_by_name_and_answer(place: Namespace) -> None:
    web(place)
    script = (
        f"{ASK_UNTIL_ANSWERED}\n"
        "import socket, urllib.request as u\n"
        f"names = ['web', 'web.{place.name}', 'web.{place.name}.svc.cluster.local']\n"
        "answers = {u.urlopen(f'http://{name}', timeout=5).read() for name in names}\n"
        "assert answers == {b'hello'}, answers\n"
        "socket.create_connection(('kubernetes.default', 443), timeout=5)\n"
    )

    run_job(place, "ask", script)


def test_a_pod_reaches_itself_through_its_service(place: Namespace) -> None:
    web(place)

    assert "hello" in place.kubectl("exec", "server", "--", "python", "-c", ASK_UNTIL_ANSWERED)


@native_only
def test_names_outside_the_cluster_are_denied_at_once(place: Namespace) -> None:
    script = (
        "import socket, time\n"
        "started = time.monotonic()\n"
        "try:\n"
        "    socket.getaddrinfo('example.com', 80)\n"
        "except socket.gaierror as error:\n"
        "    assert error.errno == socket.EAI_NONAME, error\n"
        "else:\n"
        "    raise AssertionError('it was found')\n"
        "assert time.monotonic() - started < 2\n"
    )

    run_job(place, "ask", script)


@native_only
def test_pods_have_no_way_out(place: Namespace) -> None:
    addresses = subprocess.run(
        ["ip", "-j", "-4", "address"], capture_output=True, text=True, check=True
    ).stdout
    outside = [
        address["local"]
        for interface in json.loads(addresses)
        if interface["ifname"] not in ("lo", "serinus0", "serinus-cni0")
        for address in interface["addr_info"]
    ]
    with socket.create_server(("0.0.0.0", 0)) as listener:
        port = listener.getsockname()[1]
        # The machine's own other addresses stand for the world: they are one hop nearer.
        script = (
            "import socket\n"
            f"for address in {outside!r}:\n"
            "    try:\n"
            f"        socket.create_connection((address, {port}), timeout=2)\n"
            "    except TimeoutError:\n"
            "        continue\n"
            "    raise AssertionError(f'reached {address}')\n"
        )

        run_job(place, "leave", script)


@native_only
def test_nothing_that_is_sent_to_a_dead_pod_leaves_the_machine() -> None:
    free_address = "10.212.255.254"

    with pytest.raises(OSError, match=r"No route|unreachable|timed out"):
        socket.create_connection((free_address, 80), timeout=2)
    route = subprocess.run(
        ["ip", "route", "get", free_address], capture_output=True, text=True, check=False
    )
    assert "serinus" in route.stdout or "unreachable" in route.stdout + route.stderr


def test_logs_and_exec_reach_a_pod(place: Namespace) -> None:
    web(place)

    assert place.kubectl("logs", "server") == "serving\n"
    assert place.kubectl(
        "exec", "server", "--", "python", "-c", "import os; print(os.getuid())"
    ) == (f"{NOBODY}\n")


def test_a_port_is_forwarded_to_loopback(place: Namespace) -> None:
    web(place)
    command = ["kubectl", "-n", place.name, "port-forward", "service/web", ":80"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as forward:
        try:
            assert forward.stdout is not None
            said = re.search(r"127\.0\.0\.1:(\d+)", forward.stdout.readline())
            assert said is not None
            with urlopen(f"http://127.0.0.1:{said[1]}/", timeout=10) as answer:
                assert answer.read() == b"hello"
        finally:
            forward.terminate()


def test_the_restricted_standard_is_enforced(place: Namespace) -> None:
    spec = pod_spec("pass")
    spec["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bold"}, "spec": spec}

    with pytest.raises(KubectlError, match="allowPrivilegeEscalation"):
        place.apply(pod)


def test_policies_written_in_cel_are_served() -> None:
    kinds = kubectl("api-resources", "--api-group=admissionregistration.k8s.io", "-o", "name")

    assert "validatingadmissionpolicies.admissionregistration.k8s.io" in kinds.split()


@pytest.mark.skipif("SERINUS_AUDIT_LOG" not in os.environ, reason="no audit log to read")
def test_writes_are_in_the_audit_log_with_their_user_agent(place: Namespace) -> None:
    place.kubectl("create", "configmap", "witness", "--from-literal=a=1")

    def found() -> list[dict[str, Any]]:
        lines = Path(os.environ["SERINUS_AUDIT_LOG"]).read_text().splitlines()
        events = [json.loads(line) for line in lines if place.name in line and "witness" in line]
        return [event for event in events if event["verb"] == "create"]

    deadline = time.monotonic() + 10
    while not found() and time.monotonic() < deadline:
        time.sleep(0.2)
    (event,) = found()
    assert event["userAgent"].startswith("kubectl")
    assert "requestObject" not in event


def hack_cluster(*words: str, script: Path = HACK_CLUSTER) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [script, *words], capture_output=True, text=True, timeout=120, check=False
    )


def pids() -> dict[str, str]:
    """Pids of the cluster's daemons as `hack/cluster status` tells them."""
    return dict(re.findall(r"^(\S+) .*, pid (\d+)$", hack_cluster("status").stderr, re.MULTILINE))


@native_only
def test_a_second_up_takes_seconds_and_restarts_nothing() -> None:
    before = pids()
    started = time.monotonic()

    done = hack_cluster("up")

    assert done.returncode == 0, done.stderr
    assert time.monotonic() - started < 10
    assert pids() == before
    assert len(before) == 9


@native_only
def test_up_mends_what_died_and_leaves_the_rest() -> None:
    before = pids()
    os.kill(int(before["volume-provisioner"]), signal.SIGKILL)

    told = hack_cluster("status")
    mended = hack_cluster("up")

    assert told.returncode == 1
    assert re.search(r"^volume-provisioner\s+isn't running", told.stderr, re.MULTILINE)
    assert mended.returncode == 0, mended.stderr
    after = pids()
    assert after.pop("volume-provisioner") != before.pop("volume-provisioner")
    assert after == before


@native_only
def test_another_checkout_shares_the_cluster_and_takes_it_from_nobody(tmp_path: Path) -> None:
    for part in ("cluster", "native_cluster", "tools"):
        source, target = ROOT / "hack" / part, tmp_path / "hack" / part
        target.parent.mkdir(exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy2(source, target)
    theirs = tmp_path / "hack/cluster"
    before = pids()

    joined = hack_cluster("up", script=theirs)
    told = hack_cluster("status")
    left = hack_cluster("down", script=theirs)

    assert joined.returncode == 0, joined.stderr
    assert f"used by {tmp_path}" in told.stderr
    assert left.returncode == 0, left.stderr
    assert "left it running: " in left.stderr
    assert str(ROOT) in left.stderr
    assert pids() == before
    assert f"used by {tmp_path}" not in hack_cluster("status").stderr


@native_only
def test_another_checkout_with_other_settings_doesn_t_change_the_cluster(tmp_path: Path) -> None:
    for part in ("native_cluster", "tools"):
        shutil.copytree(ROOT / "hack" / part, tmp_path / "hack" / part)
    theirs = Path(shutil.copy2(HACK_CLUSTER, tmp_path / "hack/cluster"))
    settings = tmp_path / "hack/native_cluster/configuration.py"
    settings.write_text(settings.read_text().replace('"maxPods": 200', '"maxPods": 20'))
    before = pids()

    joined = hack_cluster("up", script=theirs)
    left = hack_cluster("down", script=theirs)

    assert "from other programs or settings than here" in joined.stderr
    assert left.returncode == 0, left.stderr
    assert pids() == before


@native_only
@pytest.mark.timeout(240)
def test_up_and_down_leave_the_machine_as_it_was(tmp_path: Path) -> None:
    script = f"""
    cd {ROOT}
    machine >{tmp_path}/before
    hack/cluster up
    eval "$(hack/cluster env)"
    config=/var/lib/serinus-cluster/config/containerd.toml
    image=$(awk -F'"' '/sandbox_image/ {{ print $2 }}' $config)
    kubectl create deployment idle --replicas=3 --image="$image"
    kubectl rollout status deployment.apps/idle --timeout=60s
    machine >{tmp_path}/between
    hack/cluster down
    machine >{tmp_path}/after
    """

    done = machine_of_its_own.run(script)

    assert done.returncode == 0, done.stdout + done.stderr
    before, between, after = (
        set((tmp_path / name).read_text().splitlines()) for name in ("before", "between", "after")
    )
    assert len(between - before) > 100  # else this test would see nothing at all
    assert after - before <= {"path /run/lock/serinus-cluster.lock"}
    assert not before - after


@native_only
@pytest.mark.timeout(240)
def test_a_component_that_can_t_start_is_named_with_its_last_words_and_up_goes_on_later() -> None:
    script = f"""
    cd {ROOT}
    python3 -m http.server --bind 127.0.0.1 23790 >/dev/null 2>&1 &
    squatter=$!
    until ss -ltn | grep -q :23790; do sleep 0.1; done
    if hack/cluster up; then exit 1; fi
    kill $squatter
    hack/cluster up && hack/cluster status
    """

    done = machine_of_its_own.run(script)

    assert done.returncode == 0, done.stderr
    failure = done.stderr[done.stderr.index("error: ") :].splitlines()
    assert failure[0] == "error: etcd: ended while it started"
    assert failure[1] == "--- the end of /var/lib/serinus-cluster/logs/etcd.log"
    assert "bind: address already in use" in "".join(failure[2:22])
