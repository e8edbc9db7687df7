"""The taxonomy of errors."""

import pytest

from ferserve import errors


def _classes() -> list[type[errors.FerserveError]]:
    return [v for v in vars(errors).values() if isinstance(v, type) and issubclass(v, errors.FerserveError)]


def test_kinds_name_one_class_each() -> None:
    kinds = [cls.kind for cls in _classes()]
    assert len(set(kinds)) == len(kinds)


@pytest.mark.parametrize(
    ("cls", "builtin"),
    [
        (errors.InvalidFrameError, ValueError),
        (errors.ModelNotFoundError, LookupError),
        (errors.ServerUnavailableError, ConnectionError),
    ],
)
def test_errors_can_be_caught_as_python_users_would(cls: type[Exception], builtin: type[Exception]) -> None:
    assert issubclass(cls, builtin)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("short", "'short'"),
        ("a" * 80, repr("a" * 80)),
        ("a" * 30_000_000, repr("a" * 80) + "... of 30000000"),
        (b"\0" * 81, repr(b"\0" * 80) + "... of 81"),
        (list(range(1000)), repr(list(range(1000)))[:160] + "... of 4890"),
        (None, "None"),
    ],
)
def test_no_more_of_a_value_is_quoted_than_tells_which_one_it_is(value: object, text: str) -> None:
    assert errors.quoted(value) == text
