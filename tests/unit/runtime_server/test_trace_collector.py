"""What a collector says is understood, and what it doesn't say is waited for so long."""

import pytest

from serinus_runtime.server.span_messages import rejected_of
from serinus_runtime.server.trace_collector import TraceCollector
from serinus_runtime.server.tracing import Later, Refused, Sent, Taken
from tests.support.span_receiver import receiving_spans

NOBODY = "http://127.0.0.1:9"


def sent(url: str, message: bytes = b"", timeout_seconds: float = 20) -> Sent:
    return TraceCollector(url, rejected_of, timeout_seconds).send(message)


def test_a_message_is_posted_where_otlp_says() -> None:
    with receiving_spans() as collector:
        assert sent(f"{collector.url}/base/") == Taken()

    ((path, headers),) = collector.asked
    assert path == "/base/v1/traces"
    assert headers["content-type"] == "application/x-protobuf"


def test_what_it_rejects_of_a_message_is_told() -> None:
    with receiving_spans(rejected=2) as collector:
        assert sent(collector.url) == Taken(rejected=2)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_one_may_be_asked_again(status: int) -> None:
    with receiving_spans(statuses=[status], headers={"retry-after": "7"}) as collector:
        answer = sent(collector.url)

    assert answer == Later(f"the collector 127.0.0.1 answered {status}", 7)


@pytest.mark.parametrize("retry_after", ["soon", "-1", "\xb2", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_when_it_may_be_is_a_number_of_seconds_or_unsaid(retry_after: str) -> None:
    with receiving_spans(statuses=[503], headers={"retry-after": retry_after}) as collector:
        answer = sent(collector.url)

    assert isinstance(answer, Later)
    assert answer.seconds == 0


@pytest.mark.parametrize("status", [400, 401, 404, 500])
def test_another_answer_is_a_refusal(status: int) -> None:
    with receiving_spans(statuses=[status]) as collector:
        assert isinstance(sent(collector.url), Refused)


def test_it_sends_nobody_elsewhere() -> None:
    with receiving_spans() as other:
        headers = {"location": f"{other.url}/v1/traces"}
        with receiving_spans(statuses=[307], headers=headers) as collector:
            assert isinstance(sent(collector.url), Refused)

    assert other.asked == []


def test_no_proxy_of_the_environment_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving_spans() as proxy, receiving_spans() as collector:
        monkeypatch.setenv("http_proxy", proxy.url)
        assert sent(collector.url) == Taken()

    assert proxy.asked == []


def test_one_that_is_away_or_hangs_may_be_asked_again() -> None:
    with receiving_spans(hangs=True) as collector:
        hung = sent(collector.url, timeout_seconds=0.05)

    assert hung == Later("the collector 127.0.0.1 can't be reached: TimeoutError")
    assert sent(NOBODY) == Later("the collector 127.0.0.1 can't be reached: ConnectionRefusedError")
