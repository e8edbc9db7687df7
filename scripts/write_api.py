"""Writes docs/api.md from the docstrings of the public names.

``python scripts/write_api.py`` writes the page; with ``--check`` it fails if the page is not current.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import griffe
from generated import keep_current

import ferserve

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "api.md"

HEAD = """# Python API

After this page you can call every public name of `ferserve`: with what, in which units, and which errors to expect.
It is written from the docstrings by `python scripts/write_api.py`. Coordinates are pixels of the upright frame, (x, y),
boxes are half-open (x0, y0, x1, y1), arrays are (row, column), probabilities and scores lie in [0, 1].
"""

SECTIONS = {
    "Clients": ("Client", "AsyncClient", "LocalClient", "Tls"),
    "What clients take": (
        "ImageLike", "BoxesLike", "VideoSource", "StreamSource", "StreamItem", "payload_of", "Frame", "EncodedImage",
        "RawImage", "PixelFormat", "Crops",
    ),
    "Options": ("FrameOptions", "StreamOptions", "Delivery", "Priority"),
    "Results": ("FrameResult", "Face", "HeadResult", "FrameFault", "DropReason", "Timings"),
    "Models": ("ModelDescription", "ModelState"),
    "The engine": ("Engine", "EngineConfig"),
}  # fmt: skip
"""The errors follow by themselves."""

LINE = 100
"""Longest line of a signature."""


def main() -> int:
    """Write or check the page."""
    return keep_current(PAGE, write())


def write() -> str:
    """The page, one section per public name."""
    package = griffe.load("ferserve", search_paths=[ROOT], docstring_parser="google", resolve_aliases=True)
    placed = [name for names in SECTIONS.values() for name in names]
    errors = sorted(
        set(ferserve.__all__) - set(placed) - {"__version__"}, key=lambda name: (name != "FerserveError", name)
    )
    blocks = [HEAD]
    for title, names in {**SECTIONS, "Errors": tuple(errors)}.items():
        blocks.append(f"## {title}\n")
        for name in names:
            blocks += _section(name, _find(package, name))
    return "\n".join(blocks).rstrip() + "\n"


def _find(package: griffe.Object | griffe.Alias, name: str) -> griffe.Object | griffe.Alias:
    home = getattr(sys.modules["ferserve"], "_HOME_OF")[name]  # noqa: B009
    found = package[home.removeprefix("ferserve.")][name]
    return found.final_target if found.is_alias else found


def _section(name: str, thing: griffe.Object | griffe.Alias) -> Iterator[str]:
    yield f"### {name}\n"
    if isinstance(thing, griffe.Function):
        yield _code(_prefix(thing) + name, thing.parameters, str(thing.returns or ""))
        yield from _docstring(thing)
        return
    if not isinstance(thing, griffe.Class):
        yield f"```python\n{name} = {thing.value}\n```\n"
        yield from _docstring(thing)
        return
    if "dataclass" in thing.labels:
        yield _code(f"class {name}", thing.parameters, "")
    elif init := thing.members.get("__init__"):
        yield _code(f"class {name}", init.parameters, "")
    else:
        bases = ", ".join(str(base) for base in thing.bases)
        yield f"```python\nclass {name}({bases})\n```\n"
    yield from _docstring(thing)
    if "__init__" in thing.members:
        yield from _docstring(thing.members["__init__"], summary=False)
    yield from _members(name, thing)


def _members(name: str, thing: griffe.Class) -> Iterator[str]:
    public = [member for member in thing.members.values() if not member.name.startswith("_")]
    attributes = [member for member in public if member.is_attribute and (member.annotation or _is_constant(member))]
    attributes.sort(key=lambda member: member.lineno or 0)
    if attributes:
        yield "Attributes:\n\n" + "\n".join(_attribute(member) for member in attributes) + "\n"
    for member in public:
        if member.is_function and member.docstring:
            yield f"#### {name}.{member.name}\n"
            yield _code(_prefix(member) + member.name, member.parameters, str(member.returns or ""))
            yield from _docstring(member)


def _is_constant(member: griffe.Object | griffe.Alias) -> bool:
    """A member of an enum, or the kind of an error."""
    return str(member.value).startswith("'")


def _attribute(member: griffe.Object | griffe.Alias) -> str:
    kind = member.annotation if member.annotation is not None else member.value
    text = _links(" ".join(member.docstring.value.split())) if member.docstring else ""
    return f"- **{member.name}** `{kind}`" + (f": {text}" if text else "")


def _prefix(function: griffe.Object | griffe.Alias) -> str:
    kind = "async " if "async" in function.labels and "AsyncGenerator" not in str(function.returns) else ""
    return "@classmethod " + kind if "classmethod" in function.labels else kind


def _code(head: str, parameters: Iterable[griffe.Parameter], returns: str) -> str:
    """A signature as a block of code, one parameter per line if it is long."""
    parts: list[str] = []
    for parameter in parameters:
        if parameter.name in ("self", "cls"):
            continue
        if parameter.kind is griffe.ParameterKind.keyword_only and "*" not in parts:
            parts.append("*")
        annotation = f": {parameter.annotation}" if parameter.annotation is not None else ""
        default = f" = {parameter.default}" if parameter.default is not None else ""
        parts.append(f"{parameter.name}{annotation}{default}")
    tail = f" -> {returns}" if returns else ""
    line = f"{head}({', '.join(parts)}){tail}"
    if len(line) > LINE:
        line = f"{head}(\n" + "".join(f"    {part},\n" for part in parts) + f"){tail}"
    return f"```python\n{line}\n```\n"


def _docstring(thing: griffe.Object | griffe.Alias, *, summary: bool = True) -> Iterator[str]:
    if thing.docstring is None:
        return
    for section in thing.docstring.parsed:
        kind = section.kind
        if kind is griffe.DocstringSectionKind.text:
            if summary:
                yield _links(section.value) + "\n"
        elif kind is griffe.DocstringSectionKind.parameters:
            yield _list("Arguments", ((item.name, item.description) for item in section.value))
        elif kind is griffe.DocstringSectionKind.raises:
            yield _list("Raises", ((str(item.annotation), item.description) for item in section.value))
        elif kind in (griffe.DocstringSectionKind.returns, griffe.DocstringSectionKind.yields):
            title = "Returns" if kind is griffe.DocstringSectionKind.returns else "Yields"
            yield f"{title}: {_links(' '.join(' '.join(item.description.split()) for item in section.value))}\n"
        elif kind is griffe.DocstringSectionKind.examples:
            code = "\n".join(text for _, text in section.value)
            yield "```python\n" + re.sub(r"^(>>>|\.\.\.) ?", "", code, flags=re.M) + "\n```\n"
        else:
            raise ValueError(f"{thing.path}: no way to write a section {kind}")


def _list(title: str, items: Iterable[tuple[str, str]]) -> str:
    lines = [f"- `{name}`: {_links(' '.join(text.split()))}" for name, text in items]
    return f"{title}:\n\n" + "\n".join(lines) + "\n"


def _links(text: str) -> str:
    """Roles and double backticks as Markdown; public classes as links to their sections."""
    text = text.replace("``", "`")

    def link(role: re.Match[str]) -> str:
        name = role[1].removeprefix("~").removeprefix("ferserve.")
        return f"[`{name}`](#{name.lower()})" if name in ferserve.__all__ else f"`{name}`"

    return re.sub(r":\w+:`([^`]+)`", link, text)


if __name__ == "__main__":
    sys.exit(main())
