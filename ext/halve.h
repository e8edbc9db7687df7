/* Half the size by the area method; included once for every path by paths.h. */

/* Each pixel is the mean of 2 x 2, halves up. Two bytes are read as one 16-bit number, then split. */
static inline void FS(halve_line)(uint8_t *restrict out, const uint8_t *restrict upper, const uint8_t *restrict lower,
                                  int n) {
    for (ptrdiff_t x = 0; x < n; x++) {
        uint16_t a, b;
        memcpy(&a, upper + 2 * x, 2);
        memcpy(&b, lower + 2 * x, 2);
        out[x] = (uint8_t)((uint16_t)((a & 255) + (a >> 8) + (b & 255) + (b >> 8) + 2) >> 2);
    }
}

/* True if the job is exactly this case: whole pixels, luma to plain uint8. */
static inline int FS(is_halving)(const FsJob *job, const FsTarget *target) {
    const FsGeometry *g = &job->geometry;
    const FsImage *image = job->image;
    return g->dx == 2.0 && g->dy == 2.0 && g->x0 >= 0 && g->y0 >= 0 && g->x0 == floor(g->x0) &&
           g->y0 == floor(g->y0) && g->x0 + 2.0 * target->width <= image->width &&
           g->y0 + 2.0 * target->height <= image->height && image->channels == 1 && image->pixel_step == 1 &&
           target->channels == 1 && target->method == FS_AREA && target->dtype == FS_UINT8 &&
           target->gain[0] == 1.0f && target->offset[0] == 0.0f;
}

static void FS(halve)(const FsJob *job, const FsTarget *target) {
    const FsImage *image = job->image;
    const uint8_t *upper = image->pixels + (ptrdiff_t)job->geometry.y0 * image->row_step + (ptrdiff_t)job->geometry.x0;
    uint8_t *out = job->row;
    for (int y = 0; y < target->height; y++, upper += 2 * image->row_step, out += target->line)
        FS(halve_line)(out, upper, upper + image->row_step, target->width);
}
