#include "common/key.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "common/file.h"

#define FILE_MAX   2048 /* a key file has some 300 bytes */
#define SECRET_MAX 64

struct kind_row {
    const char *word;
    size_t secret_bytes;
};

static const struct kind_row kinds[] = {
    [SP_KEY_CURVE] = {"curve", 32},
    [SP_KEY_BOX] = {"box", 32},
    [SP_KEY_SIGN] = {"sign", 64},
};

const char *sp_key_kind_word(enum sp_key_kind kind)
{
    return kinds[kind].word;
}

bool sp_key_name_ok(const char *text)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    size_t length = strlen(text);
    return length >= 1 && length < SP_NAME_MAX && strspn(text, allowed) == length && text[0] != '.' &&
           text[0] != '-';
}

bool sp_key_public_ok(enum sp_key_kind kind, const uint8_t public_key[32])
{
    /* X25519 with any scalar gives zero on a point of small order; libsodium says so. */
    static const uint8_t scalar[32] = {8};
    uint8_t shared[32];
    if (kind == SP_KEY_SIGN)
        return crypto_core_ed25519_is_valid_point(public_key) == 1;
    return crypto_scalarmult(shared, scalar, public_key) == 0;
}

void sp_key_generate(struct sp_key_file *ret_key, enum sp_key_kind kind, const char *name)
{
    memset(ret_key, 0, sizeof *ret_key);
    ret_key->kind = kind;
    ret_key->has_secret = true;
    snprintf(ret_key->name, sizeof ret_key->name, "%s", name);
    if (kind == SP_KEY_SIGN)
        crypto_sign_keypair(ret_key->public_key, ret_key->secret);
    else
        crypto_box_keypair(ret_key->public_key, ret_key->secret); /* what zmq_curve_keypair does, too */
}

void sp_key_wipe(struct sp_key_file *key)
{
    sodium_memzero(key, sizeof *key);
}

/* ---- reading ---- */

enum field { FIELD_VERSION, FIELD_KIND, FIELD_NAME, FIELD_PUBLIC, FIELD_SECRET, FIELD_COUNT };
static const char *const field_words[FIELD_COUNT] = {"sallyport_key", "kind", "name", "public", "secret"};

/* Views into the file's text, NULL where a field is absent. */
struct fields {
    char *text[FIELD_COUNT];
};

/* Cut one line "word: value # comment" in place. An empty line is no field. */
static enum sp_status take_line(struct fields *fields, char *line, int number, const char *source,
                                struct sp_err *err)
{
    line += strspn(line, " \t\r");
    if (*line == 0 || *line == '#')
        return SP_OK;
    char *colon = strchr(line, ':');
    if (!colon || (colon[1] != ' ' && colon[1] != 0))
        return sp_fail(err, SP_E_FORMAT, "%s line %d: not of the form \"word: value\"", source, number);
    *colon = 0;
    char *value = colon + 1 + strspn(colon + 1, " ");
    char *comment = strstr(value, " #");
    if (comment)
        *comment = 0;
    for (size_t length = strlen(value); length > 0 && strchr(" \t\r", value[length - 1]); length--)
        value[length - 1] = 0;
    for (int i = 0; i < FIELD_COUNT; i++) {
        if (strcmp(line, field_words[i]) != 0)
            continue;
        if (fields->text[i])
            return sp_fail(err, SP_E_FORMAT, "%s line %d: \"%s\" stands twice", source, number, field_words[i]);
        fields->text[i] = value;
        return SP_OK;
    }
    /* Not the word itself: a secret pasted into the wrong place must not come out in a log. */
    return sp_fail(err, SP_E_FORMAT,
                   "%s line %d: unknown word; a key file has sallyport_key, kind, name, public, secret", source,
                   number);
}

static enum sp_status take_lines(struct fields *fields, char *text, const char *source, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    int number = 0;
    for (char *line = text; line && status == SP_OK;) {
        char *next = strchr(line, '\n');
        if (next)
            *next++ = 0;
        status = take_line(fields, line, ++number, source, err);
        line = next;
    }
    for (int i = 0; i <= FIELD_PUBLIC && status == SP_OK; i++)
        if (!fields->text[i])
            status =
                sp_fail(err, SP_E_FORMAT, "%s: \"%s\" is missing: this is no key file", source, field_words[i]);
    if (status == SP_OK && strcmp(fields->text[FIELD_VERSION], "1") != 0)
        status = sp_fail(err, SP_E_VERSION, "%s: key file version %.8s, only 1 is known here", source,
                         fields->text[FIELD_VERSION]);
    return status;
}

