#include "capture/source.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

static int is_image(const struct dirent *entry)
{
    static const char *const endings[] = {".jpg", ".jpeg", ".png", ".jp2", ".j2k"};
    size_t length = strlen(entry->d_name);
    if (entry->d_name[0] == '.')
        return 0;
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        size_t ending = strlen(endings[i]);
        if (length > ending && strcasecmp(entry->d_name + length - ending, endings[i]) == 0)
            return 1;
    }
    return 0;
}

/* Bytes, not the locale's order: the same everywhere. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static char *join(const char *directory, const char *name)
{
    size_t length = strlen(directory);
    const char *slash = length > 0 && directory[length - 1] == '/' ? "" : "/";
    size_t size = length + strlen(slash) + strlen(name) + 1;
    char *path = malloc(size);
    if (path) {
        memcpy(path, directory, length);
        memcpy(path + length, slash, strlen(slash));
        memcpy(path + length + strlen(slash), name, strlen(name) + 1);
    }
    return path;
}

static enum sp_status list_directory(struct sp_source_camera *camera, size_t limit, struct sp_err *err)
{
    struct dirent **entries = NULL;
    enum sp_status status = SP_OK;
    int found = scandir(camera->name, &entries, is_image, by_name);
    if (found < 0)
        return sp_fail_errno(err, "%s: cannot list the directory", camera->name);
    size_t take = limit > 0 && limit < (size_t)found ? limit : (size_t)found;
    if (found == 0)
        status = sp_fail(err, SP_E_NOTFOUND, "%s: no *.jpg, *.jpeg, *.png, *.jp2 or *.j2k in this directory",
                         camera->name);
    else if (found > SP_SOURCE_IMAGES_MAX)
        status =
            sp_fail(err, SP_E_LIMIT, "%s: %d images, the limit is %d", camera->name, found, SP_SOURCE_IMAGES_MAX);
    else if (!(camera->paths = calloc(take, sizeof *camera->paths)))
        status = sp_fail(err, SP_E_NOMEM, "%s: no memory for %zu names", camera->name, take);
    for (; status == SP_OK && camera->count < take; camera->count++) {
        camera->paths[camera->count] = join(camera->name, entries[camera->count]->d_name);
        if (!camera->paths[camera->count])
            status = sp_fail(err, SP_E_NOMEM, "%s: no memory for %zu names", camera->name, take);
    }
    for (int i = 0; i < found; i++)
        free(entries[i]);
    free(entries);
    return status;
}

static enum sp_status list_operand(struct sp_source_camera *camera, const char *operand, size_t limit,
                                   struct sp_err *err)
{
    struct stat about;
    if (stat(operand, &about) < 0)
        return errno == ENOENT ? sp_fail(err, SP_E_NOTFOUND, "%s: no such file or directory", operand)
                               : sp_fail_errno(err, "%s: cannot stat", operand);
    if (!S_ISDIR(about.st_mode) && !S_ISREG(about.st_mode))
        return sp_fail(err, SP_E_UNSUPPORTED, "%s: neither a file nor a directory", operand);
    camera->name = strdup(operand);
    if (!camera->name)
        return sp_fail(err, SP_E_NOMEM, "no memory for %s", operand);
    if (S_ISDIR(about.st_mode))
        return list_directory(camera, limit, err);
    camera->paths = calloc(1, sizeof *camera->paths);
    if (camera->paths)
        camera->paths[0] = strdup(operand);
    if (!camera->paths || !camera->paths[0])
        return sp_fail(err, SP_E_NOMEM, "no memory for %s", operand);
    camera->count = 1;
    return SP_OK;
}

enum sp_status sp_source_new(struct sp_source **ret_source, char *const *operands, size_t count, size_t limit,
                             struct sp_err *err)
{
    enum sp_status status = SP_OK;
    struct sp_source *source = calloc(1, sizeof *source);
    if (source)
        source->cameras = calloc(count > 0 ? count : 1, sizeof *source->cameras);
    if (!source || !source->cameras)
        status = sp_fail(err, SP_E_NOMEM, "no memory for %zu operands", count);
    for (size_t i = 0; status == SP_OK && i < count; i++) {
        source->count = i + 1; /* so that a half-listed one is freed too */
        status = list_operand(&source->cameras[i], operands[i], limit, err);
        source->image_count += source->cameras[i].count;
        if (status == SP_OK && source->image_count > SP_SOURCE_IMAGES_MAX)
            status = sp_fail(err, SP_E_LIMIT, "%s: over %d images in all", operands[i], SP_SOURCE_IMAGES_MAX);
    }
    if (status == SP_OK)
        *ret_source = source;
    else
        sp_source_free(&source);
    return status;
}

void sp_source_free(struct sp_source **source)
{
    if (!source || !*source)
        return;
    for (size_t i = 0; (*source)->cameras && i < (*source)->count; i++) {
        struct sp_source_camera *camera = &(*source)->cameras[i];
        for (size_t p = 0; p < camera->count; p++)
            free(camera->paths[p]);
        free(camera->paths);
        free(camera->name);
    }
    free((*source)->cameras);
    free(*source);
    *source = NULL;
}
