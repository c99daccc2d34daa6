#include "gpu/cuda_choice.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD_BYTES 208
#define ITEM_BYTES ((SP_CUDA_LAYER_WORDS + 1) * sizeof(int32_t))
#define SUM_BYTES  8
#define MOST_BYTES (HEAD_BYTES + SP_CUDA_MOST_CHOICES * ITEM_BYTES + SUM_BYTES)

static const char magic[8] = {'S', 'P', 'C', 'H', 'O', 'I', 'C', '1'};

struct sp_cuda_choices {
    pthread_mutex_t lock;
    char identity[SP_CUDA_IDENTITY];
    char path[PATH_MAX]; /* "": no file */
    char note[320];
    int refused;
    bool changed;
    int count, room;
    struct sp_cuda_chosen *chosen;
};

static uint64_t sum_of(const uint8_t *bytes, size_t length)
{
    uint64_t sum = 0xcbf29ce484222325u;
    for (size_t i = 0; i < length; i++)
        sum = (sum ^ bytes[i]) * 0x100000001b3u;
    return sum;
}

static uint64_t number_at(const uint8_t *bytes, int size)
{
    uint64_t number = 0;
    for (int i = size - 1; i >= 0; i--)
        number = number << 8 | bytes[i];
    return number;
}

static void put_number(uint8_t *bytes, int size, uint64_t number)
{
    for (int i = 0; i < size; i++)
        bytes[i] = (uint8_t)(number >> 8 * i);
}

enum sp_status sp_cuda_choices_parse(const uint8_t *bytes, size_t length, const char *identity,
                                     struct sp_cuda_chosen *ret_chosen, int *ret_count, struct sp_err *err)
{
    char theirs[SP_CUDA_IDENTITY];
    if (length < HEAD_BYTES + SUM_BYTES || memcmp(bytes, magic, sizeof magic) != 0)
        return sp_fail(err, SP_E_FORMAT, "%zu bytes that do not begin as a file of choices", length);
    uint64_t count = number_at(bytes + 8, 4);
    if (count > SP_CUDA_MOST_CHOICES || number_at(bytes + 12, 4) != SP_CUDA_LAYER_WORDS)
        return sp_fail(err, SP_E_FORMAT, "offset 8: %llu choices of %llu words", (unsigned long long)count,
                       (unsigned long long)number_at(bytes + 12, 4));
    if (length != HEAD_BYTES + count * ITEM_BYTES + SUM_BYTES)
        return sp_fail(err, SP_E_FORMAT, "%zu bytes where %llu choices take %zu", length, (unsigned long long)count,
                       HEAD_BYTES + (size_t)count * ITEM_BYTES + SUM_BYTES);
    if (sum_of(bytes, length - SUM_BYTES) != number_at(bytes + length - SUM_BYTES, 8))
        return sp_fail(err, SP_E_FORMAT, "the checksum at offset %zu is another", length - SUM_BYTES);
    memcpy(theirs, bytes + 16, sizeof theirs);
    if (memchr(theirs, 0, sizeof theirs) == NULL || strcmp(theirs, identity) != 0)
        return sp_fail(err, SP_E_INVALID, "it is of another device, driver or build");
    for (size_t i = 0; i < count; i++) {
        const uint8_t *item = bytes + HEAD_BYTES + i * ITEM_BYTES;
        for (int word = 0; word < SP_CUDA_LAYER_WORDS; word++)
            ret_chosen[i].layer.words[word] = (int32_t)(uint32_t)number_at(item + 4 * word, 4);
        uint64_t choice = number_at(item + 4 * SP_CUDA_LAYER_WORDS, 4);
        if (choice >= SP_CHOICE_COUNT)
            return sp_fail(err, SP_E_FORMAT, "offset %zu: there is no choice %llu",
                           HEAD_BYTES + i * ITEM_BYTES + 4 * SP_CUDA_LAYER_WORDS, (unsigned long long)choice);
        ret_chosen[i].choice = (int32_t)choice;
    }
    *ret_count = (int)count;
    return SP_OK;
}

