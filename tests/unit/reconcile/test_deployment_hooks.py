"""Which questions are open, and to which question an answer is one."""

from datetime import UTC, datetime
from typing import Any

import pytest

from serinus.api.deployment import DeploymentSpec
from serinus.api.deployment_status import CanaryStatus
from serinus.api.enums import Reason
from serinus.api.hooks import HookAnswer, HookStatus, HookType, ReleaseHook
from serinus.reconcile.deployment_hooks import (
    NOT_DECLARED,
    hook_facts,
    hooks_asked,
    hooks_problem,
    open_questions,
)
from serinus.reconcile.snapshot import HookAnswered, HookQuestion, HooksSeen
from serinus.rollout.advance import Hold, Promote, StartStep, Transition
from serinus.rollout.facts import Finding
from serinus.rollout.hooks import HookFacts

NOW = datetime(2024, 5, 6, 12, tzinfo=UTC)
AT = "2024-05-06T11:00:00Z"
LATER = "2024-05-06T11:30:00Z"
CONFIRM, ROLLBACK = HookType.CONFIRM_PROMOTION, HookType.ROLLBACK
BOARD, DESK = ReleaseHook(type=CONFIRM, name="board"), ReleaseHook(type=ROLLBACK, name="desk")
DECLARED = {"board": frozenset({CONFIRM}), "desk": frozenset({ROLLBACK, CONFIRM})}


def asked(hook: ReleaseHook, answer: str | None = None, since: str = AT) -> HookStatus:
    told = {"answer": answer, "answered_since": LATER, "message": "before"} if answer else {}
    return HookStatus(type=hook.type, name=hook.name, asked_since=since, **told)


def canary(*hooks: HookStatus, **changes: Any) -> CanaryStatus:
    return CanaryStatus(
        revision="b",
        model_version="v2",
        started_at=AT,
        step_started_at=AT,
        hooks=list(hooks),
        **changes,
    )


def question(hook: ReleaseHook, **changes: Any) -> HookQuestion:
    told = {
        "namespace": "flights",
        "deployment": "delay",
        "uid": "u",
        "revision": "b",
        "model_version": "v2",
        "started_at": AT,
        "asked_since": AT,
    }
    return HookQuestion(**(told | changes), type=hook.type, hook=hook.name)


def resource(of: CanaryStatus | None, **metadata: Any) -> dict[str, Any]:
    status = {"canary": of.model_dump(mode="json", by_alias=True)} if of else {}
    return {
        "metadata": {"name": "delay", "namespace": "flights", "uid": "u"} | metadata,
        "status": status,
    }


def test_what_the_status_asks_is_asked() -> None:
    found = open_questions(resource(canary(asked(BOARD), asked(DESK))))

    assert found == (question(BOARD), question(DESK))


@pytest.mark.parametrize(
    ("body", "names"),
    [
        pytest.param(resource(None), [], id="no rollout"),
        pytest.param({"metadata": {"name": "delay"}}, [], id="no status"),
        pytest.param(resource(canary()), [], id="nobody to ask"),
        pytest.param(
            resource(canary(asked(BOARD), asked(DESK), promoting=True)), ["desk"], id="decided"
        ),
        pytest.param(resource(canary(asked(BOARD)), deletionTimestamp=AT), [], id="on its way out"),
        pytest.param(
            resource(canary(asked(BOARD).model_copy(update={"type": "a new one"}))),
            [],
            id="a question of a newer operator",
        ),
    ],
)
def test_nothing_else_is(body: dict[str, Any], names: list[str]) -> None:
    assert [one.hook for one in open_questions(body)] == names


def seen(answer: HookAnswer = HookAnswer.YES, **changes: Any) -> HooksSeen:
    answered = HookAnswered(answer, "HTTP 200", LATER)
    return HooksSeen(DECLARED, {question(BOARD, **changes): answered})


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"revision": "a"}, id="about another revision"),
        pytest.param({"started_at": LATER}, id="about another rollout of it"),
        pytest.param({"asked_since": LATER}, id="to another question of it"),
    ],
)
def test_an_answer_belongs_to_one_question(other: dict[str, Any]) -> None:
    (known,) = hook_facts(canary(asked(BOARD)), [BOARD], seen())
    (void,) = hook_facts(canary(asked(BOARD)), [BOARD], seen(**other))

    assert (known.answer, known.told, known.answered_since) == (HookAnswer.YES, "HTTP 200", LATER)
    assert void.answer is None


