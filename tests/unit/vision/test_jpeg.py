"""JPEGs as cameras, phones and print shops write them, against Pillow's pixels and against the whole file's."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ferserve.errors import InvalidFrameError
from ferserve.types import EncodedImage
from ferserve.vision.decode import decode
from ferserve.vision.picture import Picture
from tests.unit.vision.budgets import unlimited
from tests.unit.vision.jpegs import EOI, RGB, encoded, header_segments, pillow_luma, restarts, sampled

FLAT: NDArray[np.uint8] = np.where(np.arange(256)[:, None, None] < 60, RGB, 0).astype(np.uint8)
GREY: NDArray[np.uint8] = RGB[:, :, 1].copy()
KINDS = {
    "baseline": encoded(),
    "restarts": encoded(restart_marker_rows=1),
    "4:4:4, own tables": encoded(quality=100, subsampling=0, optimize=True),
    "progressive": encoded(progressive=True),
    "grey": encoded(GREY),
    "mostly black": encoded(FLAT),
    "4:1:0": sampled([(4, 2), (1, 1), (1, 1)]),
}
PADDINGS = [b"", b"\0", bytes(32), bytes(5000), b"\xff" * 7, b"\x5a" * 9, b"\0\xff"]


def _decode(data: bytes, *, color: bool = False) -> Picture:
    return decode(EncodedImage(data), color=color, budget=unlimited())


def _assert_whole(data: bytes, whole: bytes) -> None:
    """Both readings of ``data`` are those of ``whole``, with a note."""
    for color in (False, True):
        picture, expected = _decode(data, color=color), _decode(whole, color=color)
        np.testing.assert_array_equal(picture.luma, expected.luma)
        if expected.bgr is not None:
            assert picture.bgr is not None
            np.testing.assert_array_equal(picture.bgr, expected.bgr)
        assert expected.degraded == ""
        assert picture.degraded


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_without_its_end_marker_has_all_pixels(kind: str, padding: bytes) -> None:
    whole = KINDS[kind]
    _assert_whole(whole[:-2] + padding, whole)


@pytest.mark.parametrize("stray", [b"\0" * 10, b"\x5a" * 10, b"\x11\xff\0" * 5, b"\0" * 3000])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "4:1:0"])
def test_stray_bytes_before_the_end_marker_do_no_harm(kind: str, stray: bytes) -> None:
    whole = KINDS[kind]
    _assert_whole(whole[:-2] + stray + EOI, whole)


@pytest.mark.parametrize("stray", [b"\x5a" * 9, bytes(9), b"\x01", b"\xff\0" * 40])
@pytest.mark.parametrize("where", [slice(0, 1), slice(5, 6), slice(-1, None), slice(None)])
def test_stray_bytes_before_restart_markers_do_no_harm(where: slice, stray: bytes) -> None:
    data = whole = KINDS["restarts"]
    for at in reversed(restarts(whole)[where]):
        data = data[:at] + stray + data[at:]
    if len(stray) > 1:  # one byte may stay unseen in the decoder's buffer
        _assert_whole(data, whole)
    np.testing.assert_array_equal(_decode(data).luma, _decode(whole).luma)


@pytest.mark.parametrize("stray", [b"\0\0\1", b"\0", b"\xff\0", b"\x12" * 300])
@pytest.mark.parametrize("kind", ["baseline", "progressive", "grey"])
def test_stray_bytes_between_the_segments_of_the_header_do_no_harm(kind: str, stray: bytes) -> None:
    whole = KINDS[kind]
    for at in header_segments(whole):
        _assert_whole(whole[:at] + stray + whole[at:], whole)
        _assert_whole(whole[:at] + stray + whole[at:-2], whole)


@given(
    st.sampled_from(sorted(KINDS)),
    st.integers(1, 4000),
    st.sampled_from([b"", bytes(50_000), b"\xff" * 7, EOI, bytes(50_000) + EOI]),
)
def test_a_file_that_is_cut_is_a_fault_or_loses_no_luma(kind: str, cut: int, padding: bytes) -> None:
    """The last bytes may hold chroma alone. A file of a rare sampling is believed if its end marker is there."""
    assume(kind != "4:1:0" or not padding.endswith(EOI))
    whole = KINDS[kind]
    try:
        picture = _decode(whole[: -2 - cut] + padding)
    except InvalidFrameError:
        return
    np.testing.assert_array_equal(picture.luma, _decode(whole).luma)
    assert picture.degraded


@pytest.mark.parametrize("padding", [*PADDINGS, EOI, bytes(5000) + EOI])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "4:1:0"])
def test_a_file_without_its_last_rows_is_a_fault(kind: str, padding: bytes) -> None:
    with pytest.raises(InvalidFrameError, match="must be a whole JPEG, got one that says: "):
        _decode(KINDS[kind][: -len(KINDS[kind]) // 4] + padding)


def test_a_progressive_file_without_its_last_scans_is_a_fault() -> None:
    whole = KINDS["progressive"]
    tables = [at for at in range(len(whole)) if whole[at : at + 2] == b"\xff\xc4"]
    for at in tables[1:]:
        with pytest.raises(InvalidFrameError):
            _decode(whole[:at])


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(lambda jpeg, at: jpeg[: at[4]] + jpeg[at[5] :], id="an interval is missing"),
        pytest.param(lambda jpeg, at: jpeg[: at[2]] + jpeg[at[10] :], id="eight intervals are missing"),
        pytest.param(lambda jpeg, at: jpeg[: at[5]] + jpeg[at[4] :], id="an interval comes twice"),
        pytest.param(lambda jpeg, at: jpeg[: at[5]] + jpeg[at[5] + 2 :], id="a restart marker is missing"),
        pytest.param(lambda jpeg, at: jpeg[: at[5] - 30] + jpeg[at[5] :], id="an interval is cut"),
        pytest.param(lambda jpeg, at: jpeg[: at[5] - 99] + b"\x5a" + jpeg[at[5] :], id="an interval is cut and padded"),
        pytest.param(lambda jpeg, at: jpeg[: at[-1]] + EOI, id="the last interval is missing"),
        pytest.param(lambda jpeg, at: jpeg[: at[-1] + 2], id="the file ends with a restart marker"),
    ],
)
def test_a_hole_in_the_picture_is_a_fault(broken) -> None:  # type: ignore[no-untyped-def]
    whole = KINDS["restarts"]
    with pytest.raises(InvalidFrameError, match="must be a whole JPEG"):
        _decode(broken(whole, restarts(whole)))
    stray = whole[: restarts(whole)[0]] + b"\x5a" * 9 + whole[restarts(whole)[0] :]
    with pytest.raises(InvalidFrameError, match="must be a whole JPEG"):
        _decode(broken(stray, restarts(stray)))


@pytest.mark.parametrize(
    "factors",
    [
        [(4, 2), (1, 1), (1, 1)],
        [(3, 1), (1, 1), (1, 1)],
        [(2, 1), (1, 1), (2, 1)],
        [(1, 1), (2, 2), (2, 2)],
        [(1, 4), (1, 1), (1, 1)],
        [(2, 2), (2, 1), (1, 2)],
        [(4, 4), (4, 4), (4, 4)],
    ],
)
def test_any_sampling_is_read(factors: list[tuple[int, int]]) -> None:
    data = sampled(factors)
    picture = _decode(data)
    assert np.abs(picture.luma.astype(int) - pillow_luma(data)).max() <= 4  # its fast transform
    assert picture.degraded == ""
    _assert_whole(data[:-2], data)
    with pytest.raises(InvalidFrameError):
        _decode(data[: data.index(b"\xff\xda", data.index(b"\xff\xda") + 2) - 1000])


@pytest.mark.parametrize("factors", [[(3, 1), (2, 1), (1, 1)], [(3, 2), (1, 1), (2, 1)]])
def test_a_sampling_that_no_decoder_reads_is_not_called_damaged(factors: list[tuple[int, int]]) -> None:
    with pytest.raises(InvalidFrameError) as caught:
        _decode(sampled(factors), color=True)
    names = ", ".join(f"{h}x{v}" for h, v in factors)
    assert f"got one of sampling factors {names}, which are not supported; send JPEG, PNG" in str(caught.value)


@pytest.mark.parametrize("process", [3, 5, 6, 7, 11, 13, 14, 15])
def test_a_process_that_no_decoder_reads_is_not_called_damaged(process: int) -> None:
    data = encoded().replace(b"\xff\xc0", bytes((0xFF, 0xC0 + process)), 1)
    with pytest.raises(
        InvalidFrameError, match=rf"got one of another process \(SOF{process}\), which is not supported"
    ):
        _decode(data)


def _without(jpeg: bytes, marker: int) -> bytes:
    starts = header_segments(jpeg)
    kept = [jpeg[a:b] for a, b in pairwise(starts) if jpeg[a + 1] != marker]
    return b"".join((jpeg[:2], *kept, jpeg[starts[-1] :]))


@pytest.mark.parametrize(
    ("data", "same"),
    [
        pytest.param(encoded()[:2] + b"\xff" * 9 + encoded()[2:], encoded(), id="fill bytes"),
        pytest.param(_without(encoded(), 0xC4), encoded(), id="Motion JPEG without Huffman tables"),
        pytest.param(_without(encoded(), 0xE0), encoded(), id="without JFIF"),
        pytest.param(encoded().replace(b"JFIF\0\1", b"JFIF\0\5"), encoded(), id="a JFIF of the future"),
        pytest.param(encoded() + b"trailer" * 99, encoded(), id="bytes behind the end"),
        pytest.param(encoded() + encoded(GREY), encoded(), id="a second picture behind the first"),
        pytest.param(encoded(comment=b"\xff\xd9\xff\xda" * 99), encoded(), id="markers in a comment"),
        pytest.param(encoded()[:2] + b"\xff\x01\xff\xd3" + encoded()[2:], encoded(), id="markers without a length"),
    ],
)
def test_headers_that_decoders_accept_give_the_same_pixels(data: bytes, same: bytes) -> None:
    for color in (False, True):
        picture, expected = _decode(data, color=color), _decode(same, color=color)
        assert np.abs(picture.luma.astype(int) - expected.luma).max() <= 4  # another decoder may have read it
        assert picture.degraded == ""


def test_a_height_that_comes_after_the_pixels_is_not_called_damaged() -> None:
    whole = encoded()
    at = whole.index(b"\xff\xc0") + 5
    with pytest.raises(InvalidFrameError, match=r"says it after its pixels \(DNL\), which is not supported"):
        _decode(whole[:at] + b"\0\0" + whole[at + 2 :])


def test_a_side_beyond_that_of_the_decoder_is_not_called_damaged() -> None:
    whole = encoded(np.zeros((8, 16), np.uint8))
    at = whole.index(b"\xff\xc0") + 7
    with pytest.raises(InvalidFrameError, match="a JPEG must be at most 65500 px wide and high, got 65501x8"):
        _decode(whole[:at] + (65_501).to_bytes(2, "big") + whole[at + 2 :])


@pytest.mark.parametrize("kind", KINDS)
def test_no_byte_that_flips_crashes(kind: str) -> None:
    random = np.random.default_rng(5)
    for _ in range(150):
        data = bytearray(KINDS[kind][: int(random.integers(4, len(KINDS[kind])))])
        for at in random.integers(2, min(len(data), 700), 3):
            data[at] = int(random.integers(256))
        try:
            picture = _decode(bytes(data), color=bool(random.integers(2)))
        except InvalidFrameError:
            continue
        assert picture.luma.size
