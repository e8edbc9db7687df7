"""Checks what Python hands over, then lets the C kernels run without the GIL. How they work: ext/README.md."""

import os

from cpython.buffer cimport (
    PyBUF_FORMAT, PyBUF_STRIDED, PyBUF_STRIDED_RO, PyBuffer_Release, PyObject_GetBuffer,
)
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.math cimport isfinite
from libc.stddef cimport ptrdiff_t
from libc.stdint cimport uint8_t
from libc.string cimport strchr


cdef extern from "workers.h" nogil:
    enum: FS_LUMA, FS_BGR, FS_RGB

    ctypedef struct FsImage:
        const uint8_t *pixels
        ptrdiff_t row_step, pixel_step
        int height, width, channels, color

    ctypedef struct FsTarget:
        int height, width, channels, color, planar, dtype, method
        ptrdiff_t line
        float gain[3]
        float offset[3]

    ctypedef struct FsGeometry:
        double x0, y0, dx, dy
        int rotated

    ctypedef struct FsJob:
        const FsImage *image
        FsGeometry geometry
        void *row

    ctypedef struct FsPath:
        const char *name

    int fs_paths(FsPath *paths)
    void fs_forget_workers()
    void fs_run(const FsPath *path, const FsJob *jobs, int count, const FsTarget *target, int threads)
    void fs_fill(void *canvas, int height, int width, const FsTarget *target, int left, int top, float value)


cdef extern from "pthread.h" nogil:
    int pthread_atfork(void (*prepare)(), void (*parent)(), void (*child)())


cdef extern from "similarity.h" nogil:
    int fs_align(const double (*landmarks)[2], int count, const FsTarget *target, double margin, FsGeometry *geometry)


COLORS = {"luma": FS_LUMA, "bgr": FS_BGR, "rgb": FS_RGB}
METHODS = {"area": 0, "bilinear": 1, "antialias": 2}
DTYPES = {"float32": (0, b"f", 4), "float16": (1, b"e", 2), "uint8": (2, b"B", 1)}
ALIGN_POINTS = {"none": 0, "eyes": 2, "landmarks": 5}


cdef FsPath PATHS[3]
cdef int PATH_COUNT = fs_paths(PATHS)
cdef FsPath PATH = PATHS[0]


def features() -> dict[str, object]:
    """Which code runs: ``path`` is in use, ``available`` is what this processor can run, best first.

    ``plain`` needs nothing beyond what every processor of its kind has (SSE2, NEON).
    """
    available = [PATHS[i].name.decode() for i in range(PATH_COUNT)]
    return {"path": PATH.name.decode(), "available": available}


def use_path(str name not None) -> None:
    """Switch every later call to the path ``name``, one of ``features()["available"]``.

    The environment variable ``FERSERVE_KERNELS`` does the same at import. All paths give the same bits.
    """
    global PATH
    for i in range(PATH_COUNT):
        if PATHS[i].name.decode() == name:
            PATH = PATHS[i]
            return
    raise ValueError(f"FERSERVE_KERNELS must be one of {features()['available']} on this processor, got {name!r}")


pthread_atfork(NULL, NULL, fs_forget_workers)
if os.environ.get("FERSERVE_KERNELS"):
    use_path(os.environ["FERSERVE_KERNELS"])


def _describe(value: object) -> str:
    """An array's dtype and shape, anything else's type, for error messages."""
    if hasattr(value, "dtype") and hasattr(value, "shape"):
        return f"{value.dtype} {tuple(value.shape)}"
    return type(value).__name__


cdef class _View:
    """A buffer held for as long as this object lives, with its format checked."""

    cdef Py_buffer buffer
    cdef bint held

    def __dealloc__(self):
        if self.held:
            PyBuffer_Release(&self.buffer)


cdef _View _view(object source, str name, bytes codes, str dtype, str shape, bint writable):
    """Hold ``source``'s buffer; its elements must have one of the struct ``codes``."""
    cdef _View view = _View()
    cdef int flags = (PyBUF_STRIDED if writable else PyBUF_STRIDED_RO) | PyBUF_FORMAT
    try:
        PyObject_GetBuffer(source, &view.buffer, flags)
    except (BufferError, ValueError, TypeError) as error:
        if writable and "read-only" in str(error):
            raise ValueError(f"{name} must be writable, got a read-only {_describe(source)}") from None
        raise ValueError(f"{name} must be an array of {dtype} {shape}, got {_describe(source)}") from None
    view.held = True
    cdef const char *format = view.buffer.format
    if format == NULL or format[0] == 0 or format[1] != 0 or strchr(<const char *>codes, format[0]) == NULL:
        raise ValueError(f"{name} must be {dtype} {shape}, got {_describe(source)}")
    return view


