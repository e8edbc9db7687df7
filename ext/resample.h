/* The upright crop; included once for every path by paths.h. ext/README.md explains the passes.
 *
 * vertical    16 output rows of weighted sums of source lines, along the lines
 * turn        those 16 rows become 16 lanes, so that a source column is one vector
 * horizontal  weighted sums of columns, as easy as the vertical ones
 * turn back   and cast into the caller's rows
 *
 * No product is fused with a sum and no sum is reordered, so every path gives the same bits.
 */

typedef struct {
    float lines[FS_BAND][FS_TILE + FS_PAD];
    float columns[FS_TILE + FS_PAD][FS_BAND];
    float results[FS_TILE + FS_PAD][FS_BAND];
    float line[FS_BYTES + FS_PAD];
    uint8_t packed[3 * FS_TILE + FS_PAD];
    FsTile tile;
} FS(Scratch);

/* 2 * FS_LANES bytes; `whole` is 0 if fewer are left, and the rest counts as 0. */
static inline Shorts FS(bytes)(const uint8_t *from, int left, int whole) {
    if (whole)
        return FS(shorts_at)(from);
    uint8_t some[2 * FS_LANES] = {0};
    memcpy(some, from, (size_t)left);
    return FS(shorts_at)(some);
}

/* out[x] = sum of weights[i] * line i [x]; added to out if `more`. */
static inline void FS(weighted)(float *out, const uint8_t *first, ptrdiff_t step, const float *weights, int n,
                                int bytes, int more, int whole) {
    for (int x = 0; x < bytes; x += 2 * FS_LANES) {
        if (whole && x + 2 * FS_LANES > bytes && !more)
            x = bytes - 2 * FS_LANES; /* the last vector overlaps the one before it */
        Floats low = {0}, high = {0}, pixels[2];
        const int full = whole && x + 2 * FS_LANES <= bytes;
        if (more) {
            low = FS(load)(out + x);
            high = FS(load)(out + x + FS_LANES);
        }
        for (int i = 0; i < n; i++) {
            FS(floats_of)(FS(bytes)(first + i * step + x, bytes - x, full), pixels);
            low += pixels[0] * weights[i];
            high += pixels[1] * weights[i];
        }
        FS(store)(out + x, low);
        FS(store)(out + x + FS_LANES, high);
    }
}

/* The same for a box: the lines between the first and the last have one weight, so they are summed first and weighed
 * once. 256 lines of 255 fit a 16-bit count. */
static inline void FS(boxed)(float *out, const uint8_t *first, ptrdiff_t step, const float weights[3], int n,
                             int bytes, int whole) {
    for (int x = 0; x < bytes; x += 2 * FS_LANES) {
        if (whole && x + 2 * FS_LANES > bytes)
            x = bytes - 2 * FS_LANES;
        const uint8_t *at = first + x, *last = at + (n - 1) * step;
        Floats a[2], b[2], low, high;
        FS(floats_of)(FS(bytes)(at, bytes - x, whole), a);
        FS(floats_of)(FS(bytes)(last, bytes - x, whole), b);
        low = a[0] * weights[0] + b[0] * weights[2];
        high = a[1] * weights[0] + b[1] * weights[2];
        for (at += step; at != last;) {
            Shorts count = FS(bytes)(at, bytes - x, whole);
            at += step;
            for (int lines = 1; lines < 256 && at != last; lines++, at += step)
                count = FS(add)(count, FS(bytes)(at, bytes - x, whole));
            FS(floats_of)(count, a);
            low += a[0] * weights[1];
            high += a[1] * weights[1];
        }
        FS(store)(out + x, low);
        FS(store)(out + x + FS_LANES, high);
    }
}

/* Channels of n pixels that lie `step` bytes apart, side by side. */
static inline void FS(pack)(uint8_t *out, const uint8_t *from, ptrdiff_t step, int channels, int n) {
    for (int x = 0; x < n; x++)
        for (int c = 0; c < channels; c++)
            out[x * channels + c] = from[x * step + c];
}

