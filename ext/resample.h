/* From source pixels to a row of the batch. */
#ifndef FERSERVE_RESAMPLE_H
#define FERSERVE_RESAMPLE_H

#include "axis.h"
#include "store.h"

static const float FS_BT601_RGB[3] = {0.299f, 0.587f, 0.114f};

/* Channel c of the target out of the channels of one source pixel. */
static inline float fs_channel(const float *pixel, const FsImage *image, const FsTarget *target, int c) {
    if (image->channels == 1)
        return pixel[0];
    if (target->channels == 3)
        return pixel[image->color == target->color ? c : 2 - c];
    const int red = image->color == FS_RGB ? 0 : 2;
    return FS_BT601_RGB[0] * pixel[red] + FS_BT601_RGB[1] * pixel[1] + FS_BT601_RGB[2] * pixel[2 - red];
}

static inline void fs_store(const FsTarget *target, void *row, int y, int x, const float *pixel, const FsImage *image) {
    for (int c = 0; c < target->channels; c++) {
        const float value = fs_channel(pixel, image, target, c) * target->gain[c] + target->offset[c];
        const ptrdiff_t at = target->planar ? ((ptrdiff_t)c * target->height + y) * target->line + x
                                            : y * target->line + (ptrdiff_t)x * target->channels + c;
        if (target->dtype == FS_FLOAT32)
            ((float *)row)[at] = value;
        else if (target->dtype == FS_FLOAT16)
            ((uint16_t *)row)[at] = fs_float16(value);
        else
            ((uint8_t *)row)[at] = fs_uint8(value);
    }
}

static inline void fs_resample(const FsJob *job, const FsTarget *target) {
    const FsImage *image = job->image;
    const FsAxis rows = fs_axis(job->geometry.y0, job->geometry.dy, image->height, target->method);
    const FsAxis columns = fs_axis(job->geometry.x0, job->geometry.dx, image->width, target->method);
    for (int y = 0; y < target->height; y++) {
        const FsSpan tall = fs_span(&rows, y);
        for (int x = 0; x < target->width; x++) {
            const FsSpan wide = fs_span(&columns, x);
            float pixel[3] = {0, 0, 0};
            for (int i = 0; i < tall.count; i++) {
                const uint8_t *line = image->pixels + (tall.start + i) * image->row_step;
                const float down = fs_weight(&rows, &tall, i);
                for (int k = 0; k < wide.count; k++) {
                    const float weight = down * fs_weight(&columns, &wide, k);
                    for (int c = 0; c < image->channels; c++)
                        pixel[c] += weight * line[(wide.start + k) * image->pixel_step + c];
                }
            }
            fs_store(target, job->row, y, x, pixel, image);
        }
    }
}

/* Adds the bilinear sample at the continuous point (u, v), edges replicated. */
static inline void fs_sample(const FsImage *image, double u, double v, float *pixel) {
    const FsAxis across = {u - 0.5, 1.0, 0.5, 0, image->width}, down = {v - 0.5, 1.0, 0.5, 0, image->height};
    const FsSpan wide = fs_span(&across, 0), tall = fs_span(&down, 0);
    for (int i = 0; i < tall.count; i++)
        for (int k = 0; k < wide.count; k++) {
            const float weight = fs_weight(&down, &tall, i) * fs_weight(&across, &wide, k);
            const uint8_t *at = image->pixels + (tall.start + i) * image->row_step + (wide.start + k) * image->pixel_step;
            for (int c = 0; c < image->channels; c++)
                pixel[c] += weight * at[c];
        }
}

/* The rotated crop: each output pixel is the mean of n x n bilinear samples spread evenly over its footprint, n the
 * number of source pixels that it is wide (1 for the bilinear method). */
static inline void fs_warp(const FsJob *job, const FsTarget *target) {
    const FsGeometry *g = &job->geometry;
    const double wide = sqrt(g->dx * g->dx + g->dy * g->dy);
    const int n = target->method == FS_BILINEAR || wide <= 1.0 ? 1 : wide > 64.0 ? 64 : (int)ceil(wide);
    for (int y = 0; y < target->height; y++)
        for (int x = 0; x < target->width; x++) {
            float pixel[3] = {0, 0, 0};
            for (int i = 0; i < n * n; i++) {
                const double px = x + (i % n + 0.5) / n, py = y + (i / n + 0.5) / n;
                fs_sample(job->image, g->x0 + g->dx * px - g->dy * py, g->y0 + g->dy * px + g->dx * py, pixel);
            }
            for (int c = 0; c < 3; c++)
                pixel[c] /= (float)(n * n);
            fs_store(target, job->row, y, x, pixel, job->image);
        }
}

/* Puts value around the content of a letterbox; canvas lines are target->line elements apart. */
static inline void fs_fill(void *canvas, int height, int width, const FsTarget *target, int left, int top,
                           double value) {
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            if (y >= top && y < top + target->height && x == left)
                x += target->width;
            if (x >= width)
                break;
            if (target->dtype == FS_FLOAT32)
                ((float *)canvas)[y * target->line + x] = (float)value;
            else
                ((uint8_t *)canvas)[y * target->line + x] = fs_uint8((float)value);
        }
}

static inline void fs_run(const FsJob *jobs, int count, const FsTarget *target) {
    for (int i = 0; i < count; i++) {
        if (jobs[i].geometry.rotated)
            fs_warp(&jobs[i], target);
        else
            fs_resample(&jobs[i], target);
    }
}

#endif
