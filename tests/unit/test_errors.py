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
