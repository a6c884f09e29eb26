"""What kubectl is asked, and what is made of its answers; a program of ours stands in for it."""

import json
import stat
import sys
from pathlib import Path

import pytest

from serinus.cli import kubectl
from serinus.cli.errors import ClusterError, CommandError, NotFoundError
from serinus.cli.kubectl import Annotation, Kubectl, explained

PROGRAM = f"""\
#!{sys.executable}
import json, pathlib, sys, time
here = pathlib.Path(__file__).parent
(here / "asked.json").write_text(json.dumps(sys.argv[1:]))
answer = json.loads((here / "answer.json").read_text())
time.sleep(answer.get("seconds", 0))
sys.stderr.write(answer.get("stderr", ""))
print(json.dumps(answer.get("stdout", {{}})))
sys.exit(answer.get("code", 0))
"""


class Standin:
    """A kubectl that gives a prepared answer and remembers what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        program = folder / "kubectl"
        program.write_text(PROGRAM)
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        self.answers(stdout={})

    def answers(self, **answer: object) -> None:
        (self.folder / "answer.json").write_text(json.dumps(answer))

    @property
    def asked(self) -> list[str]:
        asked: list[str] = json.loads((self.folder / "asked.json").read_text())
        return asked


@pytest.fixture
def standin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Standin:
    monkeypatch.setenv("PATH", str(tmp_path))
    return Standin(tmp_path)


def test_one_object_is_read_in_its_namespace(standin: Standin) -> None:
    standin.answers(stdout={"kind": "Deployment"})

    found = Kubectl("flights", ("--context=prod",)).get("modeldeployments.serinus.dev", "x")

    assert found == {"kind": "Deployment"}
    assert standin.asked == [
        "--context=prod",
        "get",
        "modeldeployments.serinus.dev",
        "x",
        "--namespace=flights",
        "-o=json",
    ]


def test_several_resources_are_listed_in_one_call(standin: Standin) -> None:
    standin.answers(stdout={"items": [{"kind": "Pod"}]})

    found = Kubectl().list(("pods", "jobs"), selector="a=b", all_namespaces=True)

    assert found == ({"kind": "Pod"},)
    assert standin.asked == ["get", "pods,jobs", "--all-namespaces", "--selector=a=b", "-o=json"]


@pytest.mark.parametrize("dry_run", [False, True])
def test_an_annotation_is_changed_for_one_uid_only(standin: Standin, dry_run: bool) -> None:
    change = Annotation("flights", "x", "uid-1", "serinus.dev/request", '{"actor":"zoë"}')

    Kubectl("other").annotate("modeldeployments.serinus.dev", change, dry_run=dry_run)

    assert "--namespace=flights" in standin.asked
    assert ("--dry-run=server" in standin.asked) == dry_run
    patch = next(one for one in standin.asked if one.startswith("--patch="))
    assert json.loads(patch.removeprefix("--patch=")) == {
        "metadata": {"uid": "uid-1", "annotations": {"serinus.dev/request": '{"actor":"zoë"}'}}
    }


def test_the_api_server_says_who_we_are(standin: Standin) -> None:
    standin.answers(stdout={"status": {"userInfo": {"username": "mia"}}})

    assert Kubectl().user() == "mia"
    assert standin.asked == ["auth", "whoami", "-o=json"]


def test_what_is_missing_is_told_apart(standin: Standin) -> None:
    standin.answers(
        code=1, stderr='Error from server (NotFound): modeldeployments.serinus.dev "x" not found\n'
    )

    with pytest.raises(NotFoundError, match=r'^modeldeployments.serinus.dev "x" not found$'):
        Kubectl().get("modeldeployments.serinus.dev", "x")


@pytest.mark.parametrize(
    ("stderr", "message", "hint"),
    [
        (
            'error: the server doesn\'t have a resource type "featuresets"',
            "the server doesn't have a resource type",
            "Helm chart",
        ),
        (
            (
                'E1121 memcache.go:265] "Unhandled Error" err="x"\nThe connection to the server '
                "localhost:8080 was refused - did you specify …"
            ),
            "The connection to the server localhost:8080 was refused",
            "current-context",
        ),
        (
            "Error from server (Forbidden): pods is forbidden: User mia cannot list",
            "pods is forbidden",
            "can-i",
        ),
        (
            'The Deployment "x" is invalid: metadata.uid: Invalid value: field is immutable',
            'The Deployment "x" is invalid',
            "replaced",
        ),
        ("", "kubectl failed and said nothing", ""),
    ],
)
def test_a_complaint_comes_with_what_to_do(stderr: str, message: str, hint: str) -> None:
    error = explained(stderr)

    assert error.message.startswith(message)
    assert hint in error.hint


def test_a_machine_without_kubectl_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(CommandError, match="kubectl isn't on PATH"):
        Kubectl().user()


def test_a_cluster_that_gives_no_answer_is_given_up(
    standin: Standin, monkeypatch: pytest.MonkeyPatch
) -> None:
    standin.answers(seconds=30)
    monkeypatch.setattr(kubectl, "CALL_TIMEOUT_SECONDS", 0.1)

    with pytest.raises(ClusterError, match="gave no answer"):
        Kubectl().user()