/* "box-secret" -> kind and whether there is a secret. */
static bool kind_of(const char *word, enum sp_key_kind *ret_kind, bool *ret_secret)
{
    for (int kind = SP_KEY_CURVE; kind <= SP_KEY_SIGN; kind++) {
        size_t length = strlen(kinds[kind].word);
        if (strncmp(word, kinds[kind].word, length) != 0)
            continue;
        *ret_kind = (enum sp_key_kind)kind;
        *ret_secret = strcmp(word + length, "-secret") == 0;
        return *ret_secret || strcmp(word + length, "-public") == 0;
    }
    return false;
}

/* The public key must be the secret one's. */
static bool belong_together(const struct sp_key_file *key)
{
    uint8_t derived[32], seed[32], secret[SECRET_MAX];
    if (key->kind != SP_KEY_SIGN)
        return crypto_scalarmult_base(derived, key->secret) == 0 &&
               sodium_memcmp(derived, key->public_key, 32) == 0;
    crypto_sign_ed25519_sk_to_seed(seed, key->secret);
    crypto_sign_seed_keypair(derived, secret, seed);
    bool same =
        sodium_memcmp(secret, key->secret, sizeof secret) == 0 && sodium_memcmp(derived, key->public_key, 32) == 0;
    sodium_memzero(seed, sizeof seed);
    sodium_memzero(secret, sizeof secret);
    return same;
}

static enum sp_status fill_key(struct sp_key_file *key, const struct fields *fields, const char *source,
                               struct sp_err *err)
{
    if (!kind_of(fields->text[FIELD_KIND], &key->kind, &key->has_secret))
        return sp_fail(err, SP_E_FORMAT, "%s: kind is none of curve-, box-, sign- followed by public or secret",
                       source);
    if (!sp_key_name_ok(fields->text[FIELD_NAME]))
        return sp_fail(err, SP_E_FORMAT, "%s: name is not 1 to %d characters of A-Z a-z 0-9 . _ -", source,
                       SP_NAME_MAX - 1);
    strcpy(key->name, fields->text[FIELD_NAME]);
    if (sp_seal_from_hex(key->public_key, 32, fields->text[FIELD_PUBLIC], err) != SP_OK)
        return sp_fail(err, SP_E_FORMAT, "%s: public is not 64 hex digits", source);
    if (!sp_key_public_ok(key->kind, key->public_key))
        return sp_fail(err, SP_E_FORMAT, "%s: public is no usable %s key", source, kinds[key->kind].word);
    if (key->has_secret != (fields->text[FIELD_SECRET] != NULL))
        return sp_fail(err, SP_E_FORMAT, "%s: kind says %s, but a secret is %s", source, fields->text[FIELD_KIND],
                       key->has_secret ? "missing" : "there: it is exposed, make a new key");
    if (!key->has_secret)
        return SP_OK;
    if (sp_seal_from_hex(key->secret, kinds[key->kind].secret_bytes, fields->text[FIELD_SECRET], NULL) != SP_OK)
        return sp_fail(err, SP_E_FORMAT, "%s: secret is not %zu hex digits", source,
                       2 * kinds[key->kind].secret_bytes);
    if (!belong_together(key))
        return sp_fail(err, SP_E_FORMAT, "%s: public and secret do not belong together", source);
    return SP_OK;
}

enum sp_status sp_key_parse(struct sp_key_file *ret_key, const char *source, const void *bytes, size_t length,
                            struct sp_err *err)
{
    char text[FILE_MAX + 1];
    struct fields fields = {0};
    struct sp_key_file key = {0};
    if (length > FILE_MAX)
        return sp_fail(err, SP_E_LIMIT, "%s: %zu bytes are too many for a key file", source, length);
    if (memchr(bytes, 0, length))
        return sp_fail(err, SP_E_FORMAT, "%s: a NUL byte: this is no key file", source);
    memcpy(text, bytes, length);
    text[length] = 0;
    enum sp_status status = take_lines(&fields, text, source, err);
    if (status == SP_OK)
        status = fill_key(&key, &fields, source, err);
    if (status == SP_OK)
        *ret_key = key;
    sodium_memzero(text, sizeof text);
    sp_key_wipe(&key);
    return status;
}

