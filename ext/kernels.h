/* Everything that is compiled once for every path: FS_PATH names it, FS_LANES floats fill its registers. */

#include "lanes.h"

#include "resample.h"

#include "halve.h"
#include "warp.h"

static void FS(run)(const FsJob *job, const FsTarget *target) {
    if (job->geometry.rotated)
        FS(warp)(job, target);
    else if (FS(is_halving)(job, target))
        FS(halve)(job, target);
    else
        FS(resample)(job, target);
}

#undef FS
#undef FS_JOIN
#undef FS_JOIN_
#undef Floats
#undef Shorts
