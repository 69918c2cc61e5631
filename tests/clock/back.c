// For LD_PRELOAD: the time of day is an hour earlier at every look. Clocks that count from the start are as they are.
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static _Atomic long looks;

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int failed = (int)syscall(SYS_clock_gettime, clock, now);
    if (!failed && clock == CLOCK_REALTIME)
        now->tv_sec -= 3600 * ++looks;
    return failed;
}
