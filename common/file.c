#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum sp_status read_all(int fd, uint8_t *bytes, size_t length, const char *path, struct sp_err *err)
{
    for (size_t done = 0; done < length;) {
        ssize_t got = read(fd, bytes + done, length - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return sp_fail_errno(err, "%s: cannot read", path);
        if (got == 0)
            return sp_fail(err, SP_E_IO, "%s: shrank while it was read", path);
        done += (size_t)got;
    }
    return SP_OK;
}

enum sp_status sp_file_read(uint8_t **ret_bytes, size_t *ret_length, const char *path, size_t max_bytes,
                            struct sp_err *err)
{
    enum sp_status status = SP_OK;
    uint8_t *bytes = NULL;
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? sp_fail(err, SP_E_NOTFOUND, "%s: no such file", path)
                               : sp_fail_errno(err, "%s: cannot open", path);
    if (fstat(fd, &about) < 0) {
        status = sp_fail_errno(err, "%s: cannot stat", path);
        goto fail;
    }
    if (!S_ISREG(about.st_mode)) {
        status = sp_fail(err, SP_E_INVALID, "%s: not a regular file", path);
        goto fail;
    }
    if ((uint64_t)about.st_size > max_bytes) {
        status =
            sp_fail(err, SP_E_LIMIT, "%s: %lld bytes, the limit is %zu", path, (long long)about.st_size, max_bytes);
        goto fail;
    }
    bytes = malloc((size_t)about.st_size + 1);
    if (!bytes) {
        status = sp_fail(err, SP_E_NOMEM, "%s: no memory for %lld bytes", path, (long long)about.st_size);
        goto fail;
    }
    status = read_all(fd, bytes, (size_t)about.st_size, path, err);
    if (status != SP_OK)
        goto fail;
    bytes[about.st_size] = 0;
    close(fd);
    *ret_bytes = bytes;
    *ret_length = (size_t)about.st_size;
    return SP_OK;
fail:
    free(bytes);
    close(fd);
    return status;
}

static enum sp_status write_all(int fd, const uint8_t *bytes, size_t length, const char *path, struct sp_err *err)
{
    while (length > 0) {
        ssize_t put = write(fd, bytes, length);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return sp_fail_errno(err, "%s: cannot write", path);
        bytes += put;
        length -= (size_t)put;
    }
    return SP_OK;
}

enum sp_status sp_file_write(const char *path, const void *bytes, size_t length, unsigned mode, struct sp_err *err)
{
    char temporary[4096];
    struct stat about;
    if (lstat(path, &about) == 0 && !S_ISREG(about.st_mode)) /* a rename would put a file in a device's place */
        return sp_fail(err, SP_E_INVALID, "%s: is there, and is not a regular file", path);
    if (snprintf(temporary, sizeof temporary, "%s.XXXXXX", path) >= (int)sizeof temporary)
        return sp_fail(err, SP_E_LIMIT, "%s: path too long", path);
    int fd = mkostemp(temporary, O_CLOEXEC);
    if (fd < 0)
        return sp_fail_errno(err, "%s: cannot create", temporary);
    enum sp_status status = write_all(fd, bytes, length, temporary, err);
    if (status == SP_OK && (fchmod(fd, (mode_t)mode) < 0 || fsync(fd) < 0))
        status = sp_fail_errno(err, "%s: cannot make durable", temporary);
    if (close(fd) < 0 && status == SP_OK)
        status = sp_fail_errno(err, "%s: cannot close", temporary);
    if (status == SP_OK && rename(temporary, path) < 0)
        status = sp_fail_errno(err, "%s: cannot rename to it", path);
    if (status != SP_OK)
        unlink(temporary);
    return status;
}
