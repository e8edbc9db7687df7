"""What a SOURCE argument means: a file, a folder, a pattern, a URL, a camera, or the standard input.

A folder stands for the files in it that are of the kind asked for, in the order of their names' bytes; hidden ones are
left out. A pattern, such as ``'shots/*.jpg'``, stands for what it matches in the same order, and does so only if no
file has that very name. Order and repetition of arguments are kept.
"""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ferserve.errors import ConfigError
from ferserve.rendering.json import print_error
from ferserve.sources.kinds import HEAD_BYTES, Kind, kind_of
from ferserve.sources.locators import checked_url, is_url, path_of, redacted

STDIN = "-"
"""The argument that stands for the standard input."""

_MAGIC = "*?["


@dataclass(frozen=True)
class Input:
    """One source to open: ``locator`` is a path, a URL or a camera's index; None for the standard input."""

    name: str
    """As people see it, without passwords."""
    locator: str | int | None
    fault: str = ""
    """Why there is nothing to open; empty otherwise."""


def expand(arguments: Iterable[str], kind: Kind, recursive: bool) -> list[Input]:
    """The inputs that ``arguments`` stand for. Files of folders that are not of ``kind`` are counted on stderr."""
    return [source for argument in arguments for source in _expand(argument, kind, recursive)]


def _expand(argument: str, kind: Kind, recursive: bool) -> list[Input]:
    if argument == STDIN:
        return [Input(argument, None)]
    if kind == "video" and argument.isdecimal():
        return [Input(argument, int(argument))]
    try:
        if is_url(argument):
            return [Input(redacted(argument), checked_url(argument))]
        path = path_of(argument)
    except ConfigError as error:
        return [Input(redacted(argument), argument, str(error))]
    if os.path.isdir(path):
        hint = "" if recursive else "; --recursive looks into subfolders"
        return _chosen(argument, _files(path, recursive), kind, hint)
    if any(sign in path for sign in _MAGIC) and not os.path.lexists(path):
        return _chosen(argument, _matches(path, recursive), kind)
    return [Input(argument, path)]


def _chosen(argument: str, paths: Iterable[str | Input], kind: Kind, hint: str = "") -> list[Input]:
    """The inputs among ``paths``; one with a fault if there is none."""
    chosen, others = [], 0
    for path in paths:
        if isinstance(path, Input):
            chosen.append(path)
        elif _kind(path) == kind:
            chosen.append(Input(path, path))
        else:
            others += 1
    if others:
        files = "1 file that is no" if others == 1 else f"{others} files that are no"
        print_error(argument, f"{files} {kind}{'s' * (others > 1)} skipped")
    if chosen:
        return chosen
    return [Input(argument, argument, f"source must hold or match at least one {kind}, got none{hint}")]


def _files(folder: str, recursive: bool) -> Iterator[str | Input]:
    """The files in ``folder``, and an input with a fault for each subfolder that cannot be listed."""
    try:
        names = sorted((name for name in os.listdir(folder) if not name.startswith(".")), key=os.fsencode)
    except OSError as error:
        yield Input(folder, folder, error.strerror or str(error))
        return
    for name in names:
        path = os.path.join(folder, name)
        if not os.path.isdir(path):
            yield path
        elif recursive and not os.path.islink(path):  # a link may lead back up
            yield from _files(path, recursive)


def _matches(pattern: str, recursive: bool) -> Iterator[str | Input]:
    """The files that ``pattern`` matches, and those in folders that it matches, each once."""
    seen = set()
    for path in sorted(glob.glob(pattern, recursive=True), key=os.fsencode):
        for found in _files(path, recursive) if os.path.isdir(path) else [path]:
            if found not in seen:
                seen.add(found)
                yield found


def _kind(path: str) -> Kind | None:
    """By content and name; a pipe or a device in a folder is of no kind, since reading it may never end."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            return None
        with open(path, "rb") as file:
            return kind_of(file.read(HEAD_BYTES), path)
    except OSError:
        return kind_of(b"", path)  # what has a picture's name and cannot be read is a fault later
