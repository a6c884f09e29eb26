"""C reads and writes within its arrays, whatever it is asked: the kernel's laws, with sanitizers.

The library parses bytes of clients within the server's process. Here it is built so that the first
access out of bounds, and all that C leaves undefined, ends the process that plays the laws.
"""

import pytest

from tests.support.sanitized_library import NoSanitizers, build, run, runtime_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

LAWS = (
    "tests/property/runtime_kernel/test_request_laws.py",
    "tests/property/runtime_kernel/test_plan_laws.py",
    "tests/unit/runtime_kernel",
)
PLUGIN = "tests.support.sanitized_library"
READS_ON = f"""
import ctypes
from {PLUGIN} import use
use()
from serinus_runtime.kernel.library import library
from tests.support.hand_made_models import kernel_of, model_of
kernel = kernel_of(model_of("two classes"))
body = b'{{"inputs":' + b" " * 5000
text = (ctypes.c_char * len(body)).from_buffer_copy(body)
print("asked", flush=True)
ask = library().serinus_tensors_answer
ask.argtypes = (ctypes.c_void_p, ctypes.c_void_p, *ask.argtypes[2:])
ask(kernel.reference, ctypes.addressof(text), len(body), 0, 1)
"""
"""Asks of a text without the NUL at its end, behind which nobody may read."""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    try:
        return build(tmp_path_factory.mktemp("sanitized"))
    except NoSanitizers as why:
        pytest.skip(str(why))


def test_no_law_leads_out_of_an_array(environment: dict[str, str]) -> None:
    played = run(
        ["-m", "pytest", "-p", PLUGIN, "-p", "no:cacheprovider", "-q", "-x", "--capture=sys", "-m",
         "not slow", *LAWS],
        environment,
    )  # fmt: skip

    assert played.returncode == 0, played.stdout[-5000:] + played.stderr[-10_000:]
    assert " passed" in played.stdout


def test_a_byte_too_far_ends_the_process(environment: dict[str, str]) -> None:
    """Else the law above would see nothing."""
    ended = run(["-c", READS_ON], environment)

    assert ended.returncode != 0
    assert ended.stdout == "asked\n"
    assert "AddressSanitizer: heap-buffer-overflow" in ended.stderr
    assert "tensors.c" in ended.stderr


@pytest.mark.parametrize("without", [None, "true"], ids=["no compiler", "one without sanitizers"])
def test_a_machine_that_cant_look_says_why(without: str | None) -> None:
    with pytest.raises(NoSanitizers, match=r"no gcc here|has no runtime of AddressSanitizer"):
        runtime_of(without)