/* The whole file into memory; SP_E_NOTFOUND where there is none. */
static enum sp_status read_all(const char *path, uint8_t **ret_bytes, size_t *ret_length, struct sp_err *err)
{
    struct stat facts;
    enum sp_status status = SP_OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return sp_fail(err, errno == ENOENT ? SP_E_NOTFOUND : SP_E_UNAVAILABLE, "%s", strerror(errno));
    if (fstat(fd, &facts) != 0 || !S_ISREG(facts.st_mode) || facts.st_size < 0 ||
        (size_t)facts.st_size > MOST_BYTES)
        status = sp_fail(err, SP_E_LIMIT, "no regular file of at most %zu bytes", (size_t)MOST_BYTES);
    size_t length = status ? 0 : (size_t)facts.st_size, got = 0;
    uint8_t *bytes = status ? NULL : malloc(length + 1);
    while (!status && bytes && got < length) {
        ssize_t now = read(fd, bytes + got, length - got);
        if (now <= 0)
            break; /* shorter than it was: the checksum sees it */
        got += (size_t)now;
    }
    if (!status && !bytes)
        status = sp_fail(err, SP_E_NOMEM, "out of memory");
    close(fd);
    *ret_bytes = bytes;
    *ret_length = got;
    return status;
}

static void read_file(struct sp_cuda_choices *choices)
{
    struct sp_err err = {0};
    uint8_t *bytes = NULL;
    size_t length = 0;
    enum sp_status status = read_all(choices->path, &bytes, &length, &err);
    if (status == SP_E_NOTFOUND)
        return;
    if (!status) {
        choices->chosen = calloc(SP_CUDA_MOST_CHOICES, sizeof *choices->chosen);
        choices->room = choices->chosen ? SP_CUDA_MOST_CHOICES : 0;
        status = choices->chosen ? sp_cuda_choices_parse(bytes, length, choices->identity, choices->chosen,
                                                         &choices->count, &err)
                                 : sp_fail(&err, SP_E_NOMEM, "out of memory");
    }
    free(bytes);
    if (status) {
        choices->count = 0;
        snprintf(choices->note, sizeof choices->note, "%.150s is ignored: %.150s", choices->path, err.text);
    }
}

enum sp_status sp_cuda_choices_new(struct sp_cuda_choices **ret_choices, const char *identity, const char *folder,
                                   struct sp_err *err)
{
    struct sp_cuda_choices *choices = calloc(1, sizeof *choices);
    if (!choices)
        return sp_fail(err, SP_E_NOMEM, "no memory for measured choices");
    pthread_mutex_init(&choices->lock, NULL);
    snprintf(choices->identity, sizeof choices->identity, "%s", identity);
    if (folder && folder[0]) {
        size_t length = strlen(choices->identity);
        int wanted = snprintf(choices->path, sizeof choices->path - 32, "%s/cuda-%016llx.choices", folder,
                              (unsigned long long)sum_of((const uint8_t *)choices->identity, length));
        if (wanted < 0 || (size_t)wanted >= sizeof choices->path - 32) {
            choices->path[0] = '\0';
            snprintf(choices->note, sizeof choices->note, "the folder's name is too long: nothing is kept");
        } else {
            read_file(choices);
        }
    }
    *ret_choices = choices;
    return SP_OK;
}

void sp_cuda_choices_free(struct sp_cuda_choices **choices)
{
    if (!*choices)
        return;
    pthread_mutex_destroy(&(*choices)->lock);
    free((*choices)->chosen);
    free(*choices);
    *choices = NULL;
}

/* With the lock held. */
static struct sp_cuda_chosen *look(const struct sp_cuda_choices *choices, const struct sp_cuda_layer *layer)
{
    for (int i = 0; i < choices->count; i++)
        if (memcmp(&choices->chosen[i].layer, layer, sizeof *layer) == 0)
            return &choices->chosen[i];
    return NULL;
}

bool sp_cuda_choices_find(struct sp_cuda_choices *choices, const struct sp_cuda_layer *layer, int *ret_choice)
{
    pthread_mutex_lock(&choices->lock);
    const struct sp_cuda_chosen *found = look(choices, layer);
    if (found)
        *ret_choice = found->choice;
    pthread_mutex_unlock(&choices->lock);
    return found != NULL;
}

