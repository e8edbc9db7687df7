/* The few operations that need intrinsics; included once for every path by paths.h.
 *
 * FS_LANES floats make a Floats, twice as many 16-bit counts a Shorts. Floats add and multiply with + and *.
 *   FS(shorts_at)  2 * FS_LANES bytes as counts
 *   FS(add)        counts + counts
 *   FS(floats_of)  counts as two Floats
 *   FS(turn)       transposes FS_LANES Floats in place
 */

#define FS_JOIN_(name, path) fs_##name##_##path
#define FS_JOIN(name, path) FS_JOIN_(name, path)
#define FS(name) FS_JOIN(name, FS_PATH)
#define Floats FS(Floats)
#define Shorts FS(Shorts)

#if FS_LANES == 16 /* AVX-512 F, BW, DQ, VL */

typedef __m512 Floats;
typedef __m512i Shorts;

static inline Shorts FS(shorts_at)(const uint8_t *bytes) {
    return _mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i *)bytes));
}

static inline Shorts FS(add)(Shorts a, Shorts b) { return _mm512_add_epi16(a, b); }

static inline void FS(floats_of)(Shorts counts, Floats out[2]) {
    out[0] = _mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(_mm512_castsi512_si256(counts)));
    out[1] = _mm512_cvtepi32_ps(_mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(counts, 1)));
}

static inline void FS(turn)(Floats v[16]) {
    Floats t[16];
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_ps(v[i], v[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(v[i], v[i + 1]);
    }
    for (int i = 0; i < 16; i += 4)
        for (int k = 0; k < 2; k++) {
            const __m512d a = _mm512_castps_pd(t[i + k]), b = _mm512_castps_pd(t[i + k + 2]);
            v[i + 2 * k] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, b));
            v[i + 2 * k + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, b));
        }
    for (int i = 0; i < 16; i += 8)
        for (int k = 0; k < 4; k++) {
            t[i + k] = _mm512_shuffle_f32x4(v[i + k], v[i + k + 4], 0x88);
            t[i + k + 4] = _mm512_shuffle_f32x4(v[i + k], v[i + k + 4], 0xdd);
        }
    for (int k = 0; k < 8; k++) {
        v[k] = _mm512_shuffle_f32x4(t[k], t[k + 8], 0x88);
        v[k + 8] = _mm512_shuffle_f32x4(t[k], t[k + 8], 0xdd);
    }
}

#elif FS_LANES == 8 /* AVX2 */

typedef __m256 Floats;
typedef __m256i Shorts;

static inline Shorts FS(shorts_at)(const uint8_t *bytes) {
    return _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)bytes));
}

static inline Shorts FS(add)(Shorts a, Shorts b) { return _mm256_add_epi16(a, b); }

static inline void FS(floats_of)(Shorts counts, Floats out[2]) {
    out[0] = _mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(_mm256_castsi256_si128(counts)));
    out[1] = _mm256_cvtepi32_ps(_mm256_cvtepu16_epi32(_mm256_extracti128_si256(counts, 1)));
}

static inline void FS(turn)(Floats v[8]) {
    Floats t[8];
    for (int i = 0; i < 8; i += 2) {
        t[i] = _mm256_unpacklo_ps(v[i], v[i + 1]);
        t[i + 1] = _mm256_unpackhi_ps(v[i], v[i + 1]);
    }
    for (int i = 0; i < 8; i += 4)
        for (int k = 0; k < 2; k++) {
            const __m256d a = _mm256_castps_pd(t[i + k]), b = _mm256_castps_pd(t[i + k + 2]);
            v[i + 2 * k] = _mm256_castpd_ps(_mm256_unpacklo_pd(a, b));
            v[i + 2 * k + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(a, b));
        }
    for (int k = 0; k < 4; k++) {
        t[k] = _mm256_permute2f128_ps(v[k], v[k + 4], 0x20);
        t[k + 4] = _mm256_permute2f128_ps(v[k], v[k + 4], 0x31);
    }
    memcpy(v, t, sizeof t);
}

#elif defined(__x86_64__) /* SSE2, which every x86-64 has */

typedef __m128 Floats;
typedef __m128i Shorts;

static inline Shorts FS(shorts_at)(const uint8_t *bytes) {
    return _mm_unpacklo_epi8(_mm_loadl_epi64((const __m128i *)bytes), _mm_setzero_si128());
}

static inline Shorts FS(add)(Shorts a, Shorts b) { return _mm_add_epi16(a, b); }

static inline void FS(floats_of)(Shorts counts, Floats out[2]) {
    out[0] = _mm_cvtepi32_ps(_mm_unpacklo_epi16(counts, _mm_setzero_si128()));
    out[1] = _mm_cvtepi32_ps(_mm_unpackhi_epi16(counts, _mm_setzero_si128()));
}

static inline void FS(turn)(Floats v[4]) { _MM_TRANSPOSE4_PS(v[0], v[1], v[2], v[3]); }

#elif defined(__aarch64__) /* NEON, which every aarch64 has */

typedef float32x4_t Floats;
typedef uint16x8_t Shorts;

static inline Shorts FS(shorts_at)(const uint8_t *bytes) { return vmovl_u8(vld1_u8(bytes)); }

static inline Shorts FS(add)(Shorts a, Shorts b) { return vaddq_u16(a, b); }

static inline void FS(floats_of)(Shorts counts, Floats out[2]) {
    out[0] = vcvtq_f32_u32(vmovl_u16(vget_low_u16(counts)));
    out[1] = vcvtq_f32_u32(vmovl_high_u16(counts));
}

static inline void FS(turn)(Floats v[4]) {
    const float32x4x2_t a = vtrnq_f32(v[0], v[1]), b = vtrnq_f32(v[2], v[3]);
    v[0] = vcombine_f32(vget_low_f32(a.val[0]), vget_low_f32(b.val[0]));
    v[1] = vcombine_f32(vget_low_f32(a.val[1]), vget_low_f32(b.val[1]));
    v[2] = vcombine_f32(vget_high_f32(a.val[0]), vget_high_f32(b.val[0]));
    v[3] = vcombine_f32(vget_high_f32(a.val[1]), vget_high_f32(b.val[1]));
}

#else
#error "ferserve's kernels are written for x86-64 and aarch64; a new processor needs its four functions in ext/lanes.h"
#endif

static inline Floats FS(load)(const float *from) {
    Floats value;
    memcpy(&value, from, sizeof value);
    return value;
}

static inline void FS(store)(float *to, Floats value) { memcpy(to, &value, sizeof value); }