/* One output row of the vertical pass over the tile's source bytes, which begin at `at` in the image's first line. */
static void FS(vertical)(float *out, const uint8_t *at, const FsImage *image, const FsColumns *columns,
                         const FsAxis *axis, const FsSpan *span, int pixels, uint8_t *packed) {
    enum { MOST = 64 };
    const int bytes = (pixels - 1) * columns->step + image->channels, whole = bytes >= 2 * FS_LANES;
    const int most = columns->packed ? 1 : MOST;
    const uint8_t *first = at + span->start * image->row_step;
    float weights[MOST];
    assert(bytes <= FS_BYTES && span->start >= 0 && span->start + span->count <= image->height);
    if (span->count > 2 && !axis->triangle && !columns->packed) {
        fs_weights(axis, span, span->start, 2, weights); /* the first and the inner lines */
        fs_weights(axis, span, span->start + span->count - 1, 1, weights + 2);
        if (whole)
            FS(boxed)(out, first, image->row_step, weights, span->count, bytes, 1);
        else
            FS(boxed)(out, first, image->row_step, weights, span->count, bytes, 0);
        return;
    }
    for (int i = 0; i < span->count; i += most) {
        const int n = span->count - i < most ? span->count - i : most;
        const uint8_t *line = first + i * image->row_step;
        fs_weights(axis, span, span->start + i, n, weights);
        if (columns->packed) {
            FS(pack)(packed, line, image->pixel_step, image->channels, pixels);
            line = packed;
        }
        if (whole && n == 2 && i == 0) /* bilinear, separate so that constants unroll the loops */
            FS(weighted)(out, line, image->row_step, weights, 2, bytes, 0, 1);
        else if (whole)
            FS(weighted)(out, line, image->row_step, weights, n, bytes, i > 0, 1);
        else
            FS(weighted)(out, line, image->row_step, weights, n, bytes, i > 0, 0);
    }
}

/* One column per pixel: luma out of three channels, or one channel out of every `step` bytes. Works in whole vectors;
 * values past the last pixel are never read again. */
static inline void FS(mix_by)(float *out, const float *line, const FsColumns *columns, int channels, int pixels,
                              int step) {
    const float a = columns->luma[0], b = columns->luma[1], c = columns->luma[2];
    const ptrdiff_t vectors = (pixels + 15) / 16; /* ptrdiff_t, because indices that may wrap prevent vectorising */
    if (channels == 1)
        for (ptrdiff_t x = 0; x < 16 * vectors; x++)
            out[x] = line[x * step];
    else
        for (ptrdiff_t x = 0; x < 16 * vectors; x++)
            out[x] = line[x * step] * a + line[x * step + 1] * b + line[x * step + 2] * c;
}

static void FS(mix)(float *restrict out, const float *restrict line, const FsColumns *columns, int channels,
                    int pixels) {
    if (columns->step == 2)
        FS(mix_by)(out, line, columns, channels, pixels, 2);
    else if (columns->step == 3)
        FS(mix_by)(out, line, columns, channels, pixels, 3);
    else
        FS(mix_by)(out, line, columns, channels, pixels, 4);
}

/* lines[row][column] to columns[column][row], or back, in squares of FS_LANES. */
static void FS(turn_all)(float *restrict out, ptrdiff_t out_step, const float *restrict in, ptrdiff_t in_step, int high,
                         int wide) {
    for (int y = 0; y < high; y += FS_LANES)
        for (int x = 0; x < wide; x += FS_LANES) {
            Floats square[FS_LANES];
            for (int i = 0; i < FS_LANES; i++)
                square[i] = FS(load)(in + (y + i) * in_step + x);
            FS(turn)(square);
            for (int i = 0; i < FS_LANES; i++)
                FS(store)(out + (x + i) * out_step + y, square[i]);
        }
}

/* Weighted sums of columns: 16 output rows of each output column and channel of the tile. `more` adds to the sums of
 * earlier chunks; `done` applies gain and offset. */
static void FS(horizontal)(FS(Scratch) *s, const FsColumns *columns, const FsTarget *target, int pixel, int more,
                           int done) {
    enum { PARTS = FS_BAND / FS_LANES };
    const FsTile *tile = &s->tile;
    for (int j = 0; j < tile->count; j++) {
        const float *weights = tile->weights + tile->at[j];
        for (int c = 0; c < target->channels; c++) {
            const int column = (tile->start[j] - pixel) * columns->stride + columns->pick[c];
            assert(column >= 0 && column + (tile->taps[j] - 1) * columns->stride < FS_TILE);
            float *out = s->results[target->planar ? c * tile->count + j : j * target->channels + c];
            const float *in = s->columns[column];
            Floats sum[PARTS] = {{0}};
            for (int i = 0; i < tile->taps[j]; i++, in += columns->stride * FS_BAND)
                for (int p = 0; p < PARTS; p++)
                    sum[p] += FS(load)(in + p * FS_LANES) * weights[i];
            for (int p = 0; p < PARTS; p++) {
                if (more)
                    sum[p] += FS(load)(out + p * FS_LANES);
                if (done)
                    sum[p] = sum[p] * target->gain[c] + target->offset[c];
                FS(store)(out + p * FS_LANES, sum[p]);
            }
        }
    }
}

