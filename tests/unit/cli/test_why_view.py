from serinus.cli.objects import HistoryEntry
from serinus.cli.why_view import decision_rows
from tests.support.command_line import NOW


def test_a_record_without_a_reason_names_no_rule_and_no_runbook() -> None:
    entry = HistoryEntry(
        at=NOW,
        action="serve",
        revision="9f2c1d03aa",
        model_version="v1",
        reason="",
        because="from now on stable 9f2c1d03aa (v1)",
        actor="",
    )

    assert dict(decision_rows(entry, NOW)) == {
        "Decided:": "serve of revision 9f2c1d03aa (v1), 0s ago, by Serinus",
        "Because:": "from now on stable 9f2c1d03aa (v1)",
    }
