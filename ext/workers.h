/* Threads that wait for crops. They never touch Python, so they need no GIL.
 *
 * One batch uses the threads at a time. A call that finds them taken works alone: another batch already uses the
 * processors, and waiting for it would be slower.
 */
#ifndef FERSERVE_WORKERS_H
#define FERSERVE_WORKERS_H

#include "paths.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

enum {
    FS_MOST_WORKERS = 63,
    FS_SPINS = 2000, /* about 20 us: the last crops of the others end sooner than a sleeping thread wakes */
};

static inline void fs_relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

typedef struct {
    void (*run)(const FsJob *job, const FsTarget *target);
    const FsJob *jobs;
    const FsTarget *target;
    int count;
    atomic_int next;
} FsBatch;

static struct {
    pthread_mutex_t taken; /* held by the call that uses the workers */
    pthread_mutex_t lock;  /* guards everything below */
    pthread_cond_t wake, done;
    FsBatch *batch;
    int seats;         /* workers that may still join the batch */
    atomic_int active; /* workers that have joined and not yet left */
    int started;
} fs_workers = {.taken = PTHREAD_MUTEX_INITIALIZER,
                .lock = PTHREAD_MUTEX_INITIALIZER,
                .wake = PTHREAD_COND_INITIALIZER,
                .done = PTHREAD_COND_INITIALIZER};

static void fs_share(FsBatch *batch) {
    for (int i; (i = atomic_fetch_add(&batch->next, 1)) < batch->count;)
        batch->run(&batch->jobs[i], batch->target);
}

static void *fs_worker(void *unused) {
    pthread_mutex_lock(&fs_workers.lock);
    for (;;) {
        while (!fs_workers.seats)
            pthread_cond_wait(&fs_workers.wake, &fs_workers.lock);
        FsBatch *batch = fs_workers.batch;
        fs_workers.seats--;
        fs_workers.active++;
        pthread_mutex_unlock(&fs_workers.lock);
        fs_share(batch);
        pthread_mutex_lock(&fs_workers.lock);
        if (!--fs_workers.active)
            pthread_cond_signal(&fs_workers.done);
    }
    return unused;
}

/* A forked child inherits the locks but not the threads. */
static void fs_forget_workers(void) {
    pthread_mutex_init(&fs_workers.taken, NULL);
    pthread_mutex_init(&fs_workers.lock, NULL);
    pthread_cond_init(&fs_workers.wake, NULL);
    pthread_cond_init(&fs_workers.done, NULL);
    fs_workers.seats = fs_workers.started = 0;
    fs_workers.active = 0;
}

/* Start workers until there are `wanted` or the system refuses. Signals stay with Python's threads. */
static void fs_start_workers(int wanted) {
    sigset_t all, before;
    if (fs_workers.started >= wanted)
        return;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (fs_workers.started < wanted && fs_workers.started < FS_MOST_WORKERS) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, fs_worker, NULL))
            break;
        pthread_detach(thread);
        fs_workers.started++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Do every job on `path`, on up to `threads` threads with the caller's among them; returns when all are done. */
static void fs_run(const FsPath *path, const FsJob *jobs, int count, const FsTarget *target, int threads) {
    FsBatch batch = {path->run, jobs, target, count, 0};
    const int helpers = (threads < count ? threads : count) - 1;
    if (helpers < 1 || pthread_mutex_trylock(&fs_workers.taken)) {
        fs_share(&batch);
        return;
    }
    pthread_mutex_lock(&fs_workers.lock);
    fs_start_workers(helpers);
    fs_workers.batch = &batch;
    fs_workers.seats = helpers;
    pthread_cond_broadcast(&fs_workers.wake);
    pthread_mutex_unlock(&fs_workers.lock);
    fs_share(&batch);
    pthread_mutex_lock(&fs_workers.lock);
    fs_workers.seats = 0;
    pthread_mutex_unlock(&fs_workers.lock);
    for (int spins = 0; fs_workers.active && spins < FS_SPINS; spins++)
        fs_relax();
    pthread_mutex_lock(&fs_workers.lock);
    while (fs_workers.active)
        pthread_cond_wait(&fs_workers.done, &fs_workers.lock);
    pthread_mutex_unlock(&fs_workers.lock);
    pthread_mutex_unlock(&fs_workers.taken);
}

#endif
