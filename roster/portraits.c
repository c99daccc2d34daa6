#include "roster/portraits.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "document/dg2.h"

#define NAMES_MAX 200000
#define STEM_MAX  160

struct sp_portraits {
    int directory; /* descriptor */
    char **names;  /* sorted */
    int name_count;
};

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum sp_status list_names(struct sp_portraits *p, const char *path, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    int capacity = 0;
    int copy = dup(p->directory); /* closedir closes it */
    DIR *listing = copy < 0 ? NULL : fdopendir(copy);
    if (!listing) {
        status = sp_fail_errno(err, "portraits directory %s: cannot list it", path);
        if (copy >= 0)
            close(copy);
        return status;
    }
    for (struct dirent *entry; status == SP_OK && (entry = readdir(listing));) {
        if (entry->d_name[0] == '.')
            continue;
        if (p->name_count == NAMES_MAX) {
            status = sp_fail(err, SP_E_LIMIT, "portraits directory %s: more than %d files", path, NAMES_MAX);
            break;
        }
        if (p->name_count == capacity) {
            capacity = capacity ? 2 * capacity : 256;
            char **grown = realloc(p->names, (size_t)capacity * sizeof *grown);
            if (grown)
                p->names = grown;
            else
                status = sp_fail(err, SP_E_NOMEM, "portraits directory %s: no memory for its names", path);
        }
        if (status == SP_OK && (p->names[p->name_count] = strdup(entry->d_name)))
            p->name_count++;
        else if (status == SP_OK)
            status = sp_fail(err, SP_E_NOMEM, "portraits directory %s: no memory for its names", path);
    }
    closedir(listing);
    if (status == SP_OK && p->name_count > 0)
        qsort(p->names, (size_t)p->name_count, sizeof *p->names, compare_names);
    return status;
}

enum sp_status sp_portraits_open(struct sp_portraits **ret_portraits, const char *directory, struct sp_err *err)
{
    enum sp_status status;
    struct sp_portraits *p = calloc(1, sizeof *p);
    if (!p)
        return sp_fail(err, SP_E_NOMEM, "portraits directory %s: no memory", directory);
    p->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (p->directory < 0)
        status = sp_fail_errno(err, "portraits directory %s: cannot open it", directory);
    else
        status = list_names(p, directory, err);
    if (status == SP_OK)
        *ret_portraits = p;
    else
        sp_portraits_free(&p);
    return status;
}

void sp_portraits_free(struct sp_portraits **portraits)
{
    if (!portraits || !*portraits)
        return;
    for (int i = 0; i < (*portraits)->name_count; i++)
        free((*portraits)->names[i]);
    free((*portraits)->names);
    if ((*portraits)->directory >= 0)
        close((*portraits)->directory);
    free(*portraits);
    *portraits = NULL;
}

/* The number of "<stem>.jpg" (0) or "<stem>_N.png" (N); -1 if the name is another's. */
static int number_of(const char *name, const char *stem, size_t stem_length)
{
    static const char *const extensions[] = {".jpg", ".jpeg", ".png", ".jp2", ".j2k", ".dg2", ".bin"};
    int number = 0;
    if (strncmp(name, stem, stem_length) != 0)
        return -1;
    name += stem_length;
    if (name[0] == '_' && isdigit((unsigned char)name[1]))
        for (name++; isdigit((unsigned char)*name) && number < 100000; name++)
            number = number * 10 + (*name - '0');
    for (size_t i = 0; i < sizeof extensions / sizeof extensions[0]; i++)
        if (strcasecmp(name, extensions[i]) == 0)
            return number;
    return -1;
}

/* True if a name with a number is another traveller's own: 1_2.jpg is no portrait of 1 where somebody's reference
 * is 1_2. */
static bool is_of_another(const char *name, size_t stem_length, const struct sp_portrait_references *all)
{
    char stem[SP_PORTRAIT_PATH_MAX];
    const char *key = stem, *dot = strrchr(name, '.');
    if (!all || !dot || (size_t)(dot - name) == stem_length || (size_t)(dot - name) >= sizeof stem)
        return false;
    memcpy(stem, name, (size_t)(dot - name));
    stem[dot - name] = 0;
    return bsearch(&key, all->references, (size_t)all->count, sizeof *all->references, compare_names) != NULL;
}

void sp_portraits_sort(struct sp_portrait_references *references)
{
    qsort(references->references, (size_t)references->count, sizeof *references->references, compare_names);
}

