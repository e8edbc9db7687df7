"""The C side: types of image.h and the functions that _kernels.pyx calls."""

from libc.stddef cimport ptrdiff_t
from libc.stdint cimport uint8_t


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
