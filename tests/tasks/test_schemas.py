import json

import pytest

from midalign_demo.errors import InputError
from midalign_demo.tasks import schemas
from midalign_demo.tasks.json_generation import entity_schema

CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def nested(times: int) -> dict:
    schema: dict = {"type": "string"}
    for _ in range(times):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


def doubling(times: int) -> dict:
    """Each definition is two of the one before: as large as two to the power of their number."""
    definitions: dict = {"d0": {"type": "string"}}
    for number in range(1, times):
        before = {"$ref": f"#/$defs/d{number - 1}"}
        definitions[f"d{number}"] = {"type": "object", "properties": {"a": before, "b": before}}
    return {"$defs": definitions, "$ref": f"#/$defs/d{times - 1}"}


@pytest.mark.parametrize(
    "schema",
    [
        CITY, {}, entity_schema(), entity_schema(["a"] * 1), nested(schemas.DEEPEST - 1), doubling(6),
        {"$id": "https://example.com/x", "$defs": {"a/b": CITY}, "properties": {"x": {"$ref": "#/$defs/a~1b"}}},
        {"properties": {"$ref": {"type": "string"}, "minItems": {"maximum": 10**9}}},  # names, not keywords
        {"prefixItems": [{"type": "integer"}, True], "allOf": [{"$ref": "#/prefixItems/0"}]},
        {"pattern": "^[a-z]{2}$", "maxLength": schemas.HIGHEST_COUNT},
        {"description": "}" * 500, "properties": {"a": {"description": "[" * 500}}},
    ],
)  # fmt: skip
def test_ordinary_schemas_are_taken(schema):
    assert schemas.check_schema(schema) is schema


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ([], "it is not a JSON object"), (None, "it is not a JSON object"), ({"a": {1, 2}}, "can't be written as JSON"),
        ({"type": "thing"}, r"'thing' is not valid .* at \$\.type"), ({"properties": 3}, "is not of type 'object'"),
        ({"enum": ["x" * 10_000]}, "characters as JSON, at most 10000 are allowed"),
        ({"properties": {"\ud800": {}}}, "half a surrogate pair"),
        ({"const": json.loads("[" * 200 + "]" * 200)}, "nested 201 brackets deep, at most 96"),
        (nested(schemas.DEEPEST), "more than 24 schemas within each other at #/properties/a"),
        (nested(150), "brackets deep"),
        (doubling(12), "1021 schemas at .*, references followed; at most 1000"),
        (doubling(60), "schemas within each other"),
        ({"$ref": "#"}, "# refers to itself; recursive schemas are not supported"),
        ({"properties": {"a": {"items": {"$ref": "#/properties/a"}}}}, "#/properties/a refers to itself"),
        ({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}, "refers to itself"),
        ({"$defs": {f"d{n}": {"not": {"$ref": f"#/$defs/d{n - 1}"}} if n else {} for n in range(20)}},
         "more than 24 schemas within each other"),
        ({"$ref": "http://127.0.0.1:9/x.json"}, "'http://127.0.0.1:9/x.json' is not within the schema"),
        ({"$ref": "file:///etc/passwd"}, "is not within the schema"), ({"$ref": "#name"}, "is not within the schema"),
        ({"$ref": "#/$defs/no"}, "names nothing that there is"),
        ({"$ref": "#/allOf/1", "allOf": [{}]}, "names nothing"),
        ({"$ref": "#/title", "title": "x"}, "something that is no schema"),
        ({"$dynamicRef": "#x"}, r"\$dynamicRef at # is not supported; give \$ref"),
        ({"items": {"$id": "http://a/"}}, r"\$id at #/items is not supported"),
        ({"patternProperties": {"^(a+)+$": {}}}, "patternProperties at # is not supported; name the properties"),
        ({"pattern": "x" * 201}, "a pattern of 201 characters at #, at most 200"),
        ({"pattern": "("}, r"'\(' at # is not a pattern"),
        ({"minItems": 10**9}, "minItems is 1000000000 at #, at most 10000"),
        ({"items": {"maxLength": 1e300}}, r"maxLength is 1e\+300 at #/items"),
    ],
)  # fmt: skip
def test_what_is_no_schema_or_too_much_of_one_is_refused(schema, said):
    with pytest.raises(InputError, match=f"^schema: .*{said}") as caught:
        schemas.check_schema(schema)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_documents_are_held_against_schemas():
    assert schemas.fits({"city": "Rome"}, CITY)
    assert not schemas.fits({"city": 3}, CITY)
    assert schemas.fits("ab", {"pattern": "^[a-z]+$"})
    assert not schemas.fits("a1", {"pattern": "^[a-z]+$"})
    assert schemas.fits(3, {"pattern": "^[a-z]+$"})  # it is about strings alone


def test_a_pattern_without_an_end_in_sight_is_given_up():
    endless = schemas.check_schema({"pattern": "^(a|a)+$"})
    assert not schemas.fits("a" * 60 + "!", endless)


def test_what_json_schema_stumbles_over_does_not_fit():
    assert not schemas.fits(10**400, {"multipleOf": 0.1})
    deep = json.loads("[" * 900 + "]" * 900)
    assert not schemas.fits([deep, deep], {"uniqueItems": True})
