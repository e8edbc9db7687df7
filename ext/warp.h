/* The rotated crop; included once for every path by paths.h. */

/* Adds the bilinear sample at the continuous point (u, v), edges replicated. */
static inline void FS(sample)(const FsImage *image, double u, double v, float *pixel) {
    const FsAxis across = {u - 0.5, 1.0, 0.5, 1.0, 0, image->width}, down = {v - 0.5, 1.0, 0.5, 1.0, 0, image->height};
    const FsSpan wide = fs_span(&across, 0), tall = fs_span(&down, 0);
    for (int i = 0; i < tall.count; i++)
        for (int k = 0; k < wide.count; k++) {
            const float weight = fs_weight(&down, &tall, i) * fs_weight(&across, &wide, k);
            const uint8_t *at =
                image->pixels + (tall.start + i) * image->row_step + (wide.start + k) * image->pixel_step;
            for (int c = 0; c < image->channels; c++)
                pixel[c] += weight * at[c];
        }
}

static inline void FS(put)(const FsTarget *target, void *row, int y, int x, const float *pixel,
                           const FsColumns *columns, const FsImage *image) {
    for (int c = 0; c < target->channels; c++) {
        float value = pixel[columns->pick[c]];
        if (image->channels == 3 && target->channels == 1)
            value = pixel[0] * columns->luma[0] + pixel[1] * columns->luma[1] + pixel[2] * columns->luma[2];
        value = value * target->gain[c] + target->offset[c];
        const ptrdiff_t at = target->planar ? ((ptrdiff_t)c * target->height + y) * target->line + x
                                            : y * target->line + (ptrdiff_t)x * target->channels + c;
        FS(cast)(row, at, &value, 1, target->dtype);
    }
}

/* Each output pixel is the mean of n x n bilinear samples spread evenly over its footprint, n the number of source
 * pixels that it is wide (1 for the bilinear method). */
static void FS(warp)(const FsJob *job, const FsTarget *target) {
    const FsGeometry *g = &job->geometry;
    const FsColumns columns = fs_columns(job->image, target);
    const double wide = sqrt(g->dx * g->dx + g->dy * g->dy);
    const int n = target->method == FS_BILINEAR || wide <= 1.0 ? 1 : wide > 64.0 ? 64 : (int)ceil(wide);
    for (int y = 0; y < target->height; y++)
        for (int x = 0; x < target->width; x++) {
            float pixel[3] = {0, 0, 0};
            for (int i = 0; i < n * n; i++) {
                const double px = x + (i % n + 0.5) / n, py = y + (i / n + 0.5) / n;
                FS(sample)(job->image, g->x0 + g->dx * px - g->dy * py, g->y0 + g->dy * px + g->dx * py, pixel);
            }
            for (int c = 0; c < 3; c++)
                pixel[c] /= (float)(n * n);
            FS(put)(target, job->row, y, x, pixel, &columns, job->image);
        }
}
