/* Key files, certificates and peer files from memory. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/curve.h"
#include "common/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t authority[32] = {0x03, 0xa1, 0x07, 0xbf, 0xf3, 0xce, 0x10, 0xbe, 0x1d, 0x70, 0xdd,
                                          0x18, 0xe7, 0x4b, 0xc0, 0x99, 0x67, 0xe4, 0xd6, 0x30, 0x9b, 0xa5,
                                          0x0d, 0x5f, 0x1d, 0xdc, 0x86, 0x64, 0x12, 0x55, 0x31, 0xb8};
    struct sp_key_file key;
    struct sp_peer peer;
    struct sp_cert cert;
    struct sp_err err = {0};
    static bool started;
    if (!started)
        started = sp_seal_start(NULL) == SP_OK;
    if (sp_key_parse(&key, "fuzz", data, size, &err) == SP_OK) {
        if (!sp_key_name_ok(key.name) || !sp_key_public_ok(key.kind, key.public_key))
            abort();
    } else if (!strstr(err.text, "fuzz")) {
        abort();
    }
    if (sp_peer_parse(&peer, "fuzz", data, size, NULL) == SP_OK)
        if (!sp_key_name_ok(peer.name) || peer.role == SP_ROLE_NONE || peer.lane_count > SP_PEER_MAX_LANES)
            abort();
    sp_cert_verify(&cert, data, size, "worker", authority, 0, NULL);
    return 0;
}
