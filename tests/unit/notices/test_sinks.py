import json
from dataclasses import replace

import pytest

from serinus.notices.notice import notice_of
from serinus.notices.sinks import SinkType, sinks_of
from tests.unit.notices.test_notice import RECORD, owner

NOTICE = notice_of(owner(), RECORD)


def sink(**fields: object):
    given = {"name": "ops", "type": "slack", "urlFile": "/etc/url", **fields}
    (found,) = sinks_of(json.dumps([given]))
    return found


def test_a_sink_is_told_of_what_ends_a_rollout_and_of_what_holds_it() -> None:
    assert sink().type is SinkType.SLACK
    assert [str(one) for one in sink().actions] == [
        "promote",
        "rollback",
        "abort",
        "withdraw",
        "hold",
    ]
    assert sink().wants(NOTICE)
    assert not sink().wants(replace(NOTICE, action="step"))


@pytest.mark.parametrize(
    ("fields", "notice", "wanted"),
    [
        ({"actions": ["promote"]}, NOTICE, False),
        ({"actions": ["rollback", "start"]}, NOTICE, True),
        ({"namespaces": ["flights"]}, NOTICE, True),
        ({"namespaces": ["shop"]}, NOTICE, False),
        ({}, replace(NOTICE, sinks=frozenset({"ops"})), True),
        ({}, replace(NOTICE, sinks=frozenset({"team-a"})), False),
        ({}, replace(NOTICE, sinks=frozenset()), False),
    ],
)
def test_a_sink_wants_what_it_is_for_and_what_the_deployment_lets_it_know(
    fields, notice, wanted
) -> None:
    assert sink(**fields).wants(notice) is wanted


def test_without_configuration_there_is_none() -> None:
    assert sinks_of("") == sinks_of("[]") == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[{"name": "ops", "type": "pager", "urlFile": "/u"}]', "type"),
        ('[{"name": "Ops!", "type": "slack", "urlFile": "/u"}]', "name"),
        ('[{"name": "ops", "type": "slack"}]', "urlFile"),
        ('[{"name": "ops", "type": "slack", "urlFile": "/u", "actions": ["explode"]}]', "actions"),
        ("{", "JSON"),
    ],
)
def test_what_cant_be_used_is_refused_with_its_place(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        sinks_of(text)


def test_two_sinks_of_one_name_are_refused() -> None:
    one = {"name": "ops", "type": "slack", "urlFile": "/u"}

    with pytest.raises(ValueError, match="two sinks bear the same name"):
        sinks_of(json.dumps([one, one]))
