"""How many fields a protobuf message has, before it is parsed.

A parser makes an object of each message in a message: two bytes become two hundred, and nothing
else runs meanwhile. So what may be repeated is counted first, by its tags alone: the fields of the
message itself, and of a large one those of its tensors, each of which may have any number of
parameters.

References
----------
Protocol Buffers, "Encoding".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from serinus_runtime.server.errors import BadRequest, TooLarge

_OF_TENSORS = (5, 6)
"""Numbers of `inputs` and `outputs` in a `ModelInferRequest`."""
_CONTINUES = 0x80
_VARINT_BYTES = 10


def check_fields(message: bytes, limit: int) -> None:
    """Refuse a message of more fields than `limit`, or in which they can't be told apart.

    Raises
    ------
    TooLarge, BadRequest
    """
    for count, _ in enumerate(_fields(message, 0, len(message)), start=1):
        if count > limit:
            raise TooLarge(f"the message: expected at most {limit} fields; send fewer tensors")


def check_tensors(message: bytes, limit: int) -> None:
    """Refuse a message whose tensors have more fields than `limit`, all of them together.

    Raises
    ------
    TooLarge, BadRequest
    """
    tensors = (field for field in _fields(message, 0, len(message)) if field.number in _OF_TENSORS)
    inside = (field for one in tensors for field in _fields(message, one.begin, one.end))
    for count, _ in enumerate(inside, start=1):
        if count > limit:
            raise TooLarge(
                f"the message: expected at most {limit} fields in its tensors; send fewer "
                "parameters"
            )


class _Field(NamedTuple):
    """A field, and where its content is."""

    number: int
    begin: int
    end: int


def _fields(message: bytes, at: int, end: int) -> Iterator[_Field]:
    """The fields of a message in `message[at:end]`."""
    while at < end:
        field = _field(message, at)
        at = field.end
        if at > end:
            raise _not_a_message()
        yield field


def _field(message: bytes, at: int) -> _Field:
    """The field that begins `at`."""
    tag, begin = _number(message, at)
    match tag & 7:
        case 0:
            end = _number(message, begin)[1]
        case 1:
            end = begin + 8
        case 2:
            size, begin = _number(message, begin)
            end = begin + size
        case 5:
            end = begin + 4
        case _:  # groups, which this protocol hasn't
            raise _not_a_message()
    return _Field(tag >> 3, begin, end)


def _number(message: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, and where it ends."""
    value = shift = 0
    for byte in message[at : at + _VARINT_BYTES]:
        at += 1
        value |= (byte & ~_CONTINUES) << shift
        if byte < _CONTINUES:
            return value, at
        shift += 7
    raise _not_a_message()


def _not_a_message() -> BadRequest:
    return BadRequest("the message isn't one of the Open Inference Protocol")
