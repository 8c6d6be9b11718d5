"""The REST API against its own description: what schemathesis can think of is answered as the document says.

Derived from the document with a fixed seed: each route is asked what it should take and what it should not. No answer
is a 5xx, has a status that is not declared, or is not of its schema; what is valid is taken, what is not is refused;
a route that needs a token refuses those without.
"""

import json
import re
from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from tests.apis import Api, opened

EXAMPLES = 8  # of each route and mode
EVERYTHING = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def api(module_store_url: str) -> Iterator[Api]:
    with opened(module_store_url) as made:
        yield made.unthrottled()


def described(api: Api, document: bytes | None = None):
    """The operations of the document, by `METHOD /path`."""
    raw = json.loads(document or api.app.state.document)
    schema = schemathesis.openapi.from_dict(raw)
    schema.app = api.app
    schema.config.generation.update(with_security_parameters=False)  # our tokens are in every request
    return {operation.ok().label: operation.ok() for operation in schema.get_all_operations()}


def examine(api: Api, operation, mode: GenerationMode) -> int:
    """Asks and checks; how often. Raises schemathesis' failures."""
    asked = 0

    @EVERYTHING
    @given(case=operation.as_strategy(generation_mode=mode))
    def each(case) -> None:
        nonlocal asked
        asked += 1
        case.call_and_validate(headers={"Authorization": f"Bearer {api.token}"})

    try:
        each()
    except Unsatisfiable:  # there is nothing that the route would not take
        assert mode is GenerationMode.NEGATIVE
    return asked


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["taken", "refused"])
def test_every_answer_is_one_that_the_document_declares(api: Api, mode: GenerationMode) -> None:
    asked = {label: examine(api, operation, mode) for label, operation in described(api).items()}
    assert sum(asked.values()) >= 10 * EXAMPLES, asked
    if mode is GenerationMode.POSITIVE:
        assert all(asked.values()), asked


def test_what_is_there_is_answered_as_the_document_says(api: Api) -> None:
    operations = described(api)
    finding = api.get("/findings?limit=1").json()["items"][0]["id"]
    api.post(f"/findings/{finding}/labels", {"label": "fraud"})
    for label, operation in operations.items():
        if label.startswith("GET"):
            query = {"kind": "caller", "value": "+4930123400001"} if label.endswith("/parties") else {}
            named = {"name": "siem" if "webhooks" in label else "edge-1"}
            parameters = {
                key: value for key, value in {"finding_id": finding, **named}.items() if f"{{{key}}}" in label
            }
            case = operation.Case(path_parameters=parameters, query=query)
            answer = case.call(headers={"Authorization": f"Bearer {api.token}"})
            assert answer.status_code == 200, label
            operation.validate_response(answer)


def test_an_answer_that_is_not_declared_is_seen(api: Api) -> None:
    document = json.loads(api.app.state.document)
    del document["paths"]["/api/v1/findings/{finding_id}"]["get"]["responses"]["404"]
    operations = described(api, json.dumps(document).encode())
    with pytest.raises(BaseExceptionGroup, match="distinct failure"):
        examine(api, operations["GET /api/v1/findings/{finding_id}"], GenerationMode.POSITIVE)


def test_the_document_needs_nothing_from_elsewhere(api: Api) -> None:
    text = api.get("/openapi.json", None).text
    assert json.loads(text)["openapi"].startswith("3.1")
    assert set(re.findall(r'"\$ref":"([^#"]*)', text)) == {""}
