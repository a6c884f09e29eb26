"""Seals as C makes them; what it answers is in `runtime_server/test_usual_tensors.py`."""

import base64
import ctypes
import hashlib
import hmac
from dataclasses import replace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus_runtime.kernel import tensor_kernel as module
from serinus_runtime.kernel.library import short_calls
from serinus_runtime.kernel.tensor_kernel import TensorTables, sealing_states, tensor_kernel
from tests.support.hand_made_models import kernel_of, model_of


@given(st.binary(max_size=200), st.binary(max_size=3000))
def test_a_seal_is_the_hmac(key: bytes, content: bytes) -> None:
    library = short_calls()
    assert library is not None
    digest = ctypes.create_string_buffer(32)
    library.serinus_sealed(
        sealing_states(library, key), content, ctypes.c_int64(len(content)), digest
    )

    assert digest.raw == hmac.new(key, content, hashlib.sha256).digest()


@given(st.binary(max_size=300))
def test_bytes_are_written_as_base64url_without_padding(content: bytes) -> None:
    library = short_calls()
    assert library is not None
    write = library.serinus_write_base64
    write.restype = ctypes.c_void_p
    write.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int64)
    place = ctypes.create_string_buffer(500)
    start = ctypes.addressof(place)
    size = write(start, content, len(content)) - start

    assert place.raw[:size] == base64.urlsafe_b64encode(content).rstrip(b"=")


@pytest.mark.parametrize("found", [None, object()], ids=["no library", "a library without it"])
def test_without_the_function_there_is_no_kernel(
    found: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "short_calls", lambda: found)

    assert tensor_kernel(cast("TensorTables", None), cast("Any", None)) is None


def test_a_plan_that_answers_more_than_there_are_classes_has_none() -> None:
    """C would write its answers behind those of the rows."""
    other = replace(model_of("two classes"), predictor=model_of("three classes").predictor)

    with pytest.raises(ValueError, match=r"plan: takes and answers \(6, 3\) numbers a row"):
        kernel_of(other)


def test_nothing_of_a_request_that_is_left_stays_to_be_logged() -> None:
    kernel = kernel_of(model_of("two classes"))
    shape = b'{"inputs":[{"name":"hour","datatype":"INT64","shape":[9000],"data":[1]}]}'

    assert kernel.answer(shape, 0, 1) is None
    assert kernel.n_rows == 0
