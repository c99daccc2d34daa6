/* UTF-8, one character at a time. */
#ifndef SALLYPORT_COMMON_UTF8_H
#define SALLYPORT_COMMON_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Length of the well-formed character (RFC 3629: no overlong forms, no surrogates, nothing over U+10FFFF) that
 * p[0..left) begins with; 0 if there is none. NUL is none: it ends texts. */
size_t sp_utf8_length(const uint8_t *p, size_t left);

#endif
