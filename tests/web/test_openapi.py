"""The server does what its OpenAPI document says, whatever is asked of it."""

from __future__ import annotations

import os

import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from schemathesis import Case
from schemathesis.specs.openapi.checks import positive_data_acceptance

from ferserve.web.openapi import document
from tests import builders
from tests.web.serving import ask

_EXAMPLES = int(os.environ.get("FERSERVE_API_EXAMPLES", "25"))
"""Requests per operation; `make web-api` asks for a thousand."""

PICTURES = st.one_of(st.binary(max_size=200), st.just(builders.jpeg(builders.astronaut())))
for kind in document()["paths"]["/v1/classify"]["post"]["requestBody"]["content"]:
    schemathesis.openapi.media_type(kind, PICTURES)
api = schemathesis.openapi.from_dict(document())


@api.parametrize()
@settings(max_examples=_EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
def test_every_answer_is_one_that_is_documented(case: Case, page: str) -> None:
    # No schema can say which bytes are a picture, nor which models there are.
    case.call_and_validate(base_url=page, excluded_checks=[positive_data_acceptance])


def test_the_document_is_served(page: str) -> None:
    answer = ask(page, "GET", "v1/openapi.json")
    assert answer.json == document()
    assert set(answer.json["paths"]) == {"/v1/classify", "/v1/models", "/v1/info"}


def test_the_document_has_every_part_that_it_refers_to() -> None:
    def references(node: object) -> set[str]:
        if isinstance(node, dict):
            own = {node["$ref"]} if "$ref" in node else set()
            return own.union(*(references(value) for value in node.values()), set())
        return set().union(*map(references, node)) if isinstance(node, list) else set()

    found = references(document())
    assert len(found) > 5
    for reference in found:
        part = document()
        for step in reference.removeprefix("#/").split("/"):
            part = part[step]
