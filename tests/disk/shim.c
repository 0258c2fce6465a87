// Stands between a process and the files of one folder: writes down what is done to them, makes it fail, and sets the
// clock. Loaded with LD_PRELOAD into a program that calls the C library; 64-bit Linux.
//
//   STEPLESS_DISK_FOLDER   the folder; other files, and *.lock in it, are left alone
//   STEPLESS_DISK_LOG      where to append what is done; see struct record
//   STEPLESS_DISK_CONTROL  a file with struct control, read at every call

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

// Followed by the path and, for 'w', the bytes.
struct record {
    uint64_t kind; // 'c' created, 'w' written, 't' cut to `offset` bytes, 's' synced, 'f' sync failed, 'u' unlinked
    uint64_t offset;
    uint64_t length;
    uint64_t path_length;
};

struct control {
    int64_t faults;        // of the flags below
    int64_t free;          // bytes by which files may still grow, under FULL
    int64_t clock_seconds; // how far the clock is ahead
};

enum { SYNC_FAILS = 1, SYNC_LIES = 2, FULL = 4, READ_ONLY = 8 };

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static const char *folder;
static int log_fd = -1;
static volatile struct control *control;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("STEPLESS_DISK_LOG");
    if (path) {
        log_fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    }
    path = getenv("STEPLESS_DISK_CONTROL");
    if (path) {
        int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
        void *page = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (page != MAP_FAILED) {
            control = page;
        }
        close(fd);
    }
    folder = getenv("STEPLESS_DISK_FOLDER");
}

static int faulty(int fault) { return control && (control->faults & fault); }

static int concerns(const char *path) {
    size_t length = folder ? strlen(folder) : 0;
    size_t path_length = strlen(path);
    return length && strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == 0) &&
           !(path_length > 5 && strcmp(path + path_length - 5, ".lock") == 0);
}

static int path_of(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    path[length > 0 ? length : 0] = 0;
    return concerns(path);
}

static void note(char kind, const char *path, uint64_t offset, const void *bytes, uint64_t length) {
    size_t path_length = strlen(path);
    // Memory that processes share is gone with the power.
    if (log_fd < 0 || (path_length > 4 && strcmp(path + path_length - 4, "-shm") == 0)) {
        return;
    }
    struct record record = {(uint64_t)kind, offset, length, path_length};
    struct iovec parts[] = {{&record, sizeof record}, {(void *)path, path_length}, {(void *)bytes, length}};
    if (syscall(SYS_writev, log_fd, parts, bytes ? 3 : 2) < 0) {
        abort();
    }
}

static int opened(const char *path, int flags, mode_t mode) {
    char real[PATH_MAX], parent[PATH_MAX];
    snprintf(parent, sizeof parent, "%s", path);
    char *slash = strrchr(parent, '/');
    if (!(flags & (O_CREAT | O_WRONLY | O_RDWR)) || !slash) {
        return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    }
    *slash = 0;
    if (!realpath(parent, real)) {
        return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    }
    snprintf(real + strlen(real), sizeof real - strlen(real), "/%s", slash + 1);
    if (!concerns(real)) {
        return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    }
    if (faulty(READ_ONLY)) {
        errno = EROFS;
        return -1;
    }
    pthread_mutex_lock(&turn);
    int existed = access(real, F_OK) == 0;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    int error = errno;
    if (fd >= 0 && !existed) {
        note('c', real, 0, NULL, 0);
    } else if (fd >= 0 && (flags & O_TRUNC)) {
        note('t', real, 0, NULL, 0);
    }
    pthread_mutex_unlock(&turn);
    errno = error;
    return fd;
}

int open(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return opened(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list arguments;
    va_start(arguments, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
    va_end(arguments);
    return opened(path, flags | O_LARGEFILE, mode);
}

// How much of a write there is room for; -1 if none.
static ssize_t room(int fd, size_t length, int64_t offset) {
    struct stat file;
    if (!faulty(FULL) || fstat(fd, &file) != 0) {
        return (ssize_t)length;
    }
    int64_t growth = offset + (int64_t)length - file.st_size;
    if (growth <= control->free) {
        control->free -= growth > 0 ? growth : 0;
        return (ssize_t)length;
    }
    int64_t fits = (int64_t)length - (growth - control->free);
    control->free = 0;
    return fits > 0 ? (ssize_t)fits : -1;
}

static ssize_t written(int fd, const void *bytes, size_t length, int64_t at) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) {
        return at < 0 ? syscall(SYS_write, fd, bytes, length) : syscall(SYS_pwrite64, fd, bytes, length, at);
    }
    if (faulty(READ_ONLY)) {
        errno = EROFS;
        return -1;
    }
    pthread_mutex_lock(&turn);
    int64_t offset = at < 0 ? syscall(SYS_lseek, fd, 0, SEEK_CUR) : at;
    ssize_t fits = room(fd, length, offset), done = -1;
    if (fits < 0) {
        errno = ENOSPC;
    } else {
        done = at < 0 ? syscall(SYS_write, fd, bytes, fits) : syscall(SYS_pwrite64, fd, bytes, fits, at);
    }
    int error = errno;
    if (done > 0) {
        note('w', path, (uint64_t)offset, bytes, (uint64_t)done);
    }
    pthread_mutex_unlock(&turn);
    errno = error;
    return done;
}

ssize_t write(int fd, const void *bytes, size_t length) { return written(fd, bytes, length, -1); }
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) { return written(fd, bytes, length, at); }
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) { return written(fd, bytes, length, at); }

static int synced(long call, int fd) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) {
        return (int)syscall(call, fd);
    }
    pthread_mutex_lock(&turn);
    int result = 0, error = 0;
    if (faulty(SYNC_FAILS)) {
        note('f', path, 0, NULL, 0);
        result = -1;
        error = EIO;
    } else if (!faulty(SYNC_LIES)) {
        result = (int)syscall(call, fd);
        error = errno;
        note(result == 0 ? 's' : 'f', path, 0, NULL, 0);
    }
    pthread_mutex_unlock(&turn);
    errno = error;
    return result;
}

int fsync(int fd) { return synced(SYS_fsync, fd); }
int fdatasync(int fd) { return synced(SYS_fdatasync, fd); }

static int cut(int fd, int64_t size) {
    char path[PATH_MAX];
    if (!path_of(fd, path)) {
        return (int)syscall(SYS_ftruncate, fd, size);
    }
    if (faulty(READ_ONLY)) {
        errno = EROFS;
        return -1;
    }
    pthread_mutex_lock(&turn);
    int result = (int)syscall(SYS_ftruncate, fd, size), error = errno;
    if (result == 0) {
        note('t', path, (uint64_t)size, NULL, 0);
    }
    pthread_mutex_unlock(&turn);
    errno = error;
    return result;
}

int ftruncate(int fd, off_t size) { return cut(fd, size); }
int ftruncate64(int fd, off64_t size) { return cut(fd, size); }

int unlink(const char *path) {
    char real[PATH_MAX];
    int here = realpath(path, real) && concerns(real);
    if (here && faulty(READ_ONLY)) {
        errno = EROFS;
        return -1;
    }
    pthread_mutex_lock(&turn);
    int result = (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0), error = errno;
    if (result == 0 && here) {
        note('u', real, 0, NULL, 0);
    }
    pthread_mutex_unlock(&turn);
    errno = error;
    return result;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = (int)syscall(SYS_clock_gettime, clock, time);
    if (result == 0 && clock == CLOCK_REALTIME && control) {
        time->tv_sec += control->clock_seconds;
    }
    return result;
}