cdef class Plan:
    """What one batch row must hold, worked out once from an ``InputSpec``."""

    cdef FsTarget target
    cdef readonly tuple row_shape
    cdef double margin
    cdef bint square
    cdef int points
    cdef str dtype, shape
    cdef bytes code
    cdef Py_ssize_t row_bytes

    def __cinit__(self, tuple row_shape, str color, bint planar, str dtype, str resize, tuple gain, tuple offset,
                  double margin, bint square, str align):
        self.row_shape = row_shape
        self.target.planar = planar
        self.target.channels = row_shape[0 if planar else 2]
        self.target.height = row_shape[1 if planar else 0]
        self.target.width = row_shape[2 if planar else 1]
        self.target.line = <ptrdiff_t>self.target.width * (1 if planar else self.target.channels)
        self.target.color = COLORS[color]
        self.target.method = METHODS[resize]
        self.target.dtype, self.code, size = DTYPES[dtype]
        for c in range(self.target.channels):
            self.target.gain[c] = gain[c]
            self.target.offset[c] = offset[c]
        self.margin = margin
        self.square = square
        self.points = ALIGN_POINTS[align]
        self.dtype = dtype
        self.shape = "(N, " + ", ".join(map(str, row_shape)) + ")"
        self.row_bytes = <Py_ssize_t>size * row_shape[0] * row_shape[1] * row_shape[2]


cdef int _read_image(object source, str name, _View view, int color, FsImage *image) except -1:
    """Check a uint8 view of pixels and write down where they lie."""
    cdef Py_buffer *buffer = &view.buffer
    cdef int channels = 1 if color == FS_LUMA else 3
    if buffer.ndim != (2 if channels == 1 else 3) or (channels == 3 and buffer.shape[2] != 3):
        shape = "(H, W) where color is 'luma'" if channels == 1 else "(H, W, 3) where color is 'bgr' or 'rgb'"
        raise ValueError(f"{name} must be uint8 {shape}, got {_describe(source)}")
    cdef Py_ssize_t height = buffer.shape[0], width = buffer.shape[1]
    if not (1 <= height <= 65535 and 1 <= width <= 65535):
        raise ValueError(f"{name} must be from 1 to 65535 px high and wide, got {_describe(source)}")
    image.pixels = <const uint8_t *>buffer.buf
    image.row_step = buffer.strides[0] if height > 1 else 0
    image.pixel_step = buffer.strides[1] if width > 1 else channels
    image.height = height
    image.width = width
    image.channels = channels
    image.color = color
    if image.row_step < 0 or image.pixel_step < channels or (channels == 3 and buffer.strides[2] != 1):
        strides = tuple(buffer.strides[i] for i in range(buffer.ndim))
        raise ValueError(
            f"{name} must have rows and pixels in rising order and adjacent channels, got strides {strides}; "
            f"pass np.ascontiguousarray({name})"
        )
    return 0


cdef int _extent(Py_buffer *buffer, const char **low, const char **high) noexcept:
    """The memory that a buffer of positive strides spans."""
    cdef ptrdiff_t span = buffer.itemsize
    cdef int d
    for d in range(buffer.ndim):
        span += (buffer.shape[d] - 1) * buffer.strides[d]
    low[0] = <const char *>buffer.buf
    high[0] = low[0] + span
    return 0


cdef int _check_apart(_View image, str name, _View out) except -1:
    """Refuse an output that shares memory with its input."""
    cdef const char *image_low
    cdef const char *image_high
    cdef const char *out_low
    cdef const char *out_high
    _extent(&image.buffer, &image_low, &image_high)
    _extent(&out.buffer, &out_low, &out_high)
    if image_low < out_high and out_low < image_high:
        raise ValueError(f"out must be memory apart from {name}, got two arrays that overlap; pass a copy")
    return 0


cdef int _check_out(object source, _View view, Plan plan, object first, Py_ssize_t count) except -1:
    """Refuse a batch that cannot take ``count`` rows from ``first`` on, a Python int so that no sum can wrap."""
    cdef Py_buffer *buffer = &view.buffer
    cdef Py_ssize_t step = buffer.itemsize
    cdef int d
    cdef bint ok = buffer.ndim == 4
    if ok:
        for d in (3, 2, 1):
            if buffer.shape[d] != plan.row_shape[d - 1]:
                ok = False
    if not ok or not 0 <= first <= buffer.shape[0] - count:
        shape = ", ".join(map(str, plan.row_shape))
        rows = f"at least {first + count}" if first >= 0 else "N (and row at least 0)"
        raise ValueError(f"out must be {plan.dtype} ({rows}, {shape}), got {_describe(source)} and row {first}")
    for d in (3, 2, 1):
        if buffer.shape[d] > 1 and buffer.strides[d] != step:
            ok = False
        step *= buffer.shape[d]
    if not ok or (buffer.shape[0] > 1 and buffer.strides[0] < plan.row_bytes):
        strides = tuple(buffer.strides[i] for i in range(4))
        raise ValueError(f"out must hold each row in C order, rows in rising order, got strides {strides}")
    return 0


