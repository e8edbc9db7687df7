"""What MkDocs needs besides the pages in docs/: pages that lie beside the code, under the links that lead to them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent
OUTSIDE = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "LICENSE",
    "ext/README.md",
    "proto/ferserve/v1/emotion.proto",
    "proto/ferserve/inference/service.proto",
    "examples/clients/*.json",
    "examples/clients/*/*",
    "ferserve/models/detector_spec.py",
    "ferserve/rendering/result.schema.json",
    "ferserve/web/openapi.json",
    "ferserve/models/*.md",
    "ferserve/models/*.png",
    "ferserve/models/*.jpg",
)
"""Pages, and what they link to; in the site they keep their paths, and docs/ is its root."""

LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)((?:#[^)]*)?)\)")


def on_files(files: Files, config: Any) -> Files:
    """Add what lies outside docs/."""
    for pattern in OUTSIDE:
        for path in sorted(ROOT.glob(pattern)):
            name = path.relative_to(ROOT).as_posix()
            files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Lead links between docs/ and the rest of the repository to where the pages lie in the site."""
    inside = page.file.generated_by is None
    here = Path("docs" if inside else ".") / page.file.src_uri

    def moved(link: re.Match[str]) -> str:
        target = (ROOT / here.parent / link[1]).resolve()
        if not target.is_relative_to(ROOT):
            return link[0]
        name = target.relative_to(ROOT)
        in_site = name.relative_to("docs") if name.parts[:1] == ("docs",) else name
        if (ROOT / name).is_dir():
            in_site /= "README.md"
        up = "../" * (len(Path(page.file.src_uri).parts) - 1)
        return f"]({up}{in_site.as_posix()}{link[2]})"

    return LINK.sub(moved, markdown)
