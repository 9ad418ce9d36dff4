"""Whatever is given as a JSON Schema: refused, or compiled and held against any document, in bounded time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from midalign_demo import bases
from midalign_demo.constraint import Grammars
from midalign_demo.errors import InputError
from midalign_demo.questions import question_of
from midalign_demo.tasks import schemas
from tests.fuzz import nasty

NAMES = st.one_of(st.sampled_from(["a", "b", "$ref", "a/b", "~"]), nasty.text)
REFERENCES = st.one_of(
    st.sampled_from(
        ["#", "#/", "#/$defs/a", "#/properties/a", "#/allOf/0", "#a", "http://127.0.0.1:9/", "#/$defs/a/items"]
    ),
    nasty.text,
)
PATTERNS = st.one_of(
    st.sampled_from(["^(a+)+$", "(a|a)*b", "(x{1,100}){1,100}", "(?=a)", "[", "\\d+", "(.)\\1"]), nasty.text
)
LEAVES = st.one_of(
    st.booleans(),
    nasty.json_value,
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.one_of(
                st.sampled_from(["object", "array", "string", "integer", "number", "null"]), nasty.json_value
            ),
            "enum": st.lists(nasty.json_value, max_size=3),
            "const": nasty.json_value,
            "pattern": PATTERNS,
            "$ref": REFERENCES,
            "format": st.sampled_from(["date", "email", "regex", "x"]),
            "minLength": nasty.scalar,
            "maxLength": st.integers(0, 10**6),
            "minItems": st.integers(0, 10**6),
            "multipleOf": st.floats(),
            "minimum": st.floats(),
            "maximum": st.integers(),
            "required": st.lists(NAMES),
            "uniqueItems": nasty.scalar,
            "patternProperties": nasty.json_value,
            "$id": nasty.text,
        },
    ),
)


def _larger(inner):
    named = st.dictionaries(NAMES, inner, max_size=3)
    listed = st.lists(inner, max_size=3)
    parts = {
        "properties": named,
        "$defs": named,
        "dependentSchemas": named,
        "allOf": listed,
        "anyOf": listed,
        "oneOf": listed,
        "prefixItems": listed,
        "items": inner,
        "additionalProperties": inner,
        "not": inner,
        "contains": inner,
        "$ref": REFERENCES,
        "type": st.sampled_from(["object", "array", "string"]),
        "x-guidance": nasty.json_value,
    }
    return st.fixed_dictionaries({}, optional=parts)


SCHEMAS = st.recursive(LEAVES, _larger, max_leaves=10)


@pytest.fixture(scope="module")
def grammars(base_folder):
    return Grammars(bases.load(str(base_folder), dtype="float32", device="cpu"))


@given(schema=SCHEMAS, document=nasty.json_value)
def test_schemas_are_refused_or_held_to(grammars, schema, document):
    with nasty.bounded():
        try:
            question = question_of("json", "wake me at seven", schema=schema)
            grammars._base.encode_prompt(question.prompt())
            grammars.matcher(question.grammar()).compute_bitmask()
        except InputError as error:
            assert "\n" not in str(error)
            assert len(str(error)) < 1000
            return
        if question.schema is not None:
            assert schemas.fits(document, question.schema) in (True, False)
