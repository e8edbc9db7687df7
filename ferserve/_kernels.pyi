from typing import Any, final

COLORS: dict[str, int]
METHODS: dict[str, int]
DTYPES: dict[str, tuple[int, bytes]]
ALIGN_POINTS: dict[str, int]

@final
class Plan:
    row_shape: tuple[int, int, int]
    def __init__(
        self,
        row_shape: tuple[int, int, int],
        color: str,
        planar: bool,
        dtype: str,
        resize: str,
        gain: tuple[float, ...],
        offset: tuple[float, ...],
        margin: float,
        square: bool,
        align: str,
    ) -> None: ...

def features() -> dict[str, Any]: ...
def use_path(name: str) -> None: ...
def crops_into(
    plan: Plan,
    images: tuple[Any, ...],
    color: str,
    boxes: tuple[Any, ...],
    out: Any,
    landmarks: tuple[Any, ...] | None = None,
    row: int = 0,
    threads: int = 1,
) -> None: ...
def letterbox_into(
    luma: Any, out: Any, fill: float = 0.0, gain: float = 1.0, offset: float = 0.0
) -> tuple[float, int, int]: ...
