"""What can be wrong with an artifact.

    ArtifactError
    ├── AnswersDiffer        this process doesn't answer as the model did when it was packaged
    ├── ArtifactChanged      the bytes are not those of the digest; names the file
    ├── ArtifactMissing      a file that should be there isn't
    ├── FormatRefused        unknown format, or content that isn't allowed (pickle, foreign types)
    └── SignatureMismatch    inputs or outputs differ from what the ModelVersion says

None of these goes away by trying again. I/O errors stay `OSError`: those may.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class ArtifactError(Exception):
    """The artifact can't be used; the text says which file or field, and why."""


class AnswersDiffer(ArtifactError):
    """The model answers a golden row otherwise than in training."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"{problem}. The model was verified, so look for what is different here: the image's "
            "libraries, the processor of the node"
        )


class ArtifactChanged(ArtifactError):
    """The bytes of a file don't match its digest."""

    def __init__(self, file: str, expected: str, actual: str) -> None:
        self.file = file
        self.expected = expected
        self.actual = actual
        super().__init__(
            f"`{file}` has changed since it was written: expected {expected}, found {actual}. "
            "Restore the file or make another ModelVersion"
        )


class ArtifactMissing(ArtifactError):
    """A file of the artifact doesn't exist."""

    def __init__(self, file: str) -> None:
        self.file = file
        super().__init__(f"`{file}` is not there. Restore the artifact or make another one")


class FormatRefused(ArtifactError):
    """The format is unknown, or its content isn't allowed."""


class SignatureMismatch(ArtifactError):
    """The artifact's inputs and outputs are not those that the ModelVersion names."""


@contextmanager
def refusing(what: str) -> Iterator[None]:
    """Turn whatever goes wrong while bytes are read into `FormatRefused`: it is their fault."""
    try:
        yield
    except (ArtifactError, MemoryError):
        raise
    except Exception as error:
        raise FormatRefused(f"{what}: can't be read: {type(error).__name__}: {error}") from error
