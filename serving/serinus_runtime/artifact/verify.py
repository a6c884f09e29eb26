"""The verification of an artifact: is it what its ModelVersion says, and does it answer right?

In this order, each naming what it found: digests of the manifest and of every file, format,
signature, predictor against the original model's answers on the stored evaluation rows, golden
requests. Runs in a Job without network or credentials.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from serinus.api.enums import Outcome, Reason
from serinus.api.job_contract import VerificationRunInput, VerificationRunResult
from serinus.api.modelversion import PredictorStatus
from serinus_runtime.artifact import golden
from serinus_runtime.artifact.api_signature import check_signature
from serinus_runtime.artifact.equality import EvaluationRows, measured_equality, row_micros
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
)
from serinus_runtime.artifact.model import Model
from serinus_runtime.artifact.package import directory_of, load, read_arrays

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
    """Verify the artifact of a ModelVersion below `store`. Raises only `OSError`.

    Compares as many evaluation rows as fit `COMPARISON_SECONDS`, at least `ROWS_AT_LEAST`.
    """
    try:
        model, directory = _loaded(run, store)
        predictor = _checked_predictor(model, directory, monotonic)
    except ArtifactError as error:
        return _result(run, Outcome.REJECTED, _REASONS[type(error)], str(error), None)
    message = (
        f"{predictor.kind} predictor equals the original on {predictor.verified_rows} evaluation "
        f"rows; one row takes {predictor.p50_micros} µs"
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


def _loaded(run: VerificationRunInput, store: Path) -> tuple[Model, Path]:
    spec = run.spec
    wanted = spec.model_format
    if (wanted.name, wanted.version) != (FORMAT_NAME, FORMAT_VERSION):
        raise FormatRefused(
            f"spec.modelFormat: this server knows {FORMAT_NAME} {FORMAT_VERSION}, got "
            f"{wanted.name} {wanted.version}"
        )
    directory = directory_of(spec.storage_uri, store)
    model = load(directory, spec.digest)
    if model.manifest.model_name != spec.model_name:
        raise SignatureMismatch(
            f"spec.modelName: the ModelVersion says {spec.model_name}, the artifact "
            f"{model.manifest.model_name}"
        )
    if spec.signature is not None:
        check_signature(model.manifest.signature, spec.signature)
    return model, directory


def _checked_predictor(
    model: Model, directory: Path, monotonic: Callable[[], float]
) -> PredictorStatus:
    evaluation = _evaluation(directory)
    deadline = monotonic() + COMPARISON_SECONDS
    equality = measured_equality(
        model.predictor,
        evaluation,
        threshold=model.manifest.decision_threshold,
        is_classification=model.is_classification,
        may_go_on=lambda rows: rows < ROWS_AT_LEAST or monotonic() < deadline,
    )
    if equality.mismatches or not equality.rows:
        raise PredictorMismatch(
            f"the {model.predictor.kind} predictor differs from the original model on "
            f"{equality.mismatches} of {equality.rows} evaluation rows, by up to "
            f"{equality.largest_difference:.3g} where {equality.bound:g} is allowed"
        )
    problem = golden.first_difference(
        golden.parse((directory / GOLDEN_FILE).read_bytes()),
        model.manifest.signature,
        model.predictor,
    )
    if problem:
        raise PredictorMismatch(problem)
    return PredictorStatus(
        kind=model.predictor.kind,
        verified_rows=equality.rows,
        mismatches=equality.mismatches,
        p50_micros=row_micros(model.predictor, evaluation.rows),
    )


def _evaluation(directory: Path) -> EvaluationRows:
    path = directory / EVALUATION_FILE
    if not path.is_file():
        raise ArtifactMissing(EVALUATION_FILE)
    arrays = read_arrays(path)
    try:
        return EvaluationRows(rows=arrays["rows"], expected=arrays["expected"])
    except KeyError as error:
        raise FormatRefused(f"{EVALUATION_FILE}: has no array {error}") from error