static void FS(cast)(void *row, ptrdiff_t at, const float *from, int n, int dtype) {
    if (dtype == FS_FLOAT32)
        memcpy((float *)row + at, from, (size_t)n * sizeof(float));
    else if (dtype == FS_FLOAT16)
        for (int x = 0; x < n; x++)
            ((uint16_t *)row)[at + x] = fs_float16(from[x]);
    else
        for (int x = 0; x < n; x++)
            ((uint8_t *)row)[at + x] = fs_uint8(from[x]);
}

/* The results of `rows` output rows from y on, into the caller's memory. */
static void FS(write)(FS(Scratch) *s, const FsTarget *target, void *row, int y, int rows) {
    const int across = s->tile.count, wide = across * target->channels;
    FS(turn_all)(s->lines[0], FS_TILE + FS_PAD, s->results[0], FS_BAND, wide, FS_BAND);
    for (int i = 0; i < rows; i++) {
        if (!target->planar) {
            FS(cast)(row, (y + i) * target->line + (ptrdiff_t)s->tile.first * target->channels, s->lines[i], wide,
                     target->dtype);
            continue;
        }
        for (int c = 0; c < target->channels; c++) {
            const ptrdiff_t at = ((ptrdiff_t)c * target->height + y + i) * target->line + s->tile.first;
            FS(cast)(row, at, s->lines[i] + c * across, across, target->dtype);
        }
    }
}

/* Source pixels pixel .. pixel + pixels - 1 of the output rows from y on, as columns. */
static void FS(gather)(FS(Scratch) *s, const FsImage *image, const FsColumns *columns,
                       const FsAxis *down, int y, int rows, int pixel, int pixels) {
    const uint8_t *at = image->pixels + pixel * image->pixel_step;
    assert(pixel >= 0 && pixel + pixels <= image->width);
    for (int i = 0; i < rows; i++) {
        const FsSpan span = fs_span(down, y + i);
        float *out = columns->mixed ? s->line : s->lines[i];
        FS(vertical)(out, at, image, columns, down, &span, pixels, s->packed);
        if (columns->mixed)
            FS(mix)(s->lines[i], s->line, columns, image->channels, pixels);
    }
    FS(turn_all)(s->columns[0], FS_BAND, s->lines[0], FS_TILE + FS_PAD, FS_BAND, pixels * columns->stride);
}

static void FS(resample)(const FsJob *job, const FsTarget *target) {
    const FsImage *image = job->image;
    const FsColumns columns = fs_columns(image, target);
    const FsAxis down = fs_axis(job->geometry.y0, job->geometry.dy, image->height, target->method);
    const FsAxis across = fs_axis(job->geometry.x0, job->geometry.dx, image->width, target->method);
    FS(Scratch) s;
    for (int x = 0; x < target->width; x += s.tile.count) {
        const int fits = fs_next_tile(&s.tile, &across, x, target->width, target->channels, columns.most_pixels);
        const int step = fits ? s.tile.pixels : columns.most_pixels;
        for (int y = 0; y < target->height; y += FS_BAND) {
            const int rows = target->height - y < FS_BAND ? target->height - y : FS_BAND;
            for (int done = 0; done < s.tile.pixels; done += step) {
                const int pixel = s.tile.pixel + done;
                const int n = s.tile.pixels - done < step ? s.tile.pixels - done : step;
                if (!fits) {
                    const FsSpan span = fs_span(&across, x);
                    fs_tabulate(&s.tile, 0, 0, &across, &span, pixel, n);
                }
                FS(gather)(&s, image, &columns, &down, y, rows, pixel, n);
                FS(horizontal)(&s, &columns, target, pixel, done > 0, done + n == s.tile.pixels);
            }
            FS(write)(&s, target, job->row, y, rows);
        }
    }
}