@pytest.mark.parametrize(
    ("stored", "promoting", "known"),
    [
        pytest.param("no", False, HookAnswer.NO, id="a no holds meanwhile"),
        pytest.param("nothing", False, HookAnswer.NOTHING, id="as does silence"),
        pytest.param("yes", False, None, id="a yes counts only fresh"),
        pytest.param("yes", True, HookAnswer.YES, id="but for what was decided by it"),
        pytest.param("perhaps", False, None, id="a word of a newer operator"),
    ],
)
def test_what_was_said_before_a_restart(
    stored: str, promoting: bool, known: HookAnswer | None
) -> None:
    of = canary(asked(BOARD, stored), promoting=promoting)
    (found,) = hook_facts(of, [BOARD], HooksSeen(DECLARED))

    assert found.answer is known


def test_a_yes_to_a_rollback_counts_only_fresh_also_while_it_is_promoted() -> None:
    of = canary(asked(DESK, "yes"), promoting=True)

    assert hook_facts(of, [DESK], HooksSeen(DECLARED))[0].answer is None


def test_a_hook_that_is_declared_no_more_says_nothing() -> None:
    (found,) = hook_facts(canary(asked(BOARD)), [BOARD], HooksSeen())

    assert (found.answer, found.told) == (HookAnswer.NOTHING, NOT_DECLARED)


def test_since_when_it_answers_so() -> None:
    same = hook_facts(canary(asked(BOARD, "yes")), [BOARD], seen())[0]
    other = hook_facts(canary(asked(BOARD, "yes")), [BOARD], seen(HookAnswer.NO))[0]

    assert same.answered_since == LATER
    assert (other.answer, other.answered_since) == (HookAnswer.NO, LATER)


WAITS = Hold(Finding(Reason.WAITING_FOR_CONFIRMATION, "waits"), False, True)
PAUSED = Hold(Finding(Reason.PAUSED_BY_USER, "paused"), True, True)
GOES_ON = StartStep(1, Finding(Reason.STEP_STARTED, "on"))
DECIDED = Promote(Finding(Reason.PROMOTED, "safe"))


@pytest.mark.parametrize(
    ("of", "transition", "names"),
    [
        pytest.param(canary(), GOES_ON, ["desk"], id="whether to roll back, all the time"),
        pytest.param(canary(), WAITS, ["board", "desk"], id="before a promotion"),
        pytest.param(
            canary(asked(BOARD), asked(DESK)), PAUSED, ["desk"], id="not while something holds"
        ),
        pytest.param(canary(asked(BOARD), asked(DESK)), DECIDED, ["board", "desk"], id="decided"),
        pytest.param(canary(), DECIDED, ["desk"], id="decided by a person, nobody was asked"),
    ],
)
def test_who_is_asked_from_now_on(
    of: CanaryStatus, transition: Transition, names: list[str]
) -> None:
    facts = hook_facts(of, [BOARD, DESK], HooksSeen(DECLARED))

    assert [one.name for one in hooks_asked(of, facts, transition, NOW)] == names


def test_a_question_keeps_its_time_and_gets_its_answer() -> None:
    new = hooks_asked(canary(), [HookFacts(CONFIRM, "board")], WAITS, NOW)[0]
    of = canary(asked(BOARD))
    answered = hooks_asked(of, hook_facts(of, [BOARD], seen(HookAnswer.NO)), WAITS, NOW)[0]

    assert (new.asked_since, new.answer) == ("2024-05-06T12:00:00.000000Z", None)
    assert (answered.asked_since, answered.answer, answered.message) == (AT, "no", "HTTP 200")


@pytest.mark.parametrize(
    ("hook", "problem"),
    [
        pytest.param({"type": "confirm-promotion", "name": "board"}, None, id="declared"),
        pytest.param(
            {"type": "rollback", "name": "board"},
            "spec.strategy.hooks[0].name: no hook `board` of type rollback is declared for this "
            "namespace; there are: `desk`.",
            id="declared for another question",
        ),
        pytest.param(
            {"type": "confirm-promotion", "name": "bored"},
            "spec.strategy.hooks[0].name: no hook `bored` of type confirm-promotion is declared "
            "for this namespace; there are: `board`, `desk`.",
            id="misspelt",
        ),
    ],
)
def test_a_name_that_nobody_declared(hook: dict[str, str], problem: str | None) -> None:
    spec = DeploymentSpec.model_validate(
        {"model": {"versionRef": {"name": "v1"}}, "strategy": {"canary": {}, "hooks": [hook]}}
    )
    found = hooks_problem(spec, DECLARED)

    assert (found is None) == (problem is None)
    assert problem is None or (found or "").startswith(problem)
    assert problem is None or "there is none" in (hooks_problem(spec, {}) or "")
