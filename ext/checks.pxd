"""Checks of the arrays that Python passes; every ValueError names the field, what it must be and what it got."""

from libc.stddef cimport ptrdiff_t
from libc.stdint cimport uint8_t

from kernel_types cimport FS_LUMA, FsImage


cdef inline str describe(object value):
    """The dtype and shape of an array, the type of any other value, for error messages."""
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return f"{value.dtype} {tuple(value.shape)}"
    return type(value).__name__


cdef inline tuple strides_of(Py_buffer *buffer):
    """A buffer's strides, for error messages (no generator: a .pxd cannot hold one)."""
    cdef list strides = []
    cdef int d
    for d in range(buffer.ndim):
        strides.append(buffer.strides[d])
    return tuple(strides)


cdef inline int read_image(object source, str name, Py_buffer *buffer, int color, FsImage *image) except -1:
    """Check a uint8 view of pixels and fill in ``image``."""
    cdef int channels = 1 if color == FS_LUMA else 3
    if buffer.ndim != (2 if channels == 1 else 3) or (channels == 3 and buffer.shape[2] != 3):
        shape = "(H, W) where color is 'luma'" if channels == 1 else "(H, W, 3) where color is 'bgr' or 'rgb'"
        raise ValueError(f"{name} must be uint8 {shape}, got {describe(source)}")
    cdef Py_ssize_t height = buffer.shape[0], width = buffer.shape[1]
    if not (1 <= height <= 65535 and 1 <= width <= 65535):
        raise ValueError(f"{name} must be from 1 to 65535 px high and wide, got {describe(source)}")
    image.pixels = <const uint8_t *>buffer.buf
    image.row_step = buffer.strides[0] if height > 1 else 0
    image.pixel_step = buffer.strides[1] if width > 1 else channels
    image.height = height
    image.width = width
    image.channels = channels
    image.color = color
    rising = height == 1 or image.row_step > 0
    if not rising or image.pixel_step < channels or (channels == 3 and buffer.strides[2] != 1):
        raise ValueError(
            f"{name} must have rows and pixels in rising order and adjacent channels, "
            f"got strides {strides_of(buffer)}; pass np.ascontiguousarray({name})"
        )
    return 0


cdef inline int extent(Py_buffer *buffer, const char **low, const char **high) noexcept:
    """The memory that a buffer of positive strides spans."""
    cdef ptrdiff_t span = buffer.itemsize
    cdef int d
    for d in range(buffer.ndim):
        span += (buffer.shape[d] - 1) * buffer.strides[d]
    low[0] = <const char *>buffer.buf
    high[0] = low[0] + span
    return 0


cdef inline int check_apart(Py_buffer *image, str name, Py_buffer *out) except -1:
    """Refuse an output that shares memory with its input."""
    cdef const char *image_low
    cdef const char *image_high
    cdef const char *out_low
    cdef const char *out_high
    extent(image, &image_low, &image_high)
    extent(out, &out_low, &out_high)
    if image_low < out_high and out_low < image_high:
        raise ValueError(f"out must be memory apart from {name}, got two arrays that overlap; pass a copy")
    return 0


cdef inline int check_out(object source, Py_buffer *buffer, str dtype, tuple row_shape, object first,
                          Py_ssize_t count) except -1:
    """Refuse a batch without room for ``count`` rows from ``first`` on; ``first`` is a Python int, so no sum wraps."""
    cdef Py_ssize_t step = buffer.itemsize
    cdef int d
    cdef bint ok = buffer.ndim == 4
    if ok:
        for d in (3, 2, 1):
            if buffer.shape[d] != row_shape[d - 1]:
                ok = False
    if not ok or not 0 <= first <= buffer.shape[0] - count:
        shape = ", ".join(map(str, row_shape))
        rows = f"at least {first + count}" if first >= 0 else "N (and row at least 0)"
        raise ValueError(f"out must be {dtype} ({rows}, {shape}), got {describe(source)} and row {first}")
    for d in (3, 2, 1):
        if buffer.shape[d] > 1 and buffer.strides[d] != step:
            ok = False
        step *= buffer.shape[d]
    if not ok or (buffer.shape[0] > 1 and buffer.strides[0] < step):
        raise ValueError(f"out must hold each row in C order, rows in rising order, got strides {strides_of(buffer)}")
    return 0


cdef inline int check_canvas(object source, Py_buffer *buffer) except -1:
    """Refuse a letterbox that is not two-dimensional with contiguous lines in rising order."""
    if buffer.ndim != 2 or not (1 <= buffer.shape[0] <= 65535 and 1 <= buffer.shape[1] <= 65535):
        raise ValueError(f"out must be uint8 or float32 (h, w) of 1 to 65535 px each, got {describe(source)}")
    cdef Py_ssize_t line = buffer.shape[1] * buffer.itemsize
    if (buffer.shape[1] > 1 and buffer.strides[1] != buffer.itemsize) or (
        buffer.shape[0] > 1 and (buffer.strides[0] < line or buffer.strides[0] % buffer.itemsize)
    ):
        raise ValueError(
            f"out must hold contiguous lines in rising order, got strides {strides_of(buffer)}"
        )
    return 0
