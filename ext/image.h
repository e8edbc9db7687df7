/* The types that the extension's files share: image, target, geometry and job. */
#ifndef FERSERVE_IMAGE_H
#define FERSERVE_IMAGE_H

#include <stddef.h>
#include <stdint.h>

enum { FS_AREA = 0, FS_BILINEAR = 1, FS_ANTIALIAS = 2 };
enum { FS_FLOAT32 = 0, FS_FLOAT16 = 1, FS_UINT8 = 2 };
enum { FS_LUMA = 0, FS_BGR = 1, FS_RGB = 2 };

/* Borrowed pixels. Channels of one pixel are adjacent bytes; steps are in bytes. */
typedef struct {
    const uint8_t *pixels;
    ptrdiff_t row_step;
    ptrdiff_t pixel_step;
    int height, width, channels;
    int color; /* FS_LUMA, FS_BGR or FS_RGB */
} FsImage;

/* The layout of a batch row; value = pixel * gain[channel] + offset[channel]. */
typedef struct {
    int height, width, channels;
    int color;
    int planar;     /* 1 for NCHW */
    ptrdiff_t line; /* elements from one line of the output to the next */
    int dtype;
    int method;
    float gain[3], offset[3];
} FsTarget;

/* The source position of output pixel (x, y), both in continuous pixels (pixel k covers [k, k + 1)):
 * upright:  (x0 + x * dx, y0 + y * dy)
 * rotated:  the same with the similarity (dx, -dy; dy, dx). */
typedef struct {
    double x0, y0, dx, dy;
    int rotated;
} FsGeometry;

/* One crop: read image through geometry, write row. */
typedef struct {
    const FsImage *image;
    FsGeometry geometry;
    void *row;
} FsJob;

#endif
