"""Checks the arguments from Python, then runs the C kernels, longer work without the GIL. See ext/README.md."""

import os

from cpython.buffer cimport (
    PyBUF_FORMAT, PyBUF_STRIDED, PyBUF_STRIDED_RO, PyBuffer_Release, PyObject_GetBuffer,
)
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.math cimport isfinite
from libc.stddef cimport ptrdiff_t
from libc.string cimport strchr

from checks cimport check_apart, check_canvas, check_out, describe, read_image
from kernel_types cimport (
    FS_BGR, FS_LUMA, FS_RGB, FsImage, FsJob, FsPath, FsTarget, fs_align, fs_fill, fs_forget_workers, fs_paths, fs_run,
    pthread_atfork,
)


COLORS = {"luma": FS_LUMA, "bgr": FS_BGR, "rgb": FS_RGB}
METHODS = {"area": 0, "bilinear": 1, "antialias": 2}
DTYPES = {"float32": (0, b"f"), "float16": (1, b"e"), "uint8": (2, b"B")}
ALIGN_POINTS = {"none": 0, "eyes": 2, "landmarks": 5}


# Work of fewer pixels keeps the GIL. It takes about ten microseconds, as long as it takes to get the GIL back from
# another thread.
cdef double SHORT = 400_000

cdef FsPath PATHS[3]
cdef int PATH_COUNT = fs_paths(PATHS)
cdef FsPath PATH = PATHS[0]


def features() -> dict[str, object]:
    """The code paths: ``path`` is in use, ``available`` lists those that this processor can run, best first.

    ``plain`` needs only the instructions of every x86-64 (SSE2) or aarch64 (NEON).
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
            raise ValueError(f"{name} must be writable, got a read-only {describe(source)}") from None
        raise ValueError(f"{name} must be an array of {dtype} {shape}, got {describe(source)}") from None
    view.held = True
    cdef const char *format = view.buffer.format
    if format == NULL or format[0] == 0 or format[1] != 0 or strchr(<const char *>codes, format[0]) == NULL:
        raise ValueError(f"{name} must be {dtype} {shape}, got {describe(source)}")
    return view


cdef class Plan:
    """The layout and normalisation of one batch row, computed once from an ``InputSpec``."""

    cdef FsTarget target
    cdef readonly tuple row_shape
    cdef double margin
    cdef bint square
    cdef int points
    cdef str dtype, shape
    cdef bytes code

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
        self.target.dtype, self.code = DTYPES[dtype]
        for c in range(self.target.channels):
            self.target.gain[c] = gain[c]
            self.target.offset[c] = offset[c]
        self.margin = margin
        self.square = square
        self.points = ALIGN_POINTS[align]
        self.dtype = dtype
        self.shape = "(N, " + ", ".join(map(str, row_shape)) + ")"


cdef inline float _float_at(Py_buffer *buffer, Py_ssize_t i, Py_ssize_t j, Py_ssize_t k) noexcept:
    cdef char *at = <char *>buffer.buf + i * buffer.strides[0] + j * buffer.strides[1]
    if buffer.ndim == 3:
        at += k * buffer.strides[2]
    return (<float *>at)[0]


cdef int _read_box(_View boxes, Py_ssize_t i, Plan plan, FsJob *job) except -1:
    """Check box ``i`` against its image, grow it, and set the job's geometry."""
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
    """Align crop ``i`` by its landmarks; if they define no similarity, its box stays."""
    cdef double points[5][2]
    cdef int k, d
    for k in range(plan.points):
        for d in range(2):
            points[k][d] = _float_at(&landmarks.buffer, i, k, d)
    return fs_align(points, plan.points, &plan.target, plan.margin, &job.geometry)


cdef _View _boxes(object source):
    cdef _View view = _view(source, "xyxy", b"f", "float32", "(N, 4)", False)
    if view.buffer.ndim != 2 or view.buffer.shape[1] != 4:
        raise ValueError(f"xyxy must be float32 (N, 4), got {describe(source)}")
    return view


cdef _View _landmarks(object source, Py_ssize_t count):
    cdef _View view = _view(source, "landmarks", b"f", "float32", f"({count}, 5, 2)", False)
    cdef Py_buffer *buffer = &view.buffer
    if buffer.ndim != 3 or buffer.shape[0] != count or buffer.shape[1] != 5 or buffer.shape[2] != 2:
        raise ValueError(f"landmarks must be float32 ({count}, 5, 2), got {describe(source)}")
    return view


