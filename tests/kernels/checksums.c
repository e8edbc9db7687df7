/* Prints a checksum of what the kernels make of random calls, without Python: `make aarch64` compiles this for another
 * processor, runs it in an emulator and compares. All paths of all processors must print the same lines.
 */
#include "../../ext/similarity.h"
#include "../../ext/workers.h"
#include <stdio.h>

static uint32_t state = 1;

static uint32_t below(uint32_t bound) {
    state = state * 1664525u + 1013904223u;
    return (state >> 8) % bound;
}

static double between(double low, double high) { return low + (high - low) * below(1 << 20) / (1 << 20); }

static uint32_t checksum(const uint8_t *bytes, size_t n) {
    uint32_t sum = 2166136261u;
    for (size_t i = 0; i < n; i++)
        sum = (sum ^ bytes[i]) * 16777619u;
    return sum;
}

int main(void) {
    static uint8_t pixels[300 * 300 * 4];
    static float row[3 * 90 * 90];
    FsPath paths[3];
    const int count = fs_paths(paths);
    fprintf(stderr, "%d path(s), best: %s\n", count, paths[0].name);
    for (int call = 0; call < 400; call++) {
        const int channels = below(2) ? 3 : 1, width = 1 + below(300), height = 1 + below(300), step = channels + below(2);
        for (size_t i = 0; i < sizeof pixels; i++)
            pixels[i] = (uint8_t)below(256);
        const FsImage image = {pixels, width * step, step, height, width, channels, channels == 1 ? FS_LUMA : FS_BGR};
        FsTarget target = {1 + below(90), 1 + below(90), below(2) ? 3 : 1, FS_RGB, below(2), 0, below(3), below(3),
                           {0.5f, 0.25f, 2.0f}, {1.0f, -1.0f, 0.0f}};
        target.line = target.width * (target.planar ? 1 : target.channels);
        FsJob job = {&image, {between(-20, width), between(-20, height), between(0.01, 6), between(0.01, 6), 0}, row};
        job.geometry.rotated = below(8) == 0;
        for (int p = 0; p < count; p++) {
            memset(row, 0, sizeof row);
            fs_run(&paths[p], &job, 1, &target, 1);
            const uint32_t sum = checksum((const uint8_t *)row, sizeof row);
            if (p == 0)
                printf("%d %08x\n", call, sum);
            static uint32_t first;
            first = p == 0 ? sum : first;
            if (sum != first) {
                fprintf(stderr, "call %d: path %s differs from %s\n", call, paths[p].name, paths[0].name);
                return 1;
            }
        }
    }
    return 0;
}
