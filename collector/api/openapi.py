"""The description of the API, OpenAPI 3.1: litestar's, made exact."""

import re
from importlib.metadata import version
from typing import Any

import msgspec
from litestar import Litestar, Router
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, License, SecurityScheme

from collector.scopes import SCOPES

DESCRIPTION = (
    "Everything that the console of sipwarden-collector shows. Tokens are made by `sipwarden-collector api-tokens "
    "create`. Lists are newest first, those of boxes and accounts by name, and are followed by `cursor`. Refusals are "
    "problem details (RFC 9457)."
)


LISTED = re.compile(r"Listed_[\w.]+\.(\w+)_")  # litestar's name of a page of something
HEADERS = {
    "401": {"WWW-Authenticate": {"schema": {"type": "string", "const": "Bearer"}, "required": True}},
    "429": {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds.", "required": True}},
    "503": {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds.", "required": True}},
}

Node = dict[str, Any]


def document(router: Router) -> bytes:
    """The description of the routes of `router`, JSON."""
    config = OpenAPIConfig(
        title="sipwarden-collector",
        version=version("sipwarden"),
        description=DESCRIPTION,
        license=License(name="Apache-2.0", identifier="Apache-2.0"),
        use_handler_docstrings=True,
        operation_id_creator=lambda handler, _method, _path: handler.handler_name,
        components=Components(
            security_schemes={
                "bearer": SecurityScheme(
                    type="http",
                    scheme="bearer",
                    description="Scopes: " + "; ".join(f"`{name}`: {what}" for name, what in SCOPES.items()) + ".",
                )
            }
        ),
    )
    made: Node = Litestar([router], openapi_config=config, logging_config=None).openapi_schema.to_schema()
    for path in made["paths"].values():
        for operation in path.values():
            _complete(operation, made["components"]["schemas"])
    return LISTED.sub(r"\1Page", msgspec.json.encode(_portable(made)).decode()).encode()


def _complete(operation: Node, schemas: Node) -> None:
    """Says what litestar leaves out: headers of refusals, and that a body has no keys but those named."""
    operation["summary"] = operation["description"].partition(".")[0]
    for status, response in operation["responses"].items():
        if status in HEADERS:
            response["headers"] = HEADERS[status]
    for parameter in operation.get("parameters", ()):
        parameter["schema"] = _without_null(parameter["schema"])
    if "requestBody" in operation:
        reference = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"]
        schemas[reference.rpartition("/")[2]]["additionalProperties"] = False


def _without_null(schema: Node) -> Node:
    """Of a parameter that may be missing: it is never null."""
    if None in schema.get("enum", ()):
        return {**schema, "type": "string", "enum": [each for each in schema["enum"] if each is not None]}
    kept = [each for each in schema.get("oneOf", ()) if each.get("type") != "null"]
    if len(kept) != 1:
        return schema
    return {**kept[0], **{key: value for key, value in schema.items() if key != "oneOf"}}


def _portable(node: Any) -> Any:
    """Patterns in the words of ECMA-262, which JSON Schema asks for."""
    if isinstance(node, list):
        return [_portable(each) for each in node]
    if not isinstance(node, dict):
        return node
    pattern = node.get("pattern")
    if isinstance(pattern, str):
        node = {**node, "pattern": pattern.replace(r"\Z", "$")}
    return {key: _portable(value) for key, value in node.items()}