cdef inline float _float_at(Py_buffer *buffer, Py_ssize_t i, Py_ssize_t j, Py_ssize_t k) noexcept:
    cdef char *at = <char *>buffer.buf + i * buffer.strides[0] + j * buffer.strides[1]
    if buffer.ndim == 3:
        at += k * buffer.strides[2]
    return (<float *>at)[0]


cdef int _read_box(_View boxes, Py_ssize_t i, Plan plan, FsJob *job) except -1:
    """Check box ``i`` against its image, grow it, and write down where output pixels lie."""
    cdef double x0 = _float_at(&boxes.buffer, i, 0, 0), y0 = _float_at(&boxes.buffer, i, 1, 0)
    cdef double x1 = _float_at(&boxes.buffer, i, 2, 0), y1 = _float_at(&boxes.buffer, i, 3, 0)
    cdef int width = job.image.width, height = job.image.height
    cdef double wide = x1 - x0, tall = y1 - y0
    cdef double longer, border
    if not (isfinite(x0) and isfinite(y0) and isfinite(x1) and isfinite(y1) and wide > 0 and tall > 0):
        raise ValueError(f"xyxy[{i}] must be finite with x0 < x1 and y0 < y1, got ({x0:g}, {y0:g}, {x1:g}, {y1:g})")
    if x0 >= width or y0 >= height or x1 <= 0 or y1 <= 0:
        raise ValueError(
            f"xyxy[{i}] must overlap the image of {width} x {height} px, got ({x0:g}, {y0:g}, {x1:g}, {y1:g})"
        )
    longer = max(wide, tall)
    border = 2.0 * plan.margin * longer
    if plan.square:
        wide = tall = longer
    wide += border
    tall += border
    if wide <= 0 or tall <= 0:
        raise ValueError(
            f"xyxy[{i}] must keep a width and a height after the margin of {plan.margin:g}, "
            f"got ({x0:g}, {y0:g}, {x1:g}, {y1:g})"
        )
    job.geometry.x0 = 0.5 * (x0 + x1) - 0.5 * wide
    job.geometry.y0 = 0.5 * (y0 + y1) - 0.5 * tall
    job.geometry.dx = wide / plan.target.width
    job.geometry.dy = tall / plan.target.height
    job.geometry.rotated = 0
    return 0


cdef int _read_landmarks(_View landmarks, Py_ssize_t i, Plan plan, FsJob *job) noexcept:
    """Align crop ``i`` where its landmarks define how; otherwise its box stays."""
    cdef double points[5][2]
    cdef int k, d
    for k in range(plan.points):
        for d in range(2):
            points[k][d] = _float_at(&landmarks.buffer, i, k, d)
    return fs_align(points, plan.points, &plan.target, plan.margin, &job.geometry)


cdef _View _boxes(object source):
    cdef _View view = _view(source, "xyxy", b"f", "float32", "(N, 4)", False)
    if view.buffer.ndim != 2 or view.buffer.shape[1] != 4:
        raise ValueError(f"xyxy must be float32 (N, 4), got {_describe(source)}")
    return view


cdef _View _landmarks(object source, Py_ssize_t count):
    cdef _View view = _view(source, "landmarks", b"f", "float32", f"({count}, 5, 2)", False)
    cdef Py_buffer *buffer = &view.buffer
    if buffer.ndim != 3 or buffer.shape[0] != count or buffer.shape[1] != 5 or buffer.shape[2] != 2:
        raise ValueError(f"landmarks must be float32 ({count}, 5, 2), got {_describe(source)}")
    return view