cdef FsJob *_read_jobs(Plan plan, const FsImage *image, _View boxes, object landmarks, FsJob *job) except NULL:
    """Fill in one image's jobs, except their rows; returns the first job of the next image."""
    cdef Py_ssize_t i, n = boxes.buffer.shape[0]
    cdef _View points = None
    if landmarks is not None:
        points = _landmarks(landmarks, n)
    for i in range(n):
        job.image = image
        _read_box(boxes, i, plan, job)
        if points is not None and plan.points:
            _read_landmarks(points, i, plan, job)
        job += 1
    return job


cdef double _pixels(const FsJob *jobs, int count, const FsTarget *target) noexcept:
    """The pixels that upright crops read and write; a rotated crop takes longer and counts as ``SHORT``."""
    cdef double pixels = 0
    cdef int i
    for i in range(count):
        pixels += SHORT if jobs[i].geometry.rotated else jobs[i].geometry.dx * jobs[i].geometry.dy + 1
    return pixels * target.height * target.width


def crops_into(Plan plan not None, tuple images not None, str color not None, tuple boxes not None, object out,
               tuple landmarks=None, object row=0, object threads=1) -> None:
    """Write the crops ``boxes[k]`` of ``images[k]``, one after the other, into ``out`` from row ``row`` on.

    Each entry of ``boxes`` is float32 (N_k, 4), each of ``landmarks``, if given, float32 (N_k, 5, 2) or None.
    Checks everything before it writes the first pixel. Raises ValueError that names the field at fault.
    """
    if color not in COLORS:
        raise ValueError(f"color must be one of 'luma', 'bgr', 'rgb', got {color!r}")
    if threads < 1:
        raise ValueError(f"threads must be at least 1, got {threads}")
    cdef _View out_view = _view(out, "out", plan.code, plan.dtype, plan.shape, True)
    cdef list views = [_boxes(entry) for entry in boxes]
    cdef list image_views = [_view(entry, "image", b"B", "uint8", "(H, W) or (H, W, 3)", False) for entry in images]
    cdef Py_ssize_t count = 0, i, k
    cdef _View view, image_view
    for view in views:
        count += view.buffer.shape[0]
    check_out(out, &out_view.buffer, plan.dtype, plan.row_shape, row, count)
    if count == 0:
        return
    cdef FsImage *sources = <FsImage *>PyMem_Malloc(len(images) * sizeof(FsImage))
    cdef FsJob *jobs = <FsJob *>PyMem_Malloc(count * sizeof(FsJob))
    cdef FsJob *job = jobs
    cdef int total = count, most_threads = min(threads, total)
    try:
        if sources == NULL or jobs == NULL:
            raise MemoryError
        for k in range(len(images)):
            image_view = image_views[k]
            read_image(images[k], "image", &image_view.buffer, COLORS[color], &sources[k])
            check_apart(&image_view.buffer, "image", &out_view.buffer)
            job = _read_jobs(plan, &sources[k], views[k], None if landmarks is None else landmarks[k], job)
        for i in range(count):
            jobs[i].row = <char *>out_view.buffer.buf + (<Py_ssize_t>row + i) * out_view.buffer.strides[0]
        if _pixels(jobs, total, &plan.target) <= SHORT:
            fs_run(&PATH, jobs, total, &plan.target, most_threads)
        else:
            with nogil:
                fs_run(&PATH, jobs, total, &plan.target, most_threads)
    finally:
        PyMem_Free(sources)
        PyMem_Free(jobs)


def letterbox_into(object luma, object out, double fill=0.0, double gain=1.0, double offset=0.0) -> tuple:
    """Write all of ``luma`` into ``out``, centred and with its aspect kept; returns ``(scale, left, top)``.

    ``out`` is uint8 or float32 (h, w) with contiguous lines. The image is resized by the area method and written as
    ``pixel * gain + offset``; the border is ``fill``, unchanged. Raises ValueError that names the field at fault.
    """
    cdef _View source = _view(luma, "luma", b"B", "uint8", "(H, W)", False)
    cdef _View target_view = _view(out, "out", b"Bf", "uint8 or float32", "(h, w)", True)
    cdef bint floats = target_view.buffer.itemsize == 4
    cdef FsImage image
    cdef FsTarget target
    cdef FsJob job
    cdef double scale
    cdef int left, top, height, width
    read_image(luma, "luma", &source.buffer, FS_LUMA, &image)
    check_canvas(out, &target_view.buffer)
    check_apart(&source.buffer, "luma", &target_view.buffer)
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
    if <double>height * width + <double>image.height * image.width <= SHORT:
        fs_fill(target_view.buffer.buf, height, width, &target, left, top, fill)
        fs_run(&PATH, &job, 1, &target, 1)
    else:
        with nogil:
            fs_fill(target_view.buffer.buf, height, width, &target, left, top, fill)
            fs_run(&PATH, &job, 1, &target, 1)
    return scale, left, top
