import subprocess
import sys

import pytest

from serinus.cli.arguments import ACT, OFFLINE, SEE, kubectl_flags, parser
from serinus.cli.main import main, program_name

HEAVY = {"httpx", "kopf", "kubernetes", "numpy", "pydantic", "rich", "sklearn", "yaml"}


@pytest.mark.slow
@pytest.mark.parametrize("verb", ["", *(command.verb for command in (*SEE, *ACT, *OFFLINE))])
def test_help_imports_nothing_heavy(verb: str) -> None:
    program = (
        "import sys; from serinus.cli.main import main\n"
        "try: main(['serinus', *sys.argv[1:], '--help'])\n"
        "except SystemExit: print('imported:', *{name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *verb.split()], capture_output=True, text=True, check=True
    )

    assert "usage: serinus" in done.stdout
    assert not HEAVY & set(done.stdout.rsplit("imported:", 1)[1].split())


@pytest.mark.slow
@pytest.mark.parametrize(
    "verb",
    [
        "get x",
        "list",
        "status x",
        "why x",
        "why x --at 1h",
        "history x",
        "report x",
        "pause x --dry-run",
    ],
)
def test_looking_imports_none_of_the_models(verb: str) -> None:
    program = (
        "import sys; from serinus.cli.main import main\n"
        "main(['serinus', *sys.argv[1:]])\n"
        "print('imported:', *sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *verb.split()],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": ""},
    )

    assert "kubectl isn't on PATH" in done.stderr
    imported = done.stdout.rsplit("imported:", 1)[1].split()
    assert not {"serinus.api.deployment", "serinus.api.deployment_status"} & {*imported}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/usr/local/bin/kubectl-serinus", "kubectl serinus"),
        ("kubectl-serinus", "kubectl serinus"),
        ("/usr/local/bin/serinus", "serinus"),
    ],
)
def test_usage_says_how_it_was_called(path: str, name: str) -> None:
    assert program_name(path) == name


def test_wrong_usage_ends_with_3_and_says_where_help_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["kubectl-serinus", "get"])

    assert ended.value.code == 3
    assert capsys.readouterr().err.endswith("hint: kubectl serinus get --help\n")


def test_an_error_ends_with_its_code_message_and_hint(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")

    assert main(["serinus", "get", "x"]) == 3
    assert capsys.readouterr().err.startswith("error: kubectl isn't on PATH\nhint: ")


@pytest.mark.parametrize("words", ["-n flights get x", "get x -n flights", "get -n flights x"])
def test_flags_of_the_cluster_stand_before_or_after_the_verb(words: str) -> None:
    assert parser("serinus").parse_args(words.split()).namespace == "flights"


def test_flags_are_handed_on_to_kubectl() -> None:
    words = "--context prod get x --kubeconfig file --as mia"

    assert kubectl_flags(parser("serinus").parse_args(words.split())) == (
        "--kubeconfig=file",
        "--context=prod",
        "--as=mia",
    )