def crops_into(Plan plan not None, tuple images not None, str color not None, tuple boxes not None, object out,
               tuple landmarks=None, object row=0, object threads=1) -> None:
    """Write the crops ``boxes[k]`` of ``images[k]``, one after the other, into ``out`` from row ``row`` on.

    Each entry of ``boxes`` is float32 (N_k, 4), each of ``landmarks``, where given, float32 (N_k, 5, 2) or None.
    Everything is checked before the first pixel is written; raises ValueError that names the field at fault.
    """
    if color not in COLORS:
        raise ValueError(f"color must be one of 'luma', 'bgr', 'rgb', got {color!r}")
    if threads < 1:
        raise ValueError(f"threads must be at least 1, got {threads}")
    cdef _View out_view = _view(out, "out", plan.code, plan.dtype, plan.shape, True)
    cdef list views = [_boxes(entry) for entry in boxes]
    cdef list image_views = [_view(entry, "image", b"B", "uint8", "(H, W) or (H, W, 3)", False) for entry in images]
    cdef Py_ssize_t count = 0, n, i, k = 0
    cdef _View view, image_view, points
    for view in views:
        count += view.buffer.shape[0]
    _check_out(out, out_view, plan, row, count)
    if count == 0:
        return
    cdef FsImage *sources = <FsImage *>PyMem_Malloc(len(images) * sizeof(FsImage))
    cdef FsJob *jobs = <FsJob *>PyMem_Malloc(count * sizeof(FsJob))
    cdef char *slot = <char *>out_view.buffer.buf + <Py_ssize_t>row * out_view.buffer.strides[0]
    cdef FsJob *job = jobs
    cdef int total = count, most_threads = min(threads, total)
    try:
        if sources == NULL or jobs == NULL:
            raise MemoryError
        for k in range(len(images)):
            view = views[k]
            image_view = image_views[k]
            n = view.buffer.shape[0]
            points = None
            if landmarks is not None and landmarks[k] is not None:
                points = _landmarks(landmarks[k], n)
            _read_image(images[k], "image", image_view, COLORS[color], &sources[k])
            _check_apart(image_view, "image", out_view)
            for i in range(n):
                job.image = &sources[k]
                job.row = slot
                _read_box(view, i, plan, job)
                if points is not None and plan.points:
                    _read_landmarks(points, i, plan, job)
                slot += out_view.buffer.strides[0]
                job += 1
        with nogil:
            fs_run(&PATH, jobs, total, &plan.target, most_threads)
    finally:
        PyMem_Free(sources)
        PyMem_Free(jobs)


def letterbox_into(object luma, object out, double fill=0.0, double gain=1.0, double offset=0.0) -> tuple:
    """Write all of ``luma`` into ``out``, its aspect kept and centred; returns ``(scale, left, top)``.

    ``out`` is uint8 or float32 (h, w) with contiguous lines and takes ``pixel * gain + offset`` by the area method,
    ``fill`` as it is elsewhere. Raises ValueError that names the field at fault.
    """
    cdef _View source = _view(luma, "luma", b"B", "uint8", "(H, W)", False)
    cdef _View target_view = _view(out, "out", b"Bf", "uint8 or float32", "(h, w)", True)
    cdef bint floats = target_view.buffer.itemsize == 4
    cdef FsImage image
    cdef FsTarget target
    cdef FsJob job
    cdef double scale
    cdef int left, top, height, width
    _read_image(luma, "luma", source, FS_LUMA, &image)
    _check_canvas(out, target_view)
    _check_apart(source, "luma", target_view)
    if not (isfinite(fill) and isfinite(gain) and isfinite(offset)):
        raise ValueError(f"fill, gain and offset must be finite, got {fill}, {gain}, {offset}")
    height, width = target_view.buffer.shape[0], target_view.buffer.shape[1]
    scale = min(height / <double>image.height, width / <double>image.width)
    target.height = min(height, max(1, <int>(image.height * scale + 0.5)))
    target.width = min(width, max(1, <int>(image.width * scale + 0.5)))
    left, top = (width - target.width) // 2, (height - target.height) // 2
    target.channels = 1
    target.planar = 1
    target.color = FS_LUMA
    target.dtype = 0 if floats else 2
    target.method = 0
    target.line = target_view.buffer.strides[0] // target_view.buffer.itemsize if height > 1 else width
    target.gain[0], target.offset[0] = gain, offset
    job.image = &image
    job.geometry.x0 = job.geometry.y0 = 0.0
    job.geometry.dx = job.geometry.dy = 1.0 / scale
    job.geometry.rotated = 0
    job.row = <char *>target_view.buffer.buf + (top * target.line + left) * target_view.buffer.itemsize
    with nogil:
        fs_fill(target_view.buffer.buf, height, width, &target, left, top, fill)
        fs_run(&PATH, &job, 1, &target, 1)
    return scale, left, top


cdef int _check_canvas(object source, _View view) except -1:
    """Refuse a letterbox that is not two-dimensional with contiguous lines in rising order."""
    cdef Py_buffer *buffer = &view.buffer
    if buffer.ndim != 2 or not (1 <= buffer.shape[0] <= 65535 and 1 <= buffer.shape[1] <= 65535):
        raise ValueError(f"out must be uint8 or float32 (h, w) of 1 to 65535 px each, got {_describe(source)}")
    cdef Py_ssize_t line = buffer.shape[1] * buffer.itemsize
    if (buffer.shape[1] > 1 and buffer.strides[1] != buffer.itemsize) or (
        buffer.shape[0] > 1 and (buffer.strides[0] < line or buffer.strides[0] % buffer.itemsize)
    ):
        raise ValueError(
            f"out must hold contiguous lines in rising order, got strides ({buffer.strides[0]}, {buffer.strides[1]})"
        )
    return 0
