/* The same kernels once for every instruction set, and the choice between them at run time. */
#ifndef FERSERVE_PATHS_H
#define FERSERVE_PATHS_H

#include "image.h"
#include "store.h"
#include "tiles.h"
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define FS_PATH plain
#define FS_LANES 4
#include "kernels.h"
#undef FS_PATH
#undef FS_LANES

/* Clang has another pragma for this; there the plain path is the only one. */
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define FS_MANY_PATHS

#pragma GCC push_options
#pragma GCC target("avx2")
#define FS_PATH avx2
#define FS_LANES 8
#include "kernels.h"
#undef FS_PATH
#undef FS_LANES
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx2,avx512f,avx512bw,avx512dq,avx512vl,prefer-vector-width=512")
#define FS_PATH avx512
#define FS_LANES 16
#include "kernels.h"
#undef FS_PATH
#undef FS_LANES
#pragma GCC pop_options
#endif

typedef struct {
    const char *name;
    void (*run)(const FsJob *job, const FsTarget *target);
} FsPath;

/* The paths that this processor can run, best first; returns how many. */
static int fs_paths(FsPath paths[3]) {
    int n = 0;
#ifdef FS_MANY_PATHS
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        paths[n++] = (FsPath){"avx512", fs_run_avx512};
    if (__builtin_cpu_supports("avx2"))
        paths[n++] = (FsPath){"avx2", fs_run_avx2};
#endif
    paths[n++] = (FsPath){"plain", fs_run_plain};
    return n;
}

#endif