/* The whole file, and its mode as it was when the bytes were read. */
static enum sp_status read_file(uint8_t bytes[FILE_MAX + 1], size_t *ret_length, mode_t *ret_mode, const char *path,
                                struct sp_err *err)
{
    struct stat about;
    size_t length = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT
                   ? sp_fail(err, SP_E_NOTFOUND, "%s: no such key file; \"sallyport keys --help\" makes them", path)
                   : sp_fail_errno(err, "%s: cannot open", path);
    enum sp_status status = fstat(fd, &about) < 0 ? sp_fail_errno(err, "%s: cannot stat", path) : SP_OK;
    if (status == SP_OK && !S_ISREG(about.st_mode))
        status = sp_fail(err, SP_E_INVALID, "%s: not a regular file", path);
    while (status == SP_OK && length <= FILE_MAX) {
        ssize_t got = read(fd, bytes + length, FILE_MAX + 1 - length);
        if (got < 0 && errno != EINTR)
            status = sp_fail_errno(err, "%s: cannot read", path);
        if (got == 0)
            break;
        length += got > 0 ? (size_t)got : 0;
    }
    close(fd);
    *ret_length = length;
    *ret_mode = about.st_mode;
    return status;
}

enum sp_status sp_key_load(struct sp_key_file *ret_key, const char *path, enum sp_key_kind kind, bool need_secret,
                           struct sp_err *err)
{
    uint8_t bytes[FILE_MAX + 1];
    struct sp_key_file key = {0};
    size_t length = 0;
    mode_t mode = 0;
    enum sp_status status = read_file(bytes, &length, &mode, path, err);
    if (status == SP_OK)
        status = sp_key_parse(&key, path, bytes, length, err);
    if (status != SP_OK)
        goto fail;
    if (key.has_secret && (mode & (S_IRWXG | S_IRWXO))) {
        status = sp_fail(err, SP_E_DENIED,
                         "%s: a secret key that others may read (mode %03o): chmod 600 it, or make a "
                         "new one if others had the chance",
                         path, (unsigned)mode & 0777);
        goto fail;
    }
    if (key.kind != kind) {
        status = sp_fail(err, SP_E_INVALID, "%s: a %s key where a %s key is needed", path, kinds[key.kind].word,
                         kinds[kind].word);
        goto fail;
    }
    if (need_secret && !key.has_secret) {
        status = sp_fail(err, SP_E_INVALID, "%s: only the public half, the secret key file is needed here", path);
        goto fail;
    }
    if (!need_secret) {
        sodium_memzero(key.secret, sizeof key.secret);
        key.has_secret = false;
    }
    *ret_key = key;
fail:
    sodium_memzero(bytes, sizeof bytes);
    sp_key_wipe(&key);
    return status;
}

/* ---- writing ---- */

enum sp_status sp_key_save(const struct sp_key_file *key, const char *path, bool with_secret, struct sp_err *err)
{
    char text[FILE_MAX], public_hex[2 * 32 + 1], secret_hex[2 * SECRET_MAX + 1];
    if (!sp_key_name_ok(key->name))
        return sp_fail(err, SP_E_INVALID, "%s: \"%s\" is no key name: 1 to %d characters of A-Z a-z 0-9 . _ -",
                       path, key->name, SP_NAME_MAX - 1);
    if (with_secret && !key->has_secret)
        return sp_fail(err, SP_E_INVALID, "%s: the secret half of \"%s\" is not known here", path, key->name);
    sp_seal_to_hex(public_hex, key->public_key, 32);
    int used = snprintf(text, sizeof text, "sallyport_key: 1\nkind: %s-%s\nname: %s\npublic: %s\n",
                        kinds[key->kind].word, with_secret ? "secret" : "public", key->name, public_hex);
    if (with_secret) {
        sp_seal_to_hex(secret_hex, key->secret, kinds[key->kind].secret_bytes);
        used += snprintf(text + used, sizeof text - (size_t)used, "secret: %s\n", secret_hex);
        sodium_memzero(secret_hex, sizeof secret_hex);
    }
    enum sp_status status = sp_file_write(path, text, (size_t)used, with_secret ? 0600 : 0644, err);
    sodium_memzero(text, sizeof text);
    return status;
}
