/*
 * slow_sync: makes a disk that needs 2 ms more to sync, for a PostgreSQL that is started with this
 * library preloaded (LD_PRELOAD).
 */
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SYNC_NS 2000000

#define EXPORTED __attribute__((visibility("default")))

static int sync_slowly(long call, int fd)
{
    const struct timespec pause = {0, SYNC_NS};

    nanosleep(&pause, NULL);
    return (int)syscall(call, fd);
}

EXPORTED int fsync(int fd)
{
    return sync_slowly(SYS_fsync, fd);
}

EXPORTED int fdatasync(int fildes)
{
    return sync_slowly(SYS_fdatasync, fildes);
}
