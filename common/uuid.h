/* UUIDv7 (RFC 9562): 48 bits of wall milliseconds, then randomness: encounter and job ids. */
#ifndef SALLYPORT_COMMON_UUID_H
#define SALLYPORT_COMMON_UUID_H

#include <stdint.h>

#define SP_UUID_BYTES 16
#define SP_UUID_TEXT  37 /* with the NUL */

void sp_uuid_new(uint8_t ret_uuid[SP_UUID_BYTES]);
void sp_uuid_format(char ret_text[SP_UUID_TEXT], const uint8_t uuid[SP_UUID_BYTES]);
/* 0 on success, -1 if text is not 8-4-4-4-12 hex digits. */
int sp_uuid_parse(uint8_t ret_uuid[SP_UUID_BYTES], const char *text);

#endif
