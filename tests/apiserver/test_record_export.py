"""Records leave a real API server: by the command line, and by the Job of the chart."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from serinus.api.deployment_status import PendingRecord
from serinus.manifests.decision_record import make_decision_record
from serinus_runtime.config_maps import ServiceAccount, config_maps
from serinus_runtime.record_export import main
from serinus_runtime.store import Store
from tests.support.api_server import ROOT, ApiServer, folder_with, write_kubeconfig
from tests.support.chart import Body, put, rendered, token_of

ACCOUNT = "serinus-record-export"


def config_maps_in(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps"


def records(server: ApiServer, namespace: str, *numbers: int) -> None:
    for number in numbers:
        decision = json.dumps({"action": "promote", "number": number}, separators=(",", ":"))
        pending = PendingRecord(number=number, action="promote", decision=decision)
        body = make_decision_record("delay", namespace, pending)
        answer = server.post(config_maps_in(namespace), body)
        assert answer.accepted, answer.message


@pytest.fixture
def manifests(namespace: str) -> list[Body]:
    return rendered(f"recordExport.namespaces={{{namespace}}}", only=("record-export",))


@pytest.fixture
def account(api_server: ApiServer, namespace: str, manifests: list[Body]) -> ServiceAccount:
    """The Job's own, with the rights that the chart gives it."""
    put(api_server, manifests)
    token = token_of(api_server, namespace, ACCOUNT)
    return ServiceAccount(api_server.url, namespace, token, api_server.certificate)


def exported(store: Store, namespace: str) -> list[dict[str, Any]]:
    folder = store.record(namespace, "delay", 1).parent
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


def test_the_job_copies_each_record_once_also_after_people_made_room(
    api_server: ApiServer, namespace: str, account: ServiceAccount, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    records(api_server, namespace, 1, 2, 3)
    api_server.post(config_maps_in(namespace), {"metadata": {"name": "somebody-s"}})

    first = main(account, store)
    for number in (1, 2):
        api_server.delete(f"{config_maps_in(namespace)}/delay-record-{number}")
    records(api_server, namespace, 4)
    second = main(account, store)

    assert (first, second) == (0, 0)
    assert [one["record"] for one in exported(store, namespace)] == [1, 2, 3, 4]
    assert [one["decision"]["number"] for one in exported(store, namespace)] == [1, 2, 3, 4]


def test_a_record_of_a_second_life_of_the_name_is_told_and_overwrites_nothing(
    api_server: ApiServer, namespace: str, account: ServiceAccount, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    records(api_server, namespace, 1)
    main(account, store)
    before = exported(store, namespace)
    api_server.delete(f"{config_maps_in(namespace)}/delay-record-1")
    pending = PendingRecord(number=1, action="start", decision='{"action":"start"}')
    api_server.post(config_maps_in(namespace), make_decision_record("delay", namespace, pending))

    code = main(account, store)

    assert code == 1
    assert exported(store, namespace) == before


def test_pages_of_a_real_server_hold_each_record_once(
    api_server: ApiServer, namespace: str, account: ServiceAccount
) -> None:
    records(api_server, namespace, *range(1, 6))

    found = list(config_maps(account, selector="serinus.dev/record-of", page_items=2))

    assert sorted(one["metadata"]["name"] for one in found) == [
        f"delay-record-{number}" for number in range(1, 6)
    ]


def test_its_rights_end_at_its_namespace_and_at_listing(
    api_server: ApiServer, namespace: str, account: ServiceAccount, tmp_path: Path
) -> None:
    records(api_server, namespace, 1)
    elsewhere = ServiceAccount(account.url, "default", account.token, account.certificates)
    him = f"system:serviceaccount:{namespace}:{ACCOUNT}"

    code = main(elsewhere, Store(tmp_path))
    refused = api_server.patch(
        f"{config_maps_in(namespace)}/delay-record-1", {"metadata": {"labels": None}}, user=him
    )

    assert code == 1
    assert list(tmp_path.iterdir()) == []
    assert refused.code == 403


def test_its_pod_is_let_in_where_pods_are_restricted(
    api_server: ApiServer, namespace: str, manifests: list[Body]
) -> None:
    enforced = {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}
    assert api_server.patch(f"/api/v1/namespaces/{namespace}", {"metadata": enforced}).accepted
    [job] = [one for one in manifests if one["kind"] == "CronJob"]
    template = job["spec"]["jobTemplate"]["spec"]["template"]

    answer = api_server.post(
        f"/api/v1/namespaces/{namespace}/pods",
        {**template, "metadata": {**template["metadata"], "name": "export"}},
        dry_run=True,
    )

    assert answer.accepted, answer.message


def test_a_person_exports_and_asks_the_file(
    api_server: ApiServer, namespace: str, tmp_path: Path
) -> None:
    records(api_server, namespace, 1, 2)
    kubeconfig = write_kubeconfig(tmp_path / "kubeconfig", url=api_server.url)
    target = tmp_path / "delay.jsonl"

    def types(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "serinus.cli.main", *words, "-n", namespace],
            capture_output=True, text=True, check=False, cwd=ROOT,
            env={
                "PATH": str(folder_with("kubectl")), "PYTHONPATH": "operator",
                "HOME": str(tmp_path), "KUBECONFIG": str(kubeconfig),
            },
        )  # fmt: skip

    first = types("history", "delay", "--export", str(target))
    for number in (1, 2):
        api_server.delete(f"{config_maps_in(namespace)}/delay-record-{number}")
    records(api_server, namespace, 3)
    second = types("history", "delay", "--export", str(target))

    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    lines = [json.loads(line) for line in target.read_text().splitlines()]
    assert [one["record"] for one in lines] == [1, 2, 3]
    assert second.stdout == f"Deployment `delay`: 1 of 1 records are new in {target}\n"
    assert second.stderr == "Records that aren't there: 1, 2.\n"
