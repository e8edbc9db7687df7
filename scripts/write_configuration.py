"""Writes docs/configuration.md from the settings' dataclasses.

``python scripts/write_configuration.py`` writes the page; with ``--check`` it fails if the page is not current.
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

from generated import keep_current

from ferserve.setting_docs import Setting, settings

PAGE = Path(__file__).resolve().parent.parent / "docs" / "configuration.md"

HEAD = """# Configuration

After this page you know every setting, its default, and how to set it. It is written from `ferserve/config/` by `python
scripts/write_configuration.py`.

Later beats earlier: the defaults, a TOML file (`--config FILE`), the environment, flags. In the environment a setting
is `FERSERVE_<SECTION>_<KEY>`, such as `FERSERVE_SERVER_PORT=50052`.

```
ferserve config init ferserve.toml           # a file with every setting, commented out
ferserve config check ferserve.toml          # each mistake with its line, its key and what was expected
ferserve config show --config ferserve.toml  # every value that counts, and where it came from
```

What a client may ask for at most, and which error and metric tell of it, is the table of
[limits](robustness.md#limits); [tokens and roles](protocol.md#tokens-and-roles) say whom a server lets in.
"""
TABLE = "| setting | type | default | meaning |\n|---|---|---|---|"
SECTIONS = {
    "engine": "Models, detector and device, and their share of the machine.",
    "server": "Addresses, limits and trust of the server.",
    "tls": "For commands that call a server; `ferserve.Tls` for the Python clients.",
}


def write() -> str:
    """The page."""
    parts = [HEAD]
    for section, found in itertools.groupby(settings(), lambda setting: setting.section):
        rows = "\n".join(_row(setting) for setting in found)
        parts.append(f"## {section}\n\n{SECTIONS[section]}\n\n{TABLE}\n{rows}\n")
    return "\n".join(parts)


def _row(setting: Setting) -> str:
    text = setting.text.replace("|", "\\|")
    return f"| `{setting.section}.{setting.key}` | {setting.type} | `{setting.default}` | {text} |"


def main() -> int:
    """Write or check the page."""
    return keep_current(PAGE, write())


if __name__ == "__main__":
    sys.exit(main())
