"""The generator of CustomResourceDefinitions: what it makes of models, and what it refuses."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, StringConstraints

from serinus.api.enums import Kind
from serinus.api.schema_model import ApiModel
from serinus.api.structural_schema import (
    DEFINITIONS,
    Schema,
    SchemaError,
    custom_resource_definition,
    structural,
)

Short = Annotated[str, StringConstraints(max_length=8)]


class Inner(ApiModel):
    """A part."""

    value: Short = Field(description="A value.")


def schema_of(model: type[ApiModel]) -> Schema:
    raw = model.model_json_schema(by_alias=True)
    return structural(raw, raw.get("$defs", {}), "Model")


def nodes(schema: Schema) -> Iterator[Schema]:
    yield schema
    for child in schema.get("properties", {}).values():
        yield from nodes(child)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from nodes(schema[key])


def test_an_optional_part_is_put_in_place_under_its_field_s_description() -> None:
    class Model(ApiModel):
        """A model."""

        part: Inner | None = Field(default=None, description="The part here.")

    part = schema_of(Model)["properties"]["part"]

    assert part["type"] == "object"
    assert part["description"] == "The part here."
    assert part["properties"]["value"] == {
        "type": "string",
        "maxLength": 8,
        "description": "A value.",
    }


def test_a_constant_is_an_enum_and_an_open_bound_is_a_flag() -> None:
    class Model(ApiModel):
        """A model."""

        word: Literal["auto"] = Field(default="auto", description="A word.")
        count: int = Field(gt=0, description="A count.")

    properties = schema_of(Model)["properties"]

    assert properties["word"]["enum"] == ["auto"]
    assert "default" not in properties["word"]
    assert properties["count"]["minimum"] == 0
    assert properties["count"]["exclusiveMinimum"] is True


@pytest.mark.parametrize(
    ("annotation", "field", "problem"),
    [
        (Short, Field(), "no description"),
        (float, Field(description="A number."), "use text for decimals"),
        (int | Short, Field(description="Either."), "a field has one type"),
        (list[Short], Field(description="A list."), "a list needs `max_length`"),
        (dict[str, Short], Field(description="A map."), "a map needs `max_length`"),
        (str, Field(description="Text."), "text needs `max_length`"),
    ],
)
def test_what_kubernetes_or_people_could_not_use_is_refused(
    annotation: Any, field: Any, problem: str
) -> None:
    fields = {"__annotations__": {"odd": annotation}, "odd": field}
    model = type("Model", (ApiModel,), {**fields, "__module__": __name__})

    with pytest.raises(SchemaError, match=problem) as refused:
        schema_of(model)
    assert refused.value.path == "Model.odd"


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda one: one.kind.value)
def test_nothing_is_left_that_is_not_structural(definition: Any) -> None:
    manifest = custom_resource_definition(definition)
    [version] = manifest["spec"]["versions"]
    root = version["schema"]["openAPIV3Schema"]
    assert root["properties"]["status"].pop("default") == {"observedGeneration": -1}

    for node in nodes(root):
        assert not node.keys() & {"$ref", "$defs", "anyOf", "allOf", "title", "default", "const"}
        assert isinstance(node["type"], str)


def test_all_kinds_can_be_listed_together_and_shortly() -> None:
    names = [custom_resource_definition(one)["spec"]["names"] for one in DEFINITIONS]

    assert {one["kind"] for one in names} == {kind.value for kind in Kind}
    assert [one["shortNames"] for one in names] == [["fset"], ["tjob"], ["mver"], ["mdep"]]
    assert all(one["categories"] == ["mlops"] for one in names)


def test_a_deployment_of_ours_doesn_t_collide_with_that_of_kubernetes() -> None:
    [names] = [
        custom_resource_definition(one)["spec"]["names"]
        for one in DEFINITIONS
        if one.kind is Kind.DEPLOYMENT
    ]

    assert (names["plural"], names["singular"]) == ("modeldeployments", "modeldeployment")
