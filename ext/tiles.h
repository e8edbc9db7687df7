/* How a crop is cut into pieces that stay in the first-level cache, and the weights of one piece. */
#ifndef FERSERVE_TILES_H
#define FERSERVE_TILES_H

#include "axis.h"
#include <assert.h>

enum {
    FS_BAND = 16,    /* output rows per band: the floats of the widest register */
    FS_TILE = 256,   /* source columns, and output columns, of one tile */
    FS_BYTES = 1024, /* bytes of a source line that one tile reads at most */
    FS_PAD = 32,     /* a register may write this much past the end of a scratch line */
    FS_TABLE = 2048, /* horizontal weights of one tile */
};

/* How source bytes become columns of floats, and columns become channels. */
typedef struct {
    int step;        /* bytes from pixel to pixel, as the kernels see them */
    int packed;      /* 1 if pixels lie so far apart that their channels are packed first */
    int stride;      /* columns per pixel after the vertical pass */
    int pick[3];     /* the column of a pixel that output channel c reads */
    float luma[3];   /* weights of a pixel's bytes if luma is computed from colour */
    int mixed;       /* 1 if each pixel becomes one column before the horizontal pass */
    int most_pixels; /* the pixels that fit a tile */
} FsColumns;

/* Output columns first .. first + count - 1 read source pixels pixel .. pixel + pixels - 1. */
typedef struct {
    int first, count, pixel, pixels;
    int start[FS_TILE], taps[FS_TILE];
    int at[FS_TILE]; /* index of each output column's first weight */
    float weights[FS_TABLE];
} FsTile;

static inline FsColumns fs_columns(const FsImage *image, const FsTarget *target) {
    FsColumns columns = {.step = (int)image->pixel_step, .stride = image->channels};
    columns.packed = image->pixel_step > 4;
    if (columns.packed)
        columns.step = image->channels;
    columns.mixed = image->channels == 3 ? target->channels == 1 : columns.step > 1;
    columns.stride = columns.mixed ? 1 : columns.step;
    for (int c = 0; c < 3; c++) {
        columns.pick[c] = image->channels == 1 ? 0 : image->color == target->color ? c : 2 - c;
        if (target->channels == 1)
            columns.pick[c] = 0;
    }
    /* ITU-R BT.601, section 2.5.1. */
    columns.luma[image->color == FS_RGB ? 0 : 2] = 0.299f;
    columns.luma[1] = 0.587f;
    columns.luma[image->color == FS_RGB ? 2 : 0] = 0.114f;
    const int by_columns = FS_TILE / columns.stride, by_bytes = FS_BYTES / columns.step;
    columns.most_pixels = by_columns < by_bytes ? by_columns : by_bytes;
    return columns;
}

/* The weights of one output column over pixels from .. from + n - 1 of its span. */
static inline void fs_tabulate(FsTile *tile, int slot, int at, const FsAxis *axis, const FsSpan *span, int from, int n) {
    tile->start[slot] = from;
    tile->taps[slot] = n;
    tile->at[slot] = at;
    fs_weights(axis, span, from, n, tile->weights + at);
}

/* Take as many output columns from `first` on as fit. Returns 0 if not even one fits: then only first, pixel and
 * pixels are set, and the tile must be read in chunks. */
static inline int fs_next_tile(FsTile *tile, const FsAxis *axis, int first, int outputs, int channels, int most_pixels) {
    int used = 0;
    tile->first = first;
    tile->count = 0;
    for (int j = first; j < outputs && (tile->count + 1) * channels <= FS_TILE; j++) {
        const FsSpan span = fs_span(axis, j);
        if (j == first)
            tile->pixel = span.start;
        const int pixels = span.start + span.count - tile->pixel;
        if (j == first)
            tile->pixels = pixels;
        if (pixels > most_pixels || used + span.count > FS_TABLE)
            break;
        tile->pixels = pixels;
        fs_tabulate(tile, tile->count, used, axis, &span, span.start, span.count);
        used += span.count;
        tile->count++;
    }
    if (tile->count)
        return 1;
    tile->count = 1;
    return 0;
}

#endif
