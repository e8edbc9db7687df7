"""The API's description: ``openapi.json`` beside this file, with the schema of results put in."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from ferserve._version import __version__


@cache
def document() -> dict[str, Any]:
    """The OpenAPI 3.1 document."""
    api = _read("ferserve.web", "openapi.json")
    api["info"]["version"] = __version__
    result = _read("ferserve.rendering", "result.schema.json")
    parts = result.pop("$defs")
    del result["$schema"]
    api["components"]["schemas"] |= {name: _moved(part) for name, part in {**parts, "result": result}.items()}
    return api


def _read(package: str, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((files(package) / name).read_text("utf-8"))
    return content


def _moved(schema: Any) -> Any:
    """``schema`` with its references pointing to where OpenAPI keeps schemas."""
    if isinstance(schema, dict):
        return {
            key: value.replace("#/$defs/", "#/components/schemas/") if key == "$ref" else _moved(value)
            for key, value in schema.items()
        }
    return [_moved(item) for item in schema] if isinstance(schema, list) else schema