void sp_cuda_choices_put(struct sp_cuda_choices *choices, const struct sp_cuda_layer *layer, int choice)
{
    pthread_mutex_lock(&choices->lock);
    struct sp_cuda_chosen *place = look(choices, layer);
    if (!place && choices->count == choices->room && choices->room < SP_CUDA_MOST_CHOICES) {
        int room = choices->room ? 2 * choices->room : 256;
        struct sp_cuda_chosen *larger = realloc(choices->chosen, (size_t)room * sizeof *larger);
        if (larger) {
            choices->chosen = larger;
            choices->room = room;
        }
    }
    if (!place && choices->count < choices->room)
        place = &choices->chosen[choices->count++];
    if (place) {
        *place = (struct sp_cuda_chosen){*layer, choice};
        choices->changed = true;
    }
    pthread_mutex_unlock(&choices->lock);
}

static size_t pack(const struct sp_cuda_choices *choices, uint8_t *bytes)
{
    size_t at = HEAD_BYTES;
    memset(bytes, 0, HEAD_BYTES);
    memcpy(bytes, magic, sizeof magic);
    put_number(bytes + 8, 4, (uint64_t)choices->count);
    put_number(bytes + 12, 4, SP_CUDA_LAYER_WORDS);
    memcpy(bytes + 16, choices->identity, strlen(choices->identity));
    for (int i = 0; i < choices->count; i++, at += ITEM_BYTES) {
        for (int word = 0; word < SP_CUDA_LAYER_WORDS; word++)
            put_number(bytes + at + 4 * word, 4, (uint32_t)choices->chosen[i].layer.words[word]);
        put_number(bytes + at + 4 * SP_CUDA_LAYER_WORDS, 4, (uint32_t)choices->chosen[i].choice);
    }
    put_number(bytes + at, 8, sum_of(bytes, at));
    return at + SUM_BYTES;
}

static bool write_all(int fd, const uint8_t *bytes, size_t length)
{
    for (size_t done = 0; done < length;) {
        ssize_t now = write(fd, bytes + done, length - done);
        if (now < 0 && errno == EINTR)
            continue;
        if (now <= 0)
            return false;
        done += (size_t)now;
    }
    return true;
}

void sp_cuda_choices_save(struct sp_cuda_choices *choices)
{
    char beside[PATH_MAX];
    pthread_mutex_lock(&choices->lock);
    uint8_t *bytes = choices->path[0] && choices->changed
                         ? malloc(HEAD_BYTES + (size_t)choices->count * ITEM_BYTES + SUM_BYTES)
                         : NULL;
    if (bytes) {
        size_t length = pack(choices, bytes);
        snprintf(beside, sizeof beside, "%.*s.%ld", (int)(sizeof beside - 24), choices->path, (long)getpid());
        int fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
        bool whole = fd >= 0 && write_all(fd, bytes, length);
        if (fd >= 0)
            whole = close(fd) == 0 && whole;
        if (!whole || rename(beside, choices->path) != 0) {
            if (!choices->refused) /* which matters more */
                snprintf(choices->note, sizeof choices->note, "%.150s cannot be written: %.100s", choices->path,
                         strerror(errno));
            if (fd >= 0)
                unlink(beside);
        } else {
            choices->changed = false;
        }
        free(bytes);
    }
    pthread_mutex_unlock(&choices->lock);
}

void sp_cuda_choices_refuse(struct sp_cuda_choices *choices, const char *step, int batch, const char *why)
{
    pthread_mutex_lock(&choices->lock);
    choices->refused++;
    snprintf(choices->note, sizeof choices->note,
             "in %d cases a kernel %.40s on this device and is not used, the last is %.100s at batch %d: "
             "please report it with the device and driver",
             choices->refused, why, step, batch);
    pthread_mutex_unlock(&choices->lock);
}

void sp_cuda_choices_note(struct sp_cuda_choices *choices, char *ret_text, size_t size)
{
    pthread_mutex_lock(&choices->lock);
    snprintf(ret_text, size, "%s", choices->note);
    pthread_mutex_unlock(&choices->lock);
}
