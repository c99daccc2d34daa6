/* `sallyport model seal`: a hand-written pack.yaml gets the hashes of the files beside it. Only its sha256 lines
 * change, so that comments stay. */
#include "ops/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/file.h"
#include "common/program.h"
#include "common/seal.h"
#include "common/yaml.h"

const char sp_model_seal_help[] =
    "Usage: sallyport model seal DIRECTORY\n"
    "Compute the SHA-256 of every net named in DIRECTORY/pack.yaml, write it into its sha256 line and check the "
    "pack.\n"
    "A program loads a pack only when the hashes match: seal it once, after checking where the files are from.\n"
    "\nExample:\n"
    "  mkdir yunet && cp deploy/packs/yunet-mobilefacenet.yaml yunet/pack.yaml\n"
    "  cp yunet_n_dynamic.onnx mobilefacenet.onnx yunet/ && sallyport model seal yunet\n"
    "\nExit codes: 0 done, 1 failed (an unreadable file, a wrong value in pack.yaml), 2 wrong usage.\n";

enum { MAX_PACK_BYTES = 256 * 1024, MAX_NET_BYTES = 512 * 1024 * 1024 };

enum sp_status sp_model_seal_hash(uint8_t ret_hash[32], const char *path, struct sp_err *err)
{
    uint8_t *bytes = NULL;
    size_t length = 0;
    enum sp_status status = sp_file_read(&bytes, &length, path, MAX_NET_BYTES, err);
    if (status == SP_OK)
        sp_seal_sha256(ret_hash, bytes, length);
    free(bytes);
    return status;
}

/* The hash in hexadecimal for the sha256 line number `line`; "" for every other line. */
static enum sp_status hash_for_line(char ret_hex[65], const struct sp_yaml *yaml, int line, const char *directory,
                                    struct sp_err *err)
{
    ret_hex[0] = '\0';
    for (size_t i = 0; i < yaml->count; i++) {
        const struct sp_yaml_entry *entry = &yaml->entries[i];
        size_t length = strlen(entry->key);
        if (entry->line != line || length < 7 || strcmp(entry->key + length - 7, ".sha256") != 0)
            continue;
        char key[256], path[1024];
        snprintf(key, sizeof key, "%.*s.file", (int)(length - 7), entry->key);
        const struct sp_yaml_entry *file = sp_yaml_find(yaml, key);
        if (!file || strchr(file->value, '/'))
            return sp_fail(err, SP_E_FORMAT, "%s line %d: %s needs %s, a plain file name", yaml->source, line,
                           entry->key, key);
        if ((size_t)snprintf(path, sizeof path, "%s/%s", directory, file->value) >= sizeof path)
            return sp_fail(err, SP_E_LIMIT, "%s: the path is too long", directory);
        uint8_t hash[32];
        enum sp_status status = sp_model_seal_hash(hash, path, err);
        if (status == SP_OK)
            sp_seal_to_hex(ret_hex, hash, sizeof hash);
        return status;
    }
    return SP_OK;
}

/* Copy one line, with the hash in place of its value. */
static enum sp_status write_line(FILE *out, const char *text, size_t length, const char *hex, const char *source,
                                 int line, struct sp_err *err)
{
    if (!hex[0]) {
        fwrite(text, 1, length, out);
        return SP_OK;
    }
    size_t indent = 0;
    while (indent < length && (text[indent] == ' ' || text[indent] == '-'))
        indent++;
    if (length - indent < 7 || memcmp(text + indent, "sha256:", 7) != 0)
        return sp_fail(err, SP_E_FORMAT, "%s line %d: give sha256 a line of its own ('sha256: unsealed')", source,
                       line);
    fprintf(out, "%.*ssha256: %s\n", (int)indent, text, hex);
    return SP_OK;
}

static enum sp_status seal_text(char **ret_text, size_t *ret_length, const char *text, const struct sp_yaml *yaml,
                                const char *directory, struct sp_err *err)
{
    char *sealed = NULL;
    size_t sealed_length = 0;
    enum sp_status status = SP_OK;
    FILE *out = open_memstream(&sealed, &sealed_length);
    if (!out)
        return sp_fail(err, SP_E_NOMEM, "%s: out of memory", yaml->source);
    int line = 1;
    for (const char *at = text; status == SP_OK && *at; line++) {
        char hex[65];
        size_t length = strcspn(at, "\n");
        length += at[length] == '\n';
        status = hash_for_line(hex, yaml, line, directory, err);
        if (status == SP_OK)
            status = write_line(out, at, length, hex, yaml->source, line, err);
        at += length;
    }
    if (fclose(out) != 0 && status == SP_OK)
        status = sp_fail(err, SP_E_NOMEM, "%s: out of memory", yaml->source);
    if (status != SP_OK) {
        free(sealed);
        return status;
    }
    *ret_text = sealed;
    *ret_length = sealed_length;
    return SP_OK;
}

static enum sp_status seal_directory(const char *directory, struct sp_err *err)
{
    char path[1024];
    if ((size_t)snprintf(path, sizeof path, "%s/pack.yaml", directory) >= sizeof path)
        return sp_fail(err, SP_E_LIMIT, "%s: the path is too long", directory);
    uint8_t *bytes = NULL;
    size_t length = 0, sealed_length = 0;
    struct sp_yaml *yaml = NULL;
    char *sealed = NULL;
    enum sp_status status = sp_file_read(&bytes, &length, path, MAX_PACK_BYTES, err);
    if (status == SP_OK)
        status = sp_yaml_parse(&yaml, path, bytes, length, err);
    if (status == SP_OK)
        status = seal_text(&sealed, &sealed_length, (const char *)bytes, yaml, directory, err);
    if (status == SP_OK)
        status = sp_file_write(path, sealed, sealed_length, 0644, err);
    free(sealed);
    free(bytes);
    sp_yaml_free(&yaml);
    return status;
}

int sp_model_seal(int argc, char **argv)
{
    struct sp_err err = {0};
    if (argc != 2 || argv[1][0] == '-')
        return sp_command_usage("model seal", "expected one DIRECTORY");
    struct sp_pack pack;
    enum sp_status status = sp_seal_start(&err);
    if (status == SP_OK)
        status = seal_directory(argv[1], &err);
    if (status == SP_OK)
        status = sp_pack_load(&pack, argv[1], &err);
    if (status != SP_OK)
        return sp_command_fail(&err);
    char fingerprint[2 * SP_PACK_FINGERPRINT_BYTES + 1];
    sp_seal_to_hex(fingerprint, pack.fingerprint, sizeof pack.fingerprint);
    printf("pack %s in %s is sealed, fingerprint %s\n", pack.name, argv[1], fingerprint);
    return SP_EXIT_OK;
}
