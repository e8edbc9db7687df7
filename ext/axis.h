/* The source pixels of each output pixel and their weights, along one axis.
 *
 * Two filters cover the three methods:
 *   box       area: as wide as an output pixel, but never narrower than a source pixel;
 *             bilinear: exactly one source pixel wide, which is linear interpolation between pixel centres.
 *   triangle  antialias: Pillow's and TensorFlow's; its radius is one output pixel, at least one source pixel.
 * A box that leaves the image gives its weight to the edge pixel (edge replication); a triangle is cut off at the
 * image and normalised again, as Pillow does, and past the image takes the edge pixel.
 */
#ifndef FERSERVE_AXIS_H
#define FERSERVE_AXIS_H

#include "image.h"
#include <math.h>

typedef struct {
    double origin, step; /* output pixel j covers [origin + j * step, origin + (j + 1) * step) */
    double reach;        /* half of the box's width, or the triangle's radius */
    double inverse;      /* 1 / the box's width, or 1 / the triangle's radius: divisions are slow */
    int triangle;
    int size; /* source pixels along this axis */
} FsAxis;

/* Source pixels start .. start + count - 1; count is at least 1. */
typedef struct {
    int start, count;
    double low, high; /* the box's ends, or the triangle's centre and 1 / the sum of its weights */
} FsSpan;

static inline FsAxis fs_axis(double origin, double step, int size, int method) {
    const double wide = step > 1.0 ? step : 1.0;
    FsAxis axis = {origin, step, 0.5, 1.0, method == FS_ANTIALIAS, size};
    if (method == FS_BILINEAR)
        return axis;
    axis.reach = axis.triangle ? wide : 0.5 * wide;
    axis.inverse = 1.0 / wide;
    return axis;
}

/* floor(value) as a pixel of the image; in doubles first, because a box may lie as far out as a float can reach. */
static inline int fs_clamped_floor(double value, int size) {
    if (!(value > 0.0))
        return 0;
    return value >= size ? size - 1 : (int)value;
}

static inline double fs_triangle(const FsAxis *axis, double center, int pixel) {
    const double distance = fabs(pixel + 0.5 - center) * axis->inverse;
    return distance < 1.0 ? 1.0 - distance : 0.0;
}

static inline FsSpan fs_span(const FsAxis *axis, int j) {
    const double center = axis->origin + (j + 0.5) * axis->step;
    FsSpan span;
    span.low = center - axis->reach;
    span.high = center + axis->reach;
    if (!axis->triangle) {
        span.start = fs_clamped_floor(span.low, axis->size);
        /* The last pixel is the one below high; high itself belongs to the next. */
        const int last = fs_clamped_floor(ceil(span.high) - 1.0, axis->size);
        span.count = last < span.start ? 1 : last - span.start + 1;
        return span;
    }
    span.start = fs_clamped_floor(span.low + 0.5, axis->size);
    const int last = fs_clamped_floor(span.high - 0.5, axis->size);
    span.count = last < span.start ? 1 : last - span.start + 1;
    span.low = center;
    double sum = 0.0;
    for (int i = 0; i < span.count; i++)
        sum += fs_triangle(axis, center, span.start + i);
    span.high = 1.0 / sum;
    return span;
}

/* Weights of source pixels from .. from + n - 1 of a span; the weights of a whole span add up to one. */
static inline void fs_weights(const FsAxis *axis, const FsSpan *span, int from, int n, float *out) {
    const int last = span->start + span->count - 1;
    if (span->count == 1) {
        out[0] = 1.0f;
        return;
    }
    if (axis->triangle) {
        for (int i = 0; i < n; i++)
            out[i] = (float)(fs_triangle(axis, span->low, from + i) * span->high);
        return;
    }
    const float whole = (float)axis->inverse;
    out[0] = from == span->start ? (float)((span->start + 1 - span->low) * axis->inverse) : whole;
    for (int i = 1; i < n - 1; i++)
        out[i] = whole;
    if (from + n - 1 == last)
        out[n - 1] = (float)((span->high - last) * axis->inverse);
    else if (n > 1)
        out[n - 1] = whole;
}

#endif
