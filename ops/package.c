/* Children are started without a shell, with arguments we write ourselves, and only after the hash has matched does
 * anything read the archive. */
#include "ops/package.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/file.h"
#include "common/seal.h"

/* The registry's integrity value "sha512-WDMmK3CfNLo8jylWqMoQgf4n...", in hexadecimal. */
static const char integrity[] = "5833262b709f34ba3c8f2956a8ca1081fe2722cb773347f3c7576769cf7ac2ff"
                                "ddbcc4cde03c42fcfab50c6b5db83935964b426a64373080d7167beb7474d70f";

enum { MAX_TARBALL = 64 * 1024 * 1024 };

struct sp_package {
    char directory[256]; /* private, removed at free */
    char root[300];
    char models[320];
};

/* Wait for a child; its exit status, or -1. */
static int wait_for(pid_t child)
{
    int state = 0;
    while (waitpid(child, &state, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(state) ? WEXITSTATUS(state) : -1;
}

/* Run argv in `directory`, stdout into /dev/null; 127 means that the program is not there. */
static enum sp_status run_child(int *ret_exit, const char *directory, const char *const *argv, struct sp_err *err)
{
    pid_t child = fork();
    if (child < 0)
        return sp_fail_errno(err, "%s: cannot start", argv[0]);
    if (child == 0) {
        int null = open("/dev/null", O_RDWR);
        if (null < 0 || chdir(directory) < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
            _exit(126);
        execvp(argv[0], (char *const *)argv);
        _exit(errno == ENOENT ? 127 : 126);
    }
    *ret_exit = wait_for(child);
    return SP_OK;
}

static enum sp_status fetch(const char *directory, struct sp_err *err)
{
    const char *const argv[] = {"npm", "pack", SP_PACKAGE_NAME, "--ignore-scripts", "--silent", NULL};
    int code = 0;
    enum sp_status status = run_child(&code, directory, argv, err);
    if (status != SP_OK)
        return status;
    if (code == 127)
        return sp_fail(
            err, SP_E_UNAVAILABLE,
            "npm is not installed (Debian: apt-get install npm); or give the package with --package FILE");
    if (code != 0)
        return sp_fail(err, SP_E_UNAVAILABLE,
                       "npm could not fetch %s (its exit code was %d); try again, or give the package with "
                       "--package FILE",
                       SP_PACKAGE_NAME, code);
    return SP_OK;
}

/* Check the archive's bytes and put exactly those into the private directory: what was checked is unpacked. */
static enum sp_status check(const char *tarball, const char *copy, struct sp_err *err)
{
    uint8_t *bytes = NULL, hash[64];
    size_t length = 0;
    char found[129];
    enum sp_status status = sp_file_read(&bytes, &length, tarball, MAX_TARBALL, err);
    if (status != SP_OK)
        return status;
    sp_seal_sha512(hash, bytes, length);
    sp_seal_to_hex(found, hash, sizeof hash);
    if (strcmp(found, integrity) != 0)
        status =
            sp_fail(err, SP_E_AUTH, "%s is not %s: its SHA-512 begins %.16s, the pinned one %.16s; fetch it anew",
                    tarball, SP_PACKAGE_NAME, found, integrity);
    else
        status = sp_file_write(copy, bytes, length, 0600, err);
    free(bytes);
    return status;
}

static enum sp_status unpack(const char *directory, struct sp_err *err)
{
    const char *const argv[] = {
        "tar", "-xzf", "checked.tgz", "--no-same-owner", "package/LICENSE", "package/model", "package/demo", NULL};
    int code = 0;
    enum sp_status status = run_child(&code, directory, argv, err);
    if (status == SP_OK && code != 0)
        status = sp_fail(err, SP_E_IO, "tar could not unpack %s into %s (exit code %d); is the disk full?",
                         SP_PACKAGE_NAME, directory, code);
    return status;
}

enum sp_status sp_package_open(struct sp_package **ret_package, const char *tarball, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    char fetched[320], copy[320];
    struct sp_package *package = calloc(1, sizeof *package);
    if (!package)
        return sp_fail(err, SP_E_NOMEM, "out of memory");
    const char *base = getenv("TMPDIR");
    if (!base || strlen(base) > 200)
        base = "/tmp";
    snprintf(package->directory, sizeof package->directory, "%s/sallyport-package-XXXXXX", base);
    if (!mkdtemp(package->directory)) {
        status = sp_fail_errno(err, "%s: cannot make a directory in it", base);
        package->directory[0] = '\0';
        goto fail;
    }
    snprintf(package->root, sizeof package->root, "%s/package", package->directory);
    snprintf(package->models, sizeof package->models, "%s/model", package->root);
    snprintf(fetched, sizeof fetched, "%s/vladmandic-face-api-1.7.15.tgz", package->directory);
    snprintf(copy, sizeof copy, "%s/checked.tgz", package->directory);
    if (!tarball)
        status = fetch(package->directory, err);
    if (status == SP_OK)
        status = check(tarball ? tarball : fetched, copy, err);
    if (status == SP_OK)
        status = unpack(package->directory, err);
    if (status != SP_OK)
        goto fail;
    *ret_package = package;
    return SP_OK;
fail:
    sp_package_free(&package);
    return status;
}

static int remove_one(const char *path, const struct stat *about, int type, struct FTW *place)
{
    (void)about;
    (void)type;
    (void)place;
    (void)remove(path); /* what stays is a temporary file: nothing depends on it */
    return 0;
}

void sp_package_free(struct sp_package **package)
{
    if (!package || !*package)
        return;
    if ((*package)->directory[0])
        (void)nftw((*package)->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(*package);
    *package = NULL;
}

const char *sp_package_models(const struct sp_package *package)
{
    return package->models;
}

const char *sp_package_root(const struct sp_package *package)
{
    return package->root;
}
