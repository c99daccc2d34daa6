#include "ops/npy.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/file.h"

enum { MAX_BYTES = 1024 * 1024 * 1024, MAX_HEADER = 4096, PREAMBLE = 10, ALIGNMENT = 64 };

/* The header is the text of a Python dict; this reads exactly what NumPy writes, whatever the order of its keys. */
struct header {
    const char *name; /* for messages */
    const char *at, *end;
    bool descr, order, shape; /* seen */
    struct sp_npy *npy;
    struct sp_err *err;
};

static enum sp_status malformed(const struct header *h, const char *what)
{
    return sp_fail(h->err, SP_E_FORMAT, "%s: not a NumPy header: %s", h->name, what);
}

static void skip_spaces(struct header *h)
{
    while (h->at < h->end && (*h->at == ' ' || *h->at == '\n'))
        h->at++;
}

/* Take `text` if it comes next, spaces before it aside. */
static bool accept(struct header *h, const char *text)
{
    size_t length = strlen(text);
    skip_spaces(h);
    if ((size_t)(h->end - h->at) < length || memcmp(h->at, text, length) != 0)
        return false;
    h->at += length;
    return true;
}

static enum sp_status read_shape(struct header *h)
{
    struct sp_npy *npy = h->npy;
    if (!accept(h, "("))
        return malformed(h, "shape is no tuple");
    while (!accept(h, ")")) {
        int64_t size = 0;
        int digits = 0;
        for (; h->at < h->end && *h->at >= '0' && *h->at <= '9'; h->at++, digits++)
            if (__builtin_mul_overflow(size, 10, &size) || __builtin_add_overflow(size, *h->at - '0', &size))
                return malformed(h, "a dimension is too large");
        if (digits == 0)
            return malformed(h, "a dimension is no number");
        if (npy->rank == SP_NPY_MAX_RANK)
            return sp_fail(h->err, SP_E_LIMIT, "%s: more than %d dimensions", h->name, SP_NPY_MAX_RANK);
        npy->dims[npy->rank++] = size;
        if (!accept(h, ",") && (h->at == h->end || *h->at != ')'))
            return malformed(h, "a comma is missing in shape");
    }
    return SP_OK;
}

static enum sp_status read_member(struct header *h)
{
    if (accept(h, "'descr'")) {
        if (h->descr || !accept(h, ":"))
            return malformed(h, "descr is misplaced");
        h->descr = true;
        return accept(h, "'<f4'")
                   ? SP_OK
                   : sp_fail(h->err, SP_E_UNSUPPORTED,
                             "%s: not little-endian float32; save it with array.astype('<f4')", h->name);
    }
    if (accept(h, "'fortran_order'")) {
        if (h->order || !accept(h, ":"))
            return malformed(h, "fortran_order is misplaced");
        h->order = true;
        return accept(h, "False") ? SP_OK
                                  : sp_fail(h->err, SP_E_UNSUPPORTED,
                                            "%s: not in C order; save it with numpy.ascontiguousarray", h->name);
    }
    if (accept(h, "'shape'")) {
        if (h->shape || !accept(h, ":"))
            return malformed(h, "shape is misplaced");
        h->shape = true;
        return read_shape(h);
    }
    return malformed(h, "an unknown key");
}

static enum sp_status read_header(struct header *h)
{
    if (!accept(h, "{"))
        return malformed(h, "no '{'");
    while (!accept(h, "}")) {
        enum sp_status status = read_member(h);
        if (status != SP_OK)
            return status;
        if (!accept(h, ",") && (h->at == h->end || *h->at != '}'))
            return malformed(h, "a comma is missing");
    }
    skip_spaces(h);
    if (h->at != h->end)
        return malformed(h, "text after '}'");
    if (!h->descr || !h->order || !h->shape)
        return malformed(h, "descr, fortran_order or shape is missing");
    return SP_OK;
}

