/* Casts from float32 to the element types of a batch. */
#ifndef FERSERVE_STORE_H
#define FERSERVE_STORE_H

#include "image.h"
#include <string.h>

/* IEEE 754 binary16, round to nearest even, without a branch so that compilers vectorise it. */
static inline uint16_t fs_float16(float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    const uint32_t sign = (bits >> 16) & 0x8000u;
    const uint32_t magnitude = bits & 0x7fffffffu;
    /* Normal numbers: move the exponent's bias from 127 to 15, and round by adding half a unit and the odd bit. */
    const uint32_t normal = (magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
    /* Subnormal numbers: adding 0.5 makes the float unit do the shift and the rounding. */
    float shifted;
    memcpy(&shifted, &magnitude, 4);
    shifted += 0.5f;
    uint32_t subnormal;
    memcpy(&subnormal, &shifted, 4);
    subnormal -= 0x3f000000u;
    const uint32_t special = magnitude > 0x7f800000u ? 0x7e00u : 0x7c00u;
    uint32_t half = magnitude < 0x38800000u ? subnormal : normal;
    half = magnitude >= 0x47800000u ? special : half;
    return (uint16_t)(sign | half);
}

/* Nearest integer, halves up, clamped to 0 .. 255. */
static inline uint8_t fs_uint8(float value) {
    const float held = value > 0.0f ? (value < 255.0f ? value : 255.0f) : 0.0f;
    return (uint8_t)(int32_t)(held + 0.5f);
}

/* Fills the border of a letterbox with value; canvas lines are target->line elements apart. */
static inline void fs_fill(void *canvas, int height, int width, const FsTarget *target, int left, int top, float value) {
    const int right = left + target->width;
    if (target->height == height && target->width == width)
        return;
    for (int y = 0; y < height; y++) {
        const int inside = y >= top && y < top + target->height;
        for (int x = inside && left == 0 ? right : 0; x < width; x++) {
            if (target->dtype == FS_FLOAT32)
                ((float *)canvas)[y * target->line + x] = value;
            else
                ((uint8_t *)canvas)[y * target->line + x] = fs_uint8(value);
            if (inside && x == left - 1)
                x = right - 1;
        }
    }
}

#endif
