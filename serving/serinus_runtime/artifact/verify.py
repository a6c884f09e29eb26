"""The verification of an artifact: is it what its ModelVersion says, and does it answer right?

In this order, each naming what it found: digests of the manifest and of every file, format,
signature, predictor against the original model's answers on the stored rows, golden requests.
Every file is read once. Runs in a Job without network or credentials.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from serinus.api.enums import Outcome, Reason
from serinus.api.job_contract import VerificationRunInput, VerificationRunResult
from serinus.api.modelversion import PredictorStatus
from serinus_runtime.artifact import golden
from serinus_runtime.artifact.api_signature import check_signature
from serinus_runtime.artifact.equality import row_micros, tolerated
from serinus_runtime.artifact.errors import (
    ArtifactChanged,
    ArtifactError,
    ArtifactMissing,
    FormatRefused,
    SignatureMismatch,
)
from serinus_runtime.artifact.manifest import (
    EVALUATION_FILE,
    FORMAT_NAME,
    FORMAT_VERSION,
    GOLDEN_FILE,
    Equality,
    Manifest,
    Task,
)
from serinus_runtime.artifact.model import Predictor
from serinus_runtime.artifact.package import Package, directory_of, opened
from serinus_runtime.artifact.proof import Proof, compared
from serinus_runtime.artifact.proof import parse as parse_proof

COMPARISON_SECONDS = 30.0
ROWS_AT_LEAST = 1000


class PredictorMismatch(ArtifactError):
    """The predictor doesn't answer like the original model."""


_REASONS: dict[type[ArtifactError], Reason] = {
    ArtifactChanged: Reason.ARTIFACT_CHANGED,
    ArtifactMissing: Reason.ARTIFACT_CHANGED,
    FormatRefused: Reason.FORMAT_REFUSED,
    SignatureMismatch: Reason.SIGNATURE_MISMATCH,
    PredictorMismatch: Reason.PREDICTOR_MISMATCH,
}


def verify(
    run: VerificationRunInput, store: Path, *, monotonic: Callable[[], float] = time.monotonic
) -> VerificationRunResult:
    """Verify the artifact of a ModelVersion below `store`.

    Compares all derived rows, and as many evaluation rows as fit `COMPARISON_SECONDS`, at least
    `ROWS_AT_LEAST`. Whatever is wrong with the artifact is a result. Raises only `OSError` and
    `MemoryError`, which may go away.
    """
    try:
        package = _opened(run, store)
        predictor = _checked_predictor(package, monotonic)
    except ArtifactError as error:
        return _result(run, Outcome.REJECTED, _REASONS[type(error)], str(error), None)
    message = (
        f"{predictor.kind} predictor equals the original on {predictor.verified_rows} rows, of the "
        f"evaluation and derived from its signature; one row takes {predictor.p50_micros} µs"
    )
    return _result(run, Outcome.SUCCEEDED, Reason.VERIFIED, message, predictor)


def _result(
    run: VerificationRunInput,
    outcome: Outcome,
    reason: Reason,
    message: str,
    predictor: PredictorStatus | None,
) -> VerificationRunResult:
    return VerificationRunResult(
        run=run.run,
        identity=run.identity,
        outcome=outcome,
        reason=reason.value,
        message=message,
        predictor=predictor,
    )


def _opened(run: VerificationRunInput, store: Path) -> Package:
    """The package that the ModelVersion names, once it is found to be what that says."""
    spec = run.spec
    wanted = spec.model_format
    if (wanted.name, wanted.version) != (FORMAT_NAME, FORMAT_VERSION):
        raise FormatRefused(
            f"spec.modelFormat: this server knows {FORMAT_NAME} {FORMAT_VERSION}, got "
            f"{wanted.name} {wanted.version}"
        )
    package = opened(directory_of(spec.storage_uri, store), spec.digest)
    if package.manifest.model_name != spec.model_name:
        raise SignatureMismatch(
            f"spec.modelName: the ModelVersion says {spec.model_name}, the artifact "
            f"{package.manifest.model_name}"
        )
    if spec.signature is not None:
        check_signature(package.manifest.signature, spec.signature)
    return package


def _checked_predictor(package: Package, monotonic: Callable[[], float]) -> PredictorStatus:
    manifest, predictor = package.manifest, package.model().predictor
    n_inputs = len(manifest.signature.inputs)
    content = package.content(EVALUATION_FILE)
    proof = parse_proof(content, n_inputs=n_inputs, n_answers=manifest.n_answers)
    golden_rows = golden.parse(package.content(GOLDEN_FILE))
    with _answering():
        equality = _equality(manifest, predictor, proof, monotonic)
        problem = golden.first_difference(golden_rows, manifest.signature, predictor)
    if equality.mismatches > tolerated(equality, predictor.kind):
        raise PredictorMismatch(
            f"the {predictor.kind} predictor differs from the original model on "
            f"{equality.mismatches} of {equality.rows} rows, by up to "
            f"{equality.largest_difference:.3g} where {equality.bound:g} is allowed"
        )
    if problem:
        raise PredictorMismatch(problem)
    return PredictorStatus(
        kind=predictor.kind,
        verified_rows=equality.rows,
        mismatches=equality.mismatches,
        p50_micros=row_micros(predictor, proof.evaluation.rows),
    )


@contextmanager
def _answering() -> Iterator[None]:
    """A predictor that fails to answer isn't the one that answered in training."""
    try:
        yield
    except (ArtifactError, MemoryError, OSError):
        raise
    except Exception as error:
        raise PredictorMismatch(
            f"the predictor fails to answer: {type(error).__name__}: {error}"
        ) from error


def _equality(
    manifest: Manifest, predictor: Predictor, proof: Proof, monotonic: Callable[[], float]
) -> Equality:
    if not len(proof.evaluation.rows):
        raise PredictorMismatch(f"{EVALUATION_FILE}: holds 0 evaluation rows; nothing is proven")
    deadline = monotonic() + COMPARISON_SECONDS
    return compared(
        predictor,
        proof,
        threshold=manifest.decision_threshold,
        is_classification=manifest.task is Task.CLASSIFICATION,
        may_go_on=lambda rows: rows < ROWS_AT_LEAST or monotonic() < deadline,
    )