/* All files of a stem, by number. */
static void find_stem(const struct sp_portraits *p, const char *stem, const struct sp_portrait_references *all,
                      char (*ret_paths)[SP_PORTRAIT_PATH_MAX], int *ret_count, int *ret_more)
{
    size_t length = strlen(stem);
    int low = 0, high = p->name_count, numbers[SP_ROW_MAX_PORTRAITS];
    while (low < high) { /* the first name not before the stem */
        int middle = low + (high - low) / 2;
        if (strncmp(p->names[middle], stem, length) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < p->name_count && strncmp(p->names[low], stem, length) == 0; low++) {
        int number = number_of(p->names[low], stem, length), at = *ret_count;
        if (number < 0 || strlen(p->names[low]) >= SP_PORTRAIT_PATH_MAX ||
            is_of_another(p->names[low], length, all))
            continue;
        if (at == SP_ROW_MAX_PORTRAITS) {
            (*ret_more)++;
            continue;
        }
        for (; at > 0 && numbers[at - 1] > number; at--) {
            numbers[at] = numbers[at - 1];
            memcpy(ret_paths[at], ret_paths[at - 1], SP_PORTRAIT_PATH_MAX);
        }
        numbers[at] = number;
        snprintf(ret_paths[at], SP_PORTRAIT_PATH_MAX, "%s", p->names[low]);
        (*ret_count)++;
    }
}

/* The parts of photo_uri, which ';' parts. */
static void split_uri(const char *uri, char (*ret_paths)[SP_PORTRAIT_PATH_MAX], int *ret_count, int *ret_more)
{
    while (*uri) {
        size_t length = strcspn(uri, ";"), from = 0, to = length;
        while (from < to && uri[from] == ' ')
            from++;
        while (to > from && uri[to - 1] == ' ')
            to--;
        if (to > from && *ret_count == SP_ROW_MAX_PORTRAITS)
            (*ret_more)++;
        else if (to > from)
            snprintf(ret_paths[(*ret_count)++], SP_PORTRAIT_PATH_MAX, "%.*s", (int)(to - from), uri + from);
        uri += length + (uri[length] == ';');
    }
}

void sp_portraits_find(const struct sp_portraits *portraits, const struct sp_row *row,
                       const struct sp_portrait_references *all, char (*ret_paths)[SP_PORTRAIT_PATH_MAX],
                       int *ret_count, int *ret_more)
{
    const char *const *v = row->values;
    char stem[STEM_MAX];
    *ret_count = *ret_more = 0;
    if (v[SP_COLUMN_PHOTO_URI][0]) {
        split_uri(v[SP_COLUMN_PHOTO_URI], ret_paths, ret_count, ret_more);
        return;
    }
    if (v[SP_COLUMN_TRAVELLER_REF][0])
        find_stem(portraits, v[SP_COLUMN_TRAVELLER_REF], all, ret_paths, ret_count, ret_more);
    if (*ret_count == 0 && v[SP_COLUMN_DOC_NUMBER][0] && v[SP_COLUMN_DOC_ISSUER][0]) {
        snprintf(stem, sizeof stem, "%s-%s-%s", v[SP_COLUMN_DOC_ISSUER], v[SP_COLUMN_DOC_TYPE],
                 v[SP_COLUMN_DOC_NUMBER]);
        find_stem(portraits, stem, all, ret_paths, ret_count, ret_more);
    }
}

static enum sp_status refuse(const char *path, const char *why, struct sp_err *err)
{
    return sp_fail(err, SP_E_DENIED, "portrait %.200s: %s; nothing outside the portraits directory is read", path,
                   why);
}

/* Walk to the file, one part of the path at a time. */
static enum sp_status walk(int *ret_file, int directory, const char *path, struct sp_err *err)
{
    int at = directory;
    enum sp_status status = SP_OK;
    const char *part = path;
    if (path[0] == '/' || strstr(path, "://") || strlen(path) >= SP_PORTRAIT_PATH_MAX || path[0] == 0)
        return refuse(path, "not a path relative to the portraits directory", err);
    while (status == SP_OK) {
        char name[SP_PORTRAIT_PATH_MAX];
        size_t length = strcspn(part, "/");
        bool last = part[length] == 0;
        memcpy(name, part, length);
        name[length] = 0;
        if (length == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
            status = refuse(path, "its path has an empty part, \".\" or \"..\"", err);
            break;
        }
        /* O_NONBLOCK: a named pipe must not stop the desk before fstat finds it out. */
        int next = openat(at, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | (last ? 0 : O_DIRECTORY));
        if (next < 0 && (errno == ELOOP || errno == ENOTDIR))
            status = refuse(path, "it goes through a symbolic link or a file", err);
        else if (next < 0 && errno == ENOENT)
            status = sp_fail(err, SP_E_NOTFOUND, "portrait %.200s: no such file", path);
        else if (next < 0)
            status = sp_fail_errno(err, "portrait %.200s: cannot open it", path);
        if (at != directory)
            close(at);
        at = status == SP_OK ? next : directory;
        if (last)
            break;
        part += length + 1;
    }
    if (status == SP_OK)
        *ret_file = at;
    else if (at != directory)
        close(at);
    return status;
}

enum sp_status sp_portraits_read(const struct sp_portraits *portraits, const char *path, uint8_t **ret_bytes,
                                 size_t *ret_length, struct sp_err *err)
{
    int file = -1;
    struct stat about;
    uint8_t *bytes = NULL;
    size_t length = 0;
    enum sp_status status = walk(&file, portraits->directory, path, err);
    if (status != SP_OK)
        return status;
    if (fstat(file, &about) != 0)
        status = sp_fail_errno(err, "portrait %.200s", path);
    else if (!S_ISREG(about.st_mode))
        status = sp_fail(err, SP_E_IO, "portrait %.200s: not a regular file", path);
    else if (about.st_size < 1 || about.st_size > (off_t)SP_PORTRAIT_MAX_BYTES)
        status = sp_fail(err, SP_E_LIMIT, "portrait %.200s: %lld bytes, it must have 1 to %u", path,
                         (long long)about.st_size, SP_PORTRAIT_MAX_BYTES);
    else if (!(bytes = malloc((size_t)about.st_size)))
        status =
            sp_fail(err, SP_E_NOMEM, "portrait %.200s: no memory for %lld bytes", path, (long long)about.st_size);
    while (status == SP_OK && length < (size_t)about.st_size) {
        ssize_t got = read(file, bytes + length, (size_t)about.st_size - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            status = sp_fail_errno(err, "portrait %.200s: cannot read it", path);
        else if (got == 0)
            status = sp_fail(err, SP_E_IO, "portrait %.200s: it became shorter while it was read", path);
        else
            length += (size_t)got;
    }
    close(file);
    if (status == SP_OK) {
        *ret_bytes = bytes;
        *ret_length = length;
    } else {
        free(bytes);
    }
    return status;
}

/* Copies of the images in a DG2, at most max. */
static enum sp_status copy_faces(const struct sp_dg2 *faces, const char *path, int max,
                                 struct sp_portrait_picture *ret_pictures, int *ret_count, int *ret_more,
                                 struct sp_err *err)
{
    int count = faces->image_count < max ? faces->image_count : max;
    for (int i = 0; i < count; i++) {
        ret_pictures[i].length = faces->images[i].length;
        ret_pictures[i].bytes = malloc(faces->images[i].length);
        if (!ret_pictures[i].bytes) {
            while (i-- > 0) {
                explicit_bzero(ret_pictures[i].bytes, ret_pictures[i].length);
                free(ret_pictures[i].bytes);
            }
            return sp_fail(err, SP_E_NOMEM, "portrait %.200s: no memory for its images", path);
        }
        memcpy(ret_pictures[i].bytes, faces->images[i].bytes, faces->images[i].length);
    }
    *ret_count = count;
    *ret_more = faces->image_count - count;
    return SP_OK;
}

enum sp_status sp_portraits_load(const struct sp_portraits *portraits, const char *path, int max,
                                 struct sp_portrait_picture *ret_pictures, int *ret_count, int *ret_more,
                                 struct sp_err *err)
{
    uint8_t *bytes = NULL;
    size_t length = 0;
    struct sp_dg2 *faces = NULL;
    char name[SP_PORTRAIT_PATH_MAX];
    enum sp_status status = sp_portraits_read(portraits, path, &bytes, &length, err);
    if (status != SP_OK)
        return status;
    if (!sp_dg2_looks_like(bytes, length) && max > 0) {
        ret_pictures[0] = (struct sp_portrait_picture){bytes, length};
        *ret_count = 1;
        *ret_more = 0;
        return SP_OK;
    }
    if (sp_dg2_looks_like(bytes, length)) {
        snprintf(name, sizeof name, "portrait %.200s", path);
        status = sp_dg2_parse(&faces, name, bytes, length, err);
        if (status == SP_OK)
            status = copy_faces(faces, path, max, ret_pictures, ret_count, ret_more, err);
        sp_dg2_free(&faces);
    } else {
        *ret_count = 0;
        *ret_more = 1;
    }
    explicit_bzero(bytes, length);
    free(bytes);
    return status;
}