/* Where the header's text lies. */
static enum sp_status find_header(size_t *ret_start, size_t *ret_length, const char *name, const uint8_t *bytes,
                                  size_t length, struct sp_err *err)
{
    if (length < PREAMBLE || memcmp(bytes, "\x93NUMPY", 6) != 0)
        return sp_fail(err, SP_E_FORMAT, "%s: not a NumPy file", name);
    bool wide = bytes[6] == 2; /* version 2 has a length of four bytes */
    if ((bytes[6] != 1 && bytes[6] != 2) || bytes[7] != 0)
        return sp_fail(err, SP_E_UNSUPPORTED, "%s: NumPy format %u.%u, 1.0 and 2.0 are read here", name, bytes[6],
                       bytes[7]);
    size_t start = wide ? PREAMBLE + 2 : PREAMBLE;
    if (length < start)
        return sp_fail(err, SP_E_FORMAT, "%s: ends in its header", name);
    size_t size = (size_t)bytes[8] | (size_t)bytes[9] << 8;
    if (wide)
        size |= (size_t)bytes[10] << 16 | (size_t)bytes[11] << 24;
    if (size > MAX_HEADER)
        return sp_fail(err, SP_E_LIMIT, "%s: a header of %zu bytes, more than %d", name, size, MAX_HEADER);
    if (size > length - start)
        return sp_fail(err, SP_E_FORMAT, "%s: ends in its header", name);
    *ret_start = start;
    *ret_length = size;
    return SP_OK;
}

enum sp_status sp_npy_parse(struct sp_npy *ret_npy, const char *name, const uint8_t *bytes, size_t length,
                            struct sp_err *err)
{
    size_t start = 0, size = 0;
    enum sp_status status = find_header(&start, &size, name, bytes, length, err);
    if (status != SP_OK)
        return status;
    struct sp_npy npy = {0};
    const char *text = (const char *)bytes + start;
    struct header header = {.name = name, .at = text, .end = text + size, .npy = &npy, .err = err};
    status = read_header(&header);
    if (status != SP_OK)
        return status;
    size_t data = length - start - size;
    npy.count = 1;
    for (int i = 0; i < npy.rank; i++)
        if (__builtin_mul_overflow(npy.count, (size_t)npy.dims[i], &npy.count))
            return sp_fail(err, SP_E_FORMAT, "%s: an impossible shape", name);
    if (npy.count != data / sizeof(float) || data % sizeof(float) != 0)
        return sp_fail(err, SP_E_FORMAT, "%s: its shape needs %zu values, it holds %zu bytes", name, npy.count,
                       data);
    npy.values = malloc(data ? data : 1);
    if (!npy.values)
        return sp_fail(err, SP_E_NOMEM, "%s: out of memory", name);
    memcpy(npy.values, bytes + start + size, data);
    *ret_npy = npy;
    return SP_OK;
}

enum sp_status sp_npy_load(struct sp_npy *ret_npy, const char *path, struct sp_err *err)
{
    uint8_t *bytes = NULL;
    size_t length = 0;
    enum sp_status status = sp_file_read(&bytes, &length, path, MAX_BYTES, err);
    if (status == SP_OK)
        status = sp_npy_parse(ret_npy, path, bytes, length, err);
    free(bytes);
    return status;
}

enum sp_status sp_npy_save(const char *path, int rank, const int64_t *dims, const float *values, struct sp_err *err)
{
    char shape[SP_NPY_MAX_RANK * 24], header[512];
    size_t used = 0, count = 1;
    if (rank < 0 || rank > SP_NPY_MAX_RANK)
        return sp_fail(err, SP_E_INVALID, "%s: rank %d is not possible", path, rank);
    shape[0] = '\0';
    for (int i = 0; i < rank; i++) {
        used += (size_t)snprintf(shape + used, sizeof shape - used, "%" PRId64 ", ", dims[i]);
        count *= (size_t)dims[i];
    }
    /* The text is filled with spaces so that the data starts at a multiple of 64, and ends in a newline. */
    int text = snprintf(header, sizeof header, "{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }", shape);
    size_t start = ((size_t)PREAMBLE + (size_t)text + 1 + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    uint8_t *bytes = malloc(start + count * sizeof *values);
    if (!bytes)
        return sp_fail(err, SP_E_NOMEM, "%s: out of memory", path);
    memset(bytes, ' ', start);
    memcpy(bytes, "\x93NUMPY\x01\x00", 8);
    bytes[8] = (uint8_t)((start - PREAMBLE) & 0xff);
    bytes[9] = (uint8_t)((start - PREAMBLE) >> 8);
    memcpy(bytes + PREAMBLE, header, (size_t)text);
    bytes[start - 1] = '\n';
    memcpy(bytes + start, values, count * sizeof *values);
    enum sp_status status = sp_file_write(path, bytes, start + count * sizeof *values, 0644, err);
    free(bytes);
    return status;
}

void sp_npy_clear(struct sp_npy *npy)
{
    free(npy->values);
    *npy = (struct sp_npy){0};
}
