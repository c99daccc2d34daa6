#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/clock.h"
#include "common/file.h"
#include "listing/listing.h"
#include "ops/command.h"
#include "ops/desk.h"
#include "roster/signature.h"

static enum sp_status sign(const char *file, const char *key_path, struct sp_err *err)
{
    struct sp_key_file key = {0};
    struct sp_signature signature;
    char text[SP_SIGNATURE_TEXT_MAX], path[4096];
    uint8_t *bytes = NULL;
    size_t length = 0;
    const char *name = strrchr(file, '/') ? strrchr(file, '/') + 1 : file;
    if (snprintf(path, sizeof path, "%s" SP_SIGNATURE_SUFFIX, file) >= (int)sizeof path)
        return sp_fail(err, SP_E_INVALID, "the path is too long");
    enum sp_status status = sp_key_load(&key, key_path, SP_KEY_SIGN, true, err);
    if (status == SP_OK)
        status = sp_file_read(&bytes, &length, file, SP_LISTING_MAX_BYTES, err);
    if (status == SP_OK)
        status = sp_signature_make(&signature, &key, sp_clock_wall_ms(), name, bytes, length, err);
    if (status == SP_OK) {
        sp_signature_print(text, &signature);
        status = sp_file_write(path, text, strlen(text), 0644, err);
    }
    if (status == SP_OK)
        printf("%s signed by %s; give both files, the signature is good for 48 h\n", path, key.name);
    if (bytes)
        sp_seal_wipe(bytes, length);
    free(bytes);
    sp_key_wipe(&key);
    return status;
}

int sp_manifest_sign_run(int argc, char **argv)
{
    const char *key = NULL;
    const struct sp_flag flags[] = {{"key", "FILE", "the carrier's sign key, with secret", &key, NULL}, {0}};
    const struct sp_ops_verb verb = {"sallyport manifest sign", "Sign a file for a drop folder.",
                                     "sallyport manifest sign ZX417.edi --key zx.sign", "FILE", flags};
    struct sp_ops_line line = {0};
    struct sp_err err = {0};
    int code = SP_EXIT_OK;
    if (!sp_ops_start(&line, &verb, argc, argv, &code))
        return code;
    if (line.count != 1 || !key)
        return sp_command_usage("manifest sign", "give one file and --key");
    if (sign(line.operands[0], key, &err) != SP_OK)
        code = sp_command_fail(&err);
    return code;
}
