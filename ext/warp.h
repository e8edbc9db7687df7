/* The rotated crop; included once for every path by paths.h.
 *
 * Each output pixel is the mean of n x n bilinear samples spread evenly over its footprint, n its width in
 * source pixels, at most 16. Samples are taken for a run of output pixels at a time, one of the n x n positions after
 * the other: coordinates and blends are then plain loops over arrays, and only the reads stay scalar.
 */

enum { FS(RUN) = 64 };

/* Along one axis: for each sample, the first of its two neighbouring pixels and the fraction of the way to the second.
 * Past an edge a sample is the edge pixel. */
typedef struct {
    int low[FS(RUN)];
    float part[FS(RUN)];
} FS(Points);

/* Samples at start + k * step, continuous. */
static inline void FS(points)(FS(Points) *points, double start, double step, int n, int size) {
    const double most = size - 1;
    const int last = size > 1 ? size - 2 : 0;
    for (ptrdiff_t k = 0; k < n; k++) {
        const double at = start + (double)(int)k * step - 0.5;
        const double above_edge = at > 0.0 ? at : 0.0;
        const double held = above_edge < most ? above_edge : most;
        const int floored = (int)held, low = floored < last ? floored : last;
        points->low[k] = low;
        points->part[k] = (float)(held - low);
    }
}

/* Adds n samples, given the four pixels around each: upper left, upper right, lower left, lower right. */
static inline void FS(blend)(float *restrict sum, int corner[4][FS(RUN)], const FS(Points) *x, const FS(Points) *y,
                             int n) {
    for (int k = 0; k < n; k++) {
        const float upper = corner[0][k] + (float)(corner[1][k] - corner[0][k]) * x->part[k];
        const float lower = corner[2][k] + (float)(corner[3][k] - corner[2][k]) * x->part[k];
        sum[k] += upper + (lower - upper) * y->part[k];
    }
}

/* Adds one sample of channel `channel` for each of n output pixels. */
static inline void FS(sample)(float *restrict sum, const FsImage *image, int channel, const FS(Points) *x,
                              const FS(Points) *y, int n) {
    const ptrdiff_t right = image->width > 1 ? image->pixel_step : 0, below = image->height > 1 ? image->row_step : 0;
    int corner[4][FS(RUN)];
    for (int k = 0; k < n; k++) {
        const uint8_t *at = image->pixels + channel + y->low[k] * image->row_step + x->low[k] * image->pixel_step;
        corner[0][k] = at[0];
        corner[1][k] = at[right];
        corner[2][k] = at[below];
        corner[3][k] = at[right + below];
    }
    FS(blend)(sum, corner, x, y, n);
}

/* The same for neighbours that are adjacent in memory: one 16-bit read for two of them (little-endian). */
static inline void FS(sample_pairs)(float *restrict sum, const FsImage *image, const FS(Points) *x,
                                    const FS(Points) *y, int n) {
    const ptrdiff_t below = image->height > 1 ? image->row_step : 0;
    int upper[FS(RUN)], lower[FS(RUN)], corner[4][FS(RUN)];
    for (int k = 0; k < n; k++) {
        const uint8_t *at = image->pixels + y->low[k] * image->row_step + x->low[k];
        uint16_t pair[2];
        memcpy(&pair[0], at, 2);
        memcpy(&pair[1], at + below, 2);
        upper[k] = pair[0];
        lower[k] = pair[1];
    }
    for (int k = 0; k < n; k++) {
        corner[0][k] = upper[k] & 255;
        corner[1][k] = upper[k] >> 8;
        corner[2][k] = lower[k] & 255;
        corner[3][k] = lower[k] >> 8;
    }
    FS(blend)(sum, corner, x, y, n);
}

/* Channel c of the target from the channel sums of a run, normalised. */
static inline void FS(finish)(float *restrict out, int step, float sums[3][FS(RUN)], const FsColumns *columns,
                              const FsTarget *target, int c, int mixed, float share, int n) {
    const float *only = sums[columns->pick[c]];
    for (int k = 0; k < n; k++) {
        float value = only[k];
        if (mixed)
            value = sums[0][k] * columns->luma[0] + sums[1][k] * columns->luma[1] + sums[2][k] * columns->luma[2];
        out[k * step] = value * share * target->gain[c] + target->offset[c];
    }
}

/* Output pixels x .. x + n - 1 of line y. */
static void FS(warp_run)(const FsJob *job, const FsTarget *target, const FsColumns *columns, int samples, int y, int x,
                         int n) {
    const FsGeometry *g = &job->geometry;
    const FsImage *image = job->image;
    float sums[3][FS(RUN)] = {{0}}, line[3 * FS(RUN)];
    FS(Points) across, down;
    for (int i = 0; i < samples * samples; i++) {
        const double px = x + (i % samples + 0.5) / samples, py = y + (i / samples + 0.5) / samples;
        FS(points)(&across, g->x0 + g->dx * px - g->dy * py, g->dx, n, image->width);
        FS(points)(&down, g->y0 + g->dy * px + g->dx * py, g->dy, n, image->height);
        if (image->pixel_step == 1 && image->width > 1)
            FS(sample_pairs)(sums[0], image, &across, &down, n);
        else
            for (int c = 0; c < image->channels; c++)
                FS(sample)(sums[c], image, c, &across, &down, n);
    }
    const int mixed = image->channels == 3 && target->channels == 1;
    const float share = 1.0f / (float)(samples * samples);
    for (int c = 0; c < target->channels; c++) {
        const int step = target->planar ? 1 : target->channels;
        FS(finish)(line + (target->planar ? 0 : c), step, sums, columns, target, c, mixed, share, n);
        if (target->planar)
            FS(cast)(job->row, ((ptrdiff_t)c * target->height + y) * target->line + x, line, n, target->dtype);
    }
    if (!target->planar)
        FS(cast)(job->row, y * target->line + (ptrdiff_t)x * target->channels, line, n * target->channels,
                 target->dtype);
}

static void FS(warp)(const FsJob *job, const FsTarget *target) {
    enum { MOST_SAMPLES = 16 };
    const FsGeometry *g = &job->geometry;
    FsColumns columns = fs_columns(job->image, target);
    const double wide = sqrt(g->dx * g->dx + g->dy * g->dy);
    int samples = 1;
    if (target->method != FS_BILINEAR && wide > 1.0)
        samples = wide > MOST_SAMPLES ? MOST_SAMPLES : (int)ceil(wide);
    for (int y = 0; y < target->height; y++)
        for (int x = 0; x < target->width; x += FS(RUN)) {
            const int n = target->width - x < FS(RUN) ? target->width - x : FS(RUN);
            FS(warp_run)(job, target, &columns, samples, y, x, n);
        }
}
