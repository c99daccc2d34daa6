#include "roster/drop.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAMES_MAX 10000 /* tried for one file */

struct sp_drop {
    char *path; /* for messages */
    int folder;
    int places[2]; /* by enum sp_drop_place */
    int watch;     /* inotify; -1: it does not work here, looks alone must do */
};

static const char *const place_names[] = {"done", "rejected"};

static enum sp_status open_place(struct sp_drop *drop, int place, struct sp_err *err)
{
    const char *name = place_names[place];
    if (mkdirat(drop->folder, name, 0750) != 0 && errno != EEXIST)
        return sp_fail_errno(err, "%s/%s: cannot be made", drop->path, name);
    drop->places[place] = openat(drop->folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (drop->places[place] < 0)
        return sp_fail_errno(err, "%s/%s: cannot be opened as a folder", drop->path, name);
    return SP_OK;
}

static enum sp_status open_folder(struct sp_drop *drop, struct sp_err *err)
{
    drop->folder = open(drop->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (drop->folder < 0)
        return sp_fail_errno(err, "%s: cannot be opened as a folder", drop->path);
    if (flock(drop->folder, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK
                   ? sp_fail(err, SP_E_CONFLICT, "%s: another process works on this folder", drop->path)
                   : sp_fail_errno(err, "%s: cannot be locked", drop->path);
    return SP_OK;
}

enum sp_status sp_drop_open(struct sp_drop **ret_drop, const char *directory, struct sp_err *err)
{
    struct sp_drop *drop = calloc(1, sizeof *drop);
    if (drop) {
        *drop = (struct sp_drop){strdup(directory), -1, {-1, -1}, -1};
        if (!drop->path)
            sp_drop_free(&drop);
    }
    if (!drop)
        return sp_fail(err, SP_E_NOMEM, "%s: no memory to watch it", directory);
    enum sp_status status = open_folder(drop, err);
    for (int place = 0; place < 2 && status == SP_OK; place++)
        status = open_place(drop, place, err);
    if (status != SP_OK) {
        sp_drop_free(&drop);
        return status;
    }
    drop->watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (drop->watch >= 0 && inotify_add_watch(drop->watch, directory, IN_CLOSE_WRITE | IN_MOVED_TO) < 0) {
        close(drop->watch);
        drop->watch = -1;
    }
    (void)signal(SIGIO,
                 SIG_IGN); /* somebody opens a file in the moment that it is leased: it would end the process */
    *ret_drop = drop;
    return SP_OK;
}

void sp_drop_free(struct sp_drop **drop)
{
    if (!drop || !*drop)
        return;
    int all[] = {(*drop)->folder, (*drop)->places[0], (*drop)->places[1], (*drop)->watch};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (all[i] >= 0)
            close(all[i]);
    free((*drop)->path);
    free(*drop);
    *drop = NULL;
}

/* ---- looking ---- */

static bool ends_with(const char *name, const char *end)
{
    size_t length = strlen(name), end_length = strlen(end);
    return length > end_length && strcmp(name + length - end_length, end) == 0;
}

bool sp_drop_ignores(const char *name)
{
    return name[0] == '.' || ends_with(name, ".sig") || ends_with(name, ".part") || ends_with(name, ".tmp");
}

bool sp_drop_name_ok(const char *name)
{
    size_t length = strlen(name);
    if (length == 0 || length > SP_DROP_NAME_MAX || name[0] == '.')
        return false;
    for (const unsigned char *c = (const unsigned char *)name; *c; c++)
        if (*c < 0x20 || *c == 0x7f || *c == '/')
            return false;
    return true;
}

/* A name that can be shown and kept: what cannot is '?', what is too long is cut. */
static void shown(char *ret_name, const char *name)
{
    snprintf(ret_name, SP_DROP_NAME_MAX + 1, "%.*s", SP_DROP_NAME_MAX, name);
    for (unsigned char *c = (unsigned char *)ret_name; *c; c++)
        if (*c < 0x20 || *c == 0x7f)
            *c = '?';
}

static int64_t milliseconds(struct timespec time)
{
    return (int64_t)time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

static struct sp_drop_stamp stamp_of(const struct stat *about)
{
    return (struct sp_drop_stamp){about->st_dev, about->st_ino, (uint64_t)about->st_size,
                                  (int64_t)about->st_mtim.tv_sec * 1000000000 + about->st_mtim.tv_nsec};
}

static bool same_stamp(const struct sp_drop_stamp *a, const struct sp_drop_stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size && a->changed_ns == b->changed_ns;
}

/* Nobody has it open for writing, the kernel says: a lease is refused otherwise. *ret_sure false: it cannot say. */
static bool nobody_has_it(int fd, bool *ret_sure)
{
    bool leased = fcntl(fd, F_SETLEASE, F_RDLCK) == 0;
    *ret_sure = leased || errno == EAGAIN;
    if (leased)
        (void)fcntl(fd, F_SETLEASE, F_UNLCK);
    return leased || !*ret_sure;
}

static bool nobody_writes(int folder, const char *name, bool *ret_sure)
{
    int fd = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    *ret_sure = false;
    if (fd < 0)
        return true;
    bool nobody = nobody_has_it(fd, ret_sure);
    close(fd);
    return nobody;
}

/* What is too large need not rest, but a file that goes while it is written would be half a file there. */
static void judge_bytes(struct sp_drop_file *file, const struct sp_drop *drop, const char *name, size_t max_bytes)
{
    bool sure, large = file->stamp.size > max_bytes;
    bool written = !nobody_writes(drop->folder, name, &sure) || (!sure && file->rest_ms < SP_DROP_REST_UNSURE_MS);
    if (large && !written)
        file->why = "it is too large";
    else
        file->state = written || file->rest_ms < SP_DROP_REST_MS ? SP_DROP_GROWING : SP_DROP_COMPLETE;
}

/* False: it is left out. */
static bool look_at(const struct sp_drop *drop, const char *name, int64_t now_ms, size_t max_bytes,
                    struct sp_drop_file *ret)
{
    struct stat about;
    if (fstatat(drop->folder, name, &about, AT_SYMLINK_NOFOLLOW) != 0 || S_ISDIR(about.st_mode))
        return false; /* gone, or a folder: done/ and rejected/ are two of them */
    memset(ret, 0, sizeof *ret);
    shown(ret->name, name);
    ret->strange = !sp_drop_name_ok(name);
    ret->regular = S_ISREG(about.st_mode);
    ret->stamp = stamp_of(&about);
    int64_t changed_ms = milliseconds(about.st_mtim);
    if (changed_ms > now_ms) /* a copied time of a wrong clock; this one is the kernel's */
        changed_ms = milliseconds(about.st_ctim);
    ret->rest_ms = now_ms - changed_ms;
    ret->state = SP_DROP_REFUSED;
    if (S_ISLNK(about.st_mode))
        ret->why = "it is a symbolic link";
    else if (!ret->regular)
        ret->why = "it is no regular file";
    else if (ret->strange)
        ret->why = "its name has control characters or is too long";
    else
        judge_bytes(ret, drop, name, max_bytes);
    return true;
}

static int compare_files(const void *a, const void *b)
{
    return strcmp(((const struct sp_drop_file *)a)->name, ((const struct sp_drop_file *)b)->name);
}

enum sp_status sp_drop_look(struct sp_drop *drop, int64_t now_ms, size_t max_bytes, struct sp_drop_file **ret_files,
                            int *ret_count, struct sp_err *err)
{
    int again = openat(drop->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), count = 0, room = 0;
    DIR *directory = again >= 0 ? fdopendir(again) : NULL;
    struct sp_drop_file *files = NULL;
    enum sp_status status = SP_OK;
    if (!directory) {
        status = sp_fail_errno(err, "%s: cannot be read", drop->path);
        if (again >= 0)
            close(again);
        return status;
    }
    for (struct dirent *entry; count < SP_DROP_MAX_FILES && (entry = readdir(directory));) {
        if (sp_drop_ignores(entry->d_name))
            continue;
        if (count == room) {
            room = room ? 2 * room : 64;
            struct sp_drop_file *grown = realloc(files, (size_t)room * sizeof *grown);
            if (!grown) {
                status = sp_fail(err, SP_E_NOMEM, "%s: no memory for %d files", drop->path, room);
                break;
            }
            files = grown;
        }
        count += look_at(drop, entry->d_name, now_ms, max_bytes, &files[count]);
    }
    closedir(directory);
    if (status != SP_OK) {
        free(files);
        return status;
    }
    if (count > 1)
        qsort(files, (size_t)count, sizeof *files, compare_files);
    *ret_files = files;
    *ret_count = count;
    return SP_OK;
}

bool sp_drop_wait(struct sp_drop *drop, int other, int timeout_ms)
{
    struct pollfd polls[] = {{other, POLLIN, 0}, {drop->watch, POLLIN, 0}}; /* poll leaves a negative one out */
    char events[4096] __attribute__((aligned(8)));
    (void)poll(polls, 2, timeout_ms);
    if (polls[1].revents)
        while (read(drop->watch, events, sizeof events) > 0)
            ; /* what happened is seen by looking */
    return polls[0].revents != 0;
}

/* ---- taking ---- */

static enum sp_status read_all(int fd, uint8_t *bytes, size_t length, const char *path, const char *name,
                               struct sp_err *err)
{
    for (size_t done = 0; done < length;) {
        ssize_t step = read(fd, bytes + done, length - done);
        if (step < 0 && errno == EINTR)
            continue;
        if (step < 0)
            return sp_fail_errno(err, "%s/%s: cannot be read", path, name);
        if (step == 0)
            return sp_fail(err, SP_E_IO, "%s/%s: became shorter while it was read", path, name);
        done += (size_t)step;
    }
    return SP_OK;
}

/* Its bytes, if they are still those of the stamp when they have been read. */
static enum sp_status read_open(int fd, const char *path, const char *name, size_t max_bytes, uint8_t **ret_bytes,
                                struct sp_drop_stamp *ret_stamp, struct sp_err *err)
{
    struct stat about;
    struct sp_drop_stamp after;
    bool sure;
    if (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode))
        return sp_fail(err, SP_E_IO, "%s/%s: is no regular file", path, name);
    *ret_stamp = stamp_of(&about);
    if (!nobody_has_it(fd, &sure))
        return sp_fail(err, SP_E_CONFLICT, "%s/%s: is being written", path, name);
    if (ret_stamp->size > max_bytes)
        return sp_fail(err, SP_E_LIMIT, "%s/%s: %lld bytes, the limit is %zu", path, name, (long long)about.st_size,
                       max_bytes);
    *ret_bytes = calloc((size_t)about.st_size + 1, 1);
    if (!*ret_bytes)
        return sp_fail(err, SP_E_NOMEM, "%s/%s: no memory for %lld bytes", path, name, (long long)about.st_size);
    enum sp_status status = read_all(fd, *ret_bytes, (size_t)about.st_size, path, name, err);
    if (status == SP_OK && fstat(fd, &about) != 0)
        status = sp_fail_errno(err, "%s/%s: cannot be looked at", path, name);
    after = stamp_of(&about);
    if (status == SP_OK && !same_stamp(&after, ret_stamp))
        status = sp_fail(err, SP_E_CONFLICT, "%s/%s: was written while it was read", path, name);
    return status;
}

enum sp_status sp_drop_read(struct sp_drop *drop, const char *name, size_t max_bytes, uint8_t **ret_bytes,
                            size_t *ret_length, struct sp_drop_stamp *ret_stamp, struct sp_err *err)
{
    uint8_t *bytes = NULL;
    int fd = openat(drop->folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? sp_fail(err, SP_E_NOTFOUND, "%s/%s: does not exist", drop->path, name)
                               : sp_fail_errno(err, "%s/%s: cannot be opened", drop->path, name);
    enum sp_status status = read_open(fd, drop->path, name, max_bytes, &bytes, ret_stamp, err);
    close(fd);
    if (status == SP_OK) {
        *ret_bytes = bytes;
        *ret_length = (size_t)ret_stamp->size;
    } else {
        free(bytes);
    }
    return status;
}

bool sp_drop_there(struct sp_drop *drop, const char *name)
{
    return faccessat(drop->folder, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

enum sp_status sp_drop_free_name(struct sp_drop *drop, enum sp_drop_place place, const char *name, char *ret_name,
                                 struct sp_err *err)
{
    snprintf(ret_name, SP_DROP_NAME_MAX + 16, "%s", name);
    for (int i = 2; i < NAMES_MAX; i++) {
        if (faccessat(drop->places[place], ret_name, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
            return SP_OK;
        snprintf(ret_name, SP_DROP_NAME_MAX + 16, "%s.%d", name, i);
    }
    return sp_fail(err, SP_E_LIMIT, "%s/%s: %d files of the name %s", drop->path, place_names[place], NAMES_MAX,
                   name);
}

static enum sp_status write_all(int fd, const uint8_t *bytes, size_t length)
{
    for (size_t done = 0; done < length;) {
        ssize_t step = write(fd, bytes + done, length - done);
        if (step < 0 && errno == EINTR)
            continue;
        if (step < 0)
            return SP_E_IO;
        done += (size_t)step;
    }
    return fsync(fd) == 0 ? SP_OK : SP_E_IO;
}

enum sp_status sp_drop_write(struct sp_drop *drop, enum sp_drop_place place, const char *name, const char *suffix,
                             const void *bytes, size_t length, struct sp_err *err)
{
    char draft[SP_DROP_NAME_MAX + 64], target[SP_DROP_NAME_MAX + 64];
    snprintf(target, sizeof target, "%.*s%s", SP_DROP_NAME_MAX + 16, name, suffix);
    snprintf(draft, sizeof draft, ".%.*s%s.tmp", SP_DROP_NAME_MAX + 16, name, suffix);
    int fd = openat(drop->places[place], draft, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);
    enum sp_status status = fd >= 0 ? write_all(fd, bytes, length) : SP_E_IO;
    if (status == SP_OK && renameat(drop->places[place], draft, drop->places[place], target) != 0)
        status = SP_E_IO;
    if (status != SP_OK) {
        sp_fail_errno(err, "%s/%s/%s: cannot be written", drop->path, place_names[place], target);
        (void)unlinkat(drop->places[place], draft, 0);
    }
    if (fd >= 0)
        close(fd);
    return status;
}

/* Only now that the name is out of everybody's reach it is sure what it was. What came under it meanwhile goes
 * back; should even that have been replaced in this moment, it stays here: its sender has taken it back himself. */
static enum sp_status check_moved(struct sp_drop *drop, const char *name, const struct sp_drop_stamp *stamp,
                                  enum sp_drop_place place, const char *as, struct sp_err *err)
{
    struct stat about;
    bool sure;
    if (stamp->inode == 0)
        return SP_OK;
    if (fstatat(drop->places[place], as, &about, AT_SYMLINK_NOFOLLOW) != 0)
        return sp_fail_errno(err, "%s/%s/%s: cannot be looked at", drop->path, place_names[place], as);
    struct sp_drop_stamp moved = stamp_of(&about);
    if (same_stamp(&moved, stamp) && nobody_writes(drop->places[place], as, &sure))
        return SP_OK;
    if (renameat2(drop->places[place], as, drop->folder, name, RENAME_NOREPLACE) != 0)
        return sp_fail(err, SP_E_CONFLICT,
                       "%s/%s: was replaced twice meanwhile; the first of them is %s/%s, not read", drop->path,
                       name, place_names[place], as);
    return sp_fail(err, SP_E_CONFLICT, "%s/%s: was replaced or written meanwhile", drop->path, name);
}

enum sp_status sp_drop_move(struct sp_drop *drop, const char *name, const struct sp_drop_stamp *stamp,
                            enum sp_drop_place place, const char *as, struct sp_err *err)
{
    if (renameat2(drop->folder, name, drop->places[place], as, RENAME_NOREPLACE) != 0) {
        if (errno == EEXIST)
            return sp_fail(err, SP_E_EXISTS, "%s/%s/%s: exists already", drop->path, place_names[place], as);
        if (errno == ENOENT)
            return sp_fail(err, SP_E_NOTFOUND, "%s/%s: is gone", drop->path, name);
        return sp_fail_errno(err, "%s/%s: cannot be moved to %s/", drop->path, name, place_names[place]);
    }
    enum sp_status status = check_moved(drop, name, stamp, place, as, err);
    (void)fsync(drop->places[place]); /* a name that comes back after a power cut is published again: no harm */
    (void)fsync(drop->folder);
    return status;
}
