/* The messages' codec against docs/protocol.md: sections 3 and 8 are read here, and the code must agree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/file.h"
#include "common/message.h"
#include "common/wire.h"

static char *document; /* docs/protocol.md */

/* The text of "## NUMBER. ..." up to the next "## ". Caller frees. */
static char *section(int number)
{
    char mark[16];
    snprintf(mark, sizeof mark, "\n## %d. ", number);
    char *begin = strstr(document, mark);
    assert_non_null(begin);
    char *end = strstr(begin + 4, "\n## ");
    return end ? strndup(begin, (size_t)(end - begin)) : strdup(begin);
}

/* ---- a full header of every type, every field different from zero ---- */

static const int types[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 20, 21, 22, 23, 24, 25, 26};
enum { TYPES = sizeof types / sizeof types[0] };

static void full_header(struct sp_header *header, int type)
{
    static const uint8_t cert[] = "a certificate";
    *header = (struct sp_header){
        .version = 1,
        .type = (enum sp_message_type)type,
        .agent = "agent",
        .lane_count = 2,
        .lanes = {"A1", "B-2.x"},
        .broker = "b",
        .terminal = "T1",
        .window = 2,
        .max_age_ms = 10000,
        .heartbeat_ms = 1000,
        .max_payload = 8 << 20,
        .lease_ms = 3000,
        .cert = cert,
        .cert_length = sizeof cert,
        .credit = 5,
        .backend = "cpu",
        .lane = "A1",
        .seq = type == SP_MSG_ENROL || type == SP_MSG_REVIEW || type == SP_MSG_WANT ? 1 : UINT32_MAX,
        .job_class = type == SP_MSG_WANT || type == SP_MSG_REVIEW ? 4 : 3,
        .budget_ms = 1500,
        .at_ms = UINT64_MAX,
        .last = true,
        .reason = SP_REASON_LEFT,
        .answer = SP_ANSWER_ERROR,
        .text = "a sentence",
        .job = 0x123456789abcdef0,
        .attempt = 2,
        .kind = SP_MSG_ENROL,
        .has_pack = true,
        .what = SP_ASK_WORKERS,
        .after = "A1/capture-1",
        .more = true,
        .told_count = 2,
        .told = {{.name = "worker-1", .backend = "cpu", .credit = 8, .quiet_ms = 12},
                 {.name = "worker-2", .backend = "", .quiet_ms = UINT64_MAX}}};
    memset(header->sender, 1, sizeof header->sender);
    memset(header->session, 2, sizeof header->session);
    memset(header->encounter, 3, sizeof header->encounter);
    memset(header->fleet_id, 4, sizeof header->fleet_id);
    memset(header->wrapped_key, 5, sizeof header->wrapped_key);
    memset(header->pack, 6, sizeof header->pack);
    memset(header->told[1].pack, 7, sizeof header->told[1].pack);
}

static size_t encode(uint8_t *bytes, const struct sp_header *header)
{
    struct sp_err err = {0};
    size_t length = 0;
    if (sp_message_encode(bytes, &length, header, &err) != SP_OK)
        fail_msg("message %d: %s", (int)header->type, err.text);
    return length;
}

/* ---- the table of section 3 ---- */

struct row {
    char fields[800];
};
static struct row rows[32]; /* by message number */

static void read_table(void)
{
    char *text = section(3), *rest = text;
    for (char *line; (line = strsep(&rest, "\n"));) {
        int number, skip = 0;
        if (sscanf(line, "| %d | %*s |%n", &number, &skip) < 1 || skip == 0)
            continue;
        char *fields = strchr(line + skip, '|');
        assert_non_null(fields);
        assert_in_range(number, 1, 31);
        snprintf(rows[number].fields, sizeof rows[number].fields, "%s", fields + 1);
        char *bar = strrchr(rows[number].fields, '|');
        *bar = '\0';
    }
    free(text);
}

struct documented {
    int count;
    struct {
        char name[32], type[16];
        bool optional;
    } fields[24];
};

static int find_field(const struct documented *list, const char *name)
{
    for (int i = 0; i < list->count; i++)
        if (strcmp(list->fields[i].name, name) == 0)
            return i;
    return -1;
}

static void remove_field(struct documented *list, const char *name)
{
    int at = find_field(list, name);
    assert_true(at >= 0);
    list->fields[at] = list->fields[--list->count];
}

/* "as FRAME without last and lane; enc = ..., reason u (40...43)" or "agent text<=63, lanes [text]<=64". */
static void read_fields(struct documented *ret, int number)
{
    char text[800];
    snprintf(text, sizeof text, "%s", rows[number].fields);
    for (char *open; (open = strchr(text, '(')) && strchr(open, ')');) /* remarks */
        memmove(open, strchr(open, ')') + 1, strlen(strchr(open, ')') + 1) + 1);
    ret->count = 0;
    char *at = text + strspn(text, " ");
    if (strncmp(at, "as ", 3) == 0) {
        char *more = strchr(at, ';');
        read_fields(ret, strncmp(at + 3, "FRAME", 5) == 0 ? SP_MSG_FRAME : SP_MSG_ENROL);
        if (strstr(at, "without last"))
            remove_field(ret, "last");
        if (strstr(at, "and lane"))
            remove_field(ret, "lane");
        at = more ? more + 1 : text + strlen(text);
    }
    for (char *item; (item = strsep(&at, ",;"));) {
        char name[32], type[32];
        if (strchr(item, '=') || sscanf(item, " %31s %31s", name, type) != 2 || (type[0] >= '0' && type[0] <= '9'))
            continue; /* "seq = 1", "class 3 or 4": values of fields named before */
        assert_true(ret->count < 24);
        size_t length = strlen(type);
        ret->fields[ret->count].optional = type[length - 1] == '?';
        snprintf(ret->fields[ret->count].name, 32, "%s", name);
        snprintf(ret->fields[ret->count].type, 16, "%.15s", type);
        ret->count++;
    }
}

/* Copy one value of a header's map (all kinds a header has). */
static void copy_value(struct sp_wire_writer *writer, const sp_wire_value *value)
{
    uint64_t number;
    char text[200];
    const uint8_t *bytes;
    size_t length;
    if (sp_wire_is_array(value)) {
        sp_wire_put_array(writer, sp_wire_count(value));
        for (int i = 0; i < sp_wire_count(value); i++)
            copy_value(writer, sp_wire_at(value, i));
    } else if (sp_wire_as_uint(value, UINT64_MAX, &number)) {
        sp_wire_put_uint(writer, number);
    } else if (sp_wire_as_text(value, text, sizeof text)) {
        sp_wire_put_text(writer, text);
    } else if (sp_wire_as_view(value, &bytes, &length)) {
        sp_wire_put_bytes(writer, bytes, length);
    } else {
        sp_wire_put_bool(writer, true); /* the only kind left */
    }
}

enum change { LEAVE_OUT, WRONG_TYPE, ADD_UNKNOWN };

/* Decode the message with one field left out or of a wrong type. */
static enum sp_status decode_changed(const uint8_t *bytes, size_t length, const struct documented *list,
                                     int changed, enum change change, struct sp_err *err)
{
    struct sp_wire_doc *doc = NULL;
    struct sp_wire_writer *writer = NULL;
    struct sp_header header;
    const uint8_t *made;
    assert_int_equal(sp_wire_parse(&doc, bytes, length, &sp_wire_header_limits, err), SP_OK);
    const sp_wire_value *map = sp_wire_root(doc);
    assert_int_equal(sp_wire_writer_new(&writer, SP_HEADER_MAX_BYTES, err), SP_OK);
    sp_wire_put_map(writer, 2 + list->count + (change == ADD_UNKNOWN) - (change == LEAVE_OUT));
    sp_wire_put_text(writer, "v");
    copy_value(writer, sp_wire_find(map, "v"));
    sp_wire_put_text(writer, "t");
    copy_value(writer, sp_wire_find(map, "t"));
    for (int i = 0; i < list->count; i++) {
        if (i == changed && change == LEAVE_OUT)
            continue;
        sp_wire_put_text(writer, list->fields[i].name);
        if (i == changed && change == WRONG_TYPE)
            sp_wire_put_double(writer, 1.5);
        else
            copy_value(writer, sp_wire_find(map, list->fields[i].name));
    }
    if (change == ADD_UNKNOWN) {
        sp_wire_put_text(writer, "since_1_7");
        sp_wire_put_nil(writer);
    }
    assert_int_equal(sp_wire_finish(writer, &made, &length, err), SP_OK);
    enum sp_status status = sp_message_decode(&header, made, length, err);
    sp_wire_writer_free(&writer);
    sp_wire_free(&doc);
    return status;
}

/* The code writes exactly the documented fields; without a required one, or with a wrong type, it reads nothing. */
static void test_section_3(void **state)
{
    (void)state;
    uint8_t bytes[SP_HEADER_MAX_BYTES];
    for (int i = 0; i < TYPES; i++) {
        struct documented list;
        struct sp_header header;
        struct sp_wire_doc *doc = NULL;
        struct sp_err err = {0};
        assert_true(rows[types[i]].fields[0] != '\0');
        read_fields(&list, types[i]);
        full_header(&header, types[i]);
        size_t length = encode(bytes, &header);
        assert_int_equal(sp_wire_parse(&doc, bytes, length, &sp_wire_header_limits, &err), SP_OK);
        if (sp_wire_count(sp_wire_root(doc)) != list.count + 2)
            fail_msg("message %d has %d fields, docs/protocol.md has %d", types[i],
                     sp_wire_count(sp_wire_root(doc)) - 2, list.count);
        for (int k = 0; k < list.count; k++)
            if (!sp_wire_find(sp_wire_root(doc), list.fields[k].name))
                fail_msg("message %d has no field %s", types[i], list.fields[k].name);
        sp_wire_free(&doc);
        assert_int_equal(decode_changed(bytes, length, &list, -1, ADD_UNKNOWN, &err), SP_OK);
        for (int k = 0; k < list.count; k++) {
            enum sp_status status = decode_changed(bytes, length, &list, k, LEAVE_OUT, &err);
            if (status != (list.fields[k].optional ? SP_OK : SP_E_FORMAT))
                fail_msg("message %d without %s: status %d", types[i], list.fields[k].name, (int)status);
            if (!list.fields[k].optional)
                assert_non_null(strstr(err.text, list.fields[k].name));
            status = decode_changed(bytes, length, &list, k, WRONG_TYPE, &err);
            if (status != SP_E_FORMAT || !strstr(err.text, list.fields[k].name))
                fail_msg("message %d with a wrong %s: %s", types[i], list.fields[k].name, err.text);
        }
    }
    for (int number = 0; number < 32; number++) { /* and no message that is not documented */
        struct sp_header header = {.type = (enum sp_message_type)number};
        size_t length;
        if (rows[number].fields[0] == '\0')
            assert_int_equal(sp_message_encode(bytes, &length, &header, NULL), SP_E_UNSUPPORTED);
    }
}

/* The widths of binary fields are the documented ones. */
static void test_widths(void **state)
{
    (void)state;
    struct documented list;
    uint8_t bytes[SP_HEADER_MAX_BYTES];
    struct sp_header header;
    full_header(&header, SP_MSG_FRAME);
    size_t length = encode(bytes, &header), size;
    struct sp_wire_doc *doc = NULL;
    const uint8_t *view;
    int checked = 0;
    assert_int_equal(sp_wire_parse(&doc, bytes, length, &sp_wire_header_limits, NULL), SP_OK);
    read_fields(&list, SP_MSG_FRAME);
    for (int i = 0; i < list.count; i++) {
        int width;
        if (sscanf(list.fields[i].type, "b%d", &width) != 1)
            continue;
        assert_true(sp_wire_as_view(sp_wire_find(sp_wire_root(doc), list.fields[i].name), &view, &size));
        assert_int_equal(size, width);
        checked++;
    }
    assert_int_equal(checked, 5); /* sender, session, enc, kid, key */
    sp_wire_free(&doc);
}

static void test_round_trip(void **state)
{
    (void)state;
    uint8_t bytes[SP_HEADER_MAX_BYTES], again[SP_HEADER_MAX_BYTES];
    for (int i = 0; i < TYPES; i++) {
        struct sp_header header, read;
        struct sp_err err = {0};
        full_header(&header, types[i]);
        size_t length = encode(bytes, &header);
        assert_int_equal(sp_message_decode(&read, bytes, length, &err), SP_OK);
        assert_int_equal(read.type, types[i]);
        assert_int_equal(read.version, 1);
        assert_int_equal(encode(again, &read), length);
        assert_memory_equal(bytes, again, length);
        for (size_t cut = 0; cut < length; cut++) /* every shorter one is refused */
            assert_int_not_equal(sp_message_decode(&read, bytes, cut, &err), SP_OK);
    }
    struct sp_header frame, read;
    full_header(&frame, SP_MSG_FRAME);
    size_t length = encode(bytes, &frame);
    assert_int_equal(sp_message_decode(&read, bytes, length, NULL), SP_OK);
    assert_memory_equal(read.sender, frame.sender, 32);
    assert_memory_equal(read.session, frame.session, 16);
    assert_memory_equal(read.encounter, frame.encounter, 16);
    assert_memory_equal(read.fleet_id, frame.fleet_id, 8);
    assert_memory_equal(read.wrapped_key, frame.wrapped_key, 80);
    assert_int_equal(read.seq, UINT32_MAX);
    assert_true(read.at_ms == UINT64_MAX && read.last && read.job_class == 3 && read.budget_ms == 1500);
    assert_string_equal(read.lane, "A1");
    full_header(&frame, SP_MSG_HELLO);
    length = encode(bytes, &frame);
    assert_int_equal(sp_message_decode(&read, bytes, length, NULL), SP_OK);
    assert_int_equal(read.lane_count, 2);
    assert_string_equal(read.lanes[1], "B-2.x");
}

/* Optional fields that are not there. */
static void test_left_out(void **state)
{
    (void)state;
    uint8_t bytes[SP_HEADER_MAX_BYTES];
    struct sp_header header = {.type = SP_MSG_BEAT, .credit = SP_CREDIT_NONE}, read;
    assert_int_equal(encode(bytes, &header), 7);
    assert_int_equal(sp_message_decode(&read, bytes, 7, NULL), SP_OK);
    assert_true(read.credit == SP_CREDIT_NONE);
    header.credit = 0; /* nothing, said aloud */
    size_t length = encode(bytes, &header);
    assert_int_equal(sp_message_decode(&read, bytes, length, NULL), SP_OK);
    assert_true(read.credit == 0);
    header = (struct sp_header){.type = SP_MSG_REFUSED, .reason = SP_REASON_REVOKED};
    length = encode(bytes, &header);
    assert_int_equal(sp_message_decode(&read, bytes, length, NULL), SP_OK);
    assert_int_equal(read.seq, 0);
    assert_string_equal(read.text, "");
    full_header(&header, SP_MSG_FRAME);
    header.last = false;
    length = encode(bytes, &header);
    assert_int_equal(sp_message_decode(&read, bytes, length, NULL), SP_OK);
    assert_false(read.last);
    full_header(&header, SP_MSG_ENROL);
    length = encode(bytes, &header);
    assert_int_equal(sp_message_decode(&read, bytes, length, NULL), SP_OK);
    assert_true(read.has_pack);
    assert_memory_equal(read.pack, header.pack, sizeof read.pack);
    header.has_pack = false;
    length = encode(bytes, &header);
    assert_int_equal(sp_message_decode(&read, bytes, length, NULL), SP_OK);
    assert_false(read.has_pack);
}

/* A page of the longest rows fits a header, of either kind; one more row does not pass. */
static void test_told(void **state)
{
    (void)state;
    uint8_t bytes[SP_HEADER_MAX_BYTES];
    static struct sp_header header, read;
    for (int workers = 0; workers < 2; workers++) {
        full_header(&header, SP_MSG_TELL);
        snprintf(header.what, sizeof header.what, "%s", workers ? SP_ASK_WORKERS : SP_ASK_LANES);
        header.told_count = SP_TOLD_MAX;
        for (int i = 0; i < SP_TOLD_MAX; i++) {
            struct sp_told *told = &header.told[i];
            memset(told, 0, sizeof *told);
            memset(told->name, 'a' + i, sizeof told->name - 1);
            memset(told->peer, 'p', sizeof told->peer - 1);
            memset(told->backend, 'b', sizeof told->backend - 1);
            memset(told->pack, i + 1, sizeof told->pack);
            told->credit = 65535;
            told->quiet_ms = UINT64_MAX;
        }
        size_t length = encode(bytes, &header);
        assert_int_equal(sp_message_decode(&read, bytes, length, NULL), SP_OK);
        assert_int_equal(read.told_count, SP_TOLD_MAX);
        assert_string_equal(read.told[SP_TOLD_MAX - 1].name, header.told[SP_TOLD_MAX - 1].name);
        assert_string_equal(workers ? read.told[3].backend : read.told[3].peer,
                            workers ? header.told[3].backend : header.told[3].peer);
        assert_int_equal(read.told[3].credit, workers ? 65535 : 0);
        assert_true(read.told[3].quiet_ms == UINT64_MAX && read.more);
        header.told_count++;
        assert_int_equal(sp_message_encode(bytes, &length, &header, NULL), SP_E_LIMIT);
        header.told_count = 1;
        header.told[0].name[0] = '\0';
        assert_int_equal(sp_message_encode(bytes, &length, &header, NULL), SP_E_INVALID);
    }
}

/* One field out of its range: neither written nor (bytes made by hand in `decode_number`) read. */
static void test_ranges(void **state)
{
    (void)state;
    uint8_t bytes[SP_HEADER_MAX_BYTES];
    size_t length;
    const struct {
        int type;
        size_t offset, size;
        uint64_t value;
    } bad[] = {
#define FIELD(member) offsetof(struct sp_header, member), sizeof(((struct sp_header *)0)->member)
        {SP_MSG_FRAME, FIELD(seq), 0},
        {SP_MSG_FRAME, FIELD(budget_ms), 0},
        {SP_MSG_FRAME, FIELD(job_class), 0},
        {SP_MSG_FRAME, FIELD(job_class), 5},
        {SP_MSG_FRAME, FIELD(job_class), UINT32_MAX},
        {SP_MSG_ENROL, FIELD(job_class), 2},
        {SP_MSG_ENROL, FIELD(seq), 2},
        {SP_MSG_WANT, FIELD(job_class), 3},
        {SP_MSG_CLOSE, FIELD(reason), 39},
        {SP_MSG_CLOSE, FIELD(reason), 44},
        {SP_MSG_ANSWER, FIELD(answer), 0},
        {SP_MSG_ANSWER, FIELD(answer), 3},
        {SP_MSG_RESULT, FIELD(answer), 3},
        {SP_MSG_RESULT, FIELD(answer), 7},
        {SP_MSG_RESULT, FIELD(reason), 256},
        {SP_MSG_JOB, FIELD(attempt), 0},
        {SP_MSG_JOB, FIELD(kind), 5},
        {SP_MSG_JOB, FIELD(kind), 12},
        {SP_MSG_REVIEW, FIELD(job_class), 3},
        {SP_MSG_READY, FIELD(credit), 65536},
        {SP_MSG_WELCOME, FIELD(window), 0},
        {SP_MSG_WELCOME, FIELD(cert_length), 0},
        {SP_MSG_READY, FIELD(cert_length), 513},
        {SP_MSG_HELLO, FIELD(lane_count), 65},
#undef FIELD
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct sp_header header;
        full_header(&header, bad[i].type);
        encode(bytes, &header);
        memcpy((char *)&header + bad[i].offset, &bad[i].value, bad[i].size);
        if (sp_message_encode(bytes, &length, &header, NULL) == SP_OK)
            fail_msg("row %zu: %llu was written", i, (unsigned long long)bad[i].value);
    }
    static const struct {
        const char *bytes;
        size_t length;
        enum sp_status status;
    } raw[] = {{"\x82\xa1v\x02\xa1t\x06", 7, SP_E_VERSION},
               {"\x82\xa1v\x01\xa1t\x0e", 7, SP_E_UNSUPPORTED},
               {"\x82\xa1v\x01\xa1t\x00", 7, SP_E_UNSUPPORTED},
               {"\x81\xa1v\x01", 4, SP_E_FORMAT},
               {"\x81\xa1t\x06", 4, SP_E_FORMAT},
               {"\x82\xa1v\xff\xa1t\x06", 7, SP_E_LIMIT},
               {"\x82\xa1v\xa1\x31\xa1t\x06", 8, SP_E_FORMAT},
               {"\x93\x01\x02\x03", 4, SP_E_FORMAT},
               {"\x06", 1, SP_E_FORMAT},
               {"\x83\xa1v\x01\xa1t\x16\xa4kind\x05", 13, SP_E_FORMAT}};
    for (size_t i = 0; i < sizeof raw / sizeof raw[0]; i++) {
        struct sp_header header;
        struct sp_err err = {0};
        enum sp_status status = sp_message_decode(&header, raw[i].bytes, raw[i].length, &err);
        if (status == SP_OK || (status != raw[i].status && raw[i].status != SP_E_LIMIT) || err.text[0] == '\0')
            fail_msg("raw %zu: status %d, %s", i, (int)status, err.text);
    }
    struct sp_header header;
    assert_int_equal(sp_message_decode(&header, "\x82\xa1v\x02\xa1t\x06", 7, NULL), SP_E_VERSION);
    assert_int_equal(header.version, 2);
    assert_int_equal(header.type, SP_MSG_PING);
}

/* Numbers that no encoder writes must not be read either: the JOB's map made by hand. */
static enum sp_status decode_number(uint64_t attempt, uint64_t budget, uint64_t kind)
{
    struct sp_wire_writer *writer = NULL;
    struct sp_header header;
    const uint8_t *bytes;
    size_t length;
    assert_int_equal(sp_wire_writer_new(&writer, SP_HEADER_MAX_BYTES, NULL), SP_OK);
    sp_wire_put_map(writer, 6);
    const struct {
        const char *key;
        uint64_t value;
    } pairs[] = {{"v", 1},      {"t", SP_MSG_JOB}, {"job", 9}, {"attempt", attempt}, {"budget_ms", budget},
                 {"kind", kind}};
    for (int i = 0; i < 6; i++) {
        sp_wire_put_text(writer, pairs[i].key);
        sp_wire_put_uint(writer, pairs[i].value);
    }
    assert_int_equal(sp_wire_finish(writer, &bytes, &length, NULL), SP_OK);
    enum sp_status status = sp_message_decode(&header, bytes, length, NULL);
    sp_wire_writer_free(&writer);
    return status;
}

static void test_ranges_when_read(void **state)
{
    (void)state;
    assert_int_equal(decode_number(1, UINT32_MAX, 3), SP_OK);
    assert_int_equal(decode_number(1, 1ull << 32, 3), SP_E_LIMIT);
    assert_int_equal(decode_number(0, 1, 3), SP_E_LIMIT);
    assert_int_equal(decode_number(1, 1, 5), SP_E_LIMIT);
    assert_int_equal(decode_number(1, 1, 10), SP_OK);
    assert_int_equal(decode_number(1, 1, 11), SP_OK);
    assert_int_equal(decode_number(1, 1, UINT64_MAX), SP_E_LIMIT);
    const char *const names[] = {
        "", ".x", "-x", "a b", "a/b", "\xc3\xa9", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}; /* 48 */
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct sp_wire_writer *writer = NULL;
        struct sp_header header;
        const uint8_t *bytes;
        size_t length;
        assert_int_equal(sp_wire_writer_new(&writer, SP_HEADER_MAX_BYTES, NULL), SP_OK);
        sp_wire_put_map(writer, 4);
        sp_wire_put_text(writer, "v");
        sp_wire_put_uint(writer, 1);
        sp_wire_put_text(writer, "t");
        sp_wire_put_uint(writer, SP_MSG_HELLO);
        sp_wire_put_text(writer, "agent");
        sp_wire_put_text(writer, "");
        sp_wire_put_text(writer, "lanes");
        sp_wire_put_array(writer, 1);
        sp_wire_put_text(writer, names[i]);
        assert_int_equal(sp_wire_finish(writer, &bytes, &length, NULL), SP_OK);
        assert_int_equal(sp_message_decode(&header, bytes, length, NULL), SP_E_FORMAT);
        sp_wire_writer_free(&writer);
    }
}

static void test_answer_ad(void **state)
{
    (void)state;
    uint8_t ad[SP_ANSWER_AD_BYTES], encounter[16];
    const uint8_t wanted[] = {7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 1, 2, 3, 4, 2, 1, 3};
    memset(encounter, 7, sizeof encounter);
    sp_message_answer_ad(ad, encounter, 0x01020304, 2, 0x0103);
    assert_memory_equal(ad, wanted, sizeof wanted);
}

/* docs/protocol.md section 8 is common/reason.h, row by row. */
static void test_section_8(void **state)
{
    (void)state;
    static const struct {
        int number;
        const char *word, *text;
    } reasons[] = {
#define X(number, constant, word, text) {number, word, text},
        SP_REASON_LIST(X)
#undef X
    };
    char *text = section(8), *rest = text, wanted[300];
    size_t row = 0, count = sizeof reasons / sizeof reasons[0];
    for (char *line; (line = strsep(&rest, "\n"));) {
        if (line[0] != '|' || line[2] < '0' || line[2] > '9')
            continue;
        assert_true(row < count);
        snprintf(wanted, sizeof wanted, "| %d | %s | %s |", reasons[row].number, reasons[row].word,
                 reasons[row].text);
        assert_string_equal(line, wanted);
        if (row > 0)
            assert_true(reasons[row].number > reasons[row - 1].number);
        row++;
    }
    assert_int_equal(row, count);
    free(text);
}

int main(void)
{
    const char *source = getenv("SALLYPORT_SOURCE");
    char path[1024];
    struct sp_err err = {0};
    size_t length;
    snprintf(path, sizeof path, "%s/docs/protocol.md", source ? source : ".");
    if (sp_file_read((uint8_t **)&document, &length, path, 1 << 20, &err) != SP_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    read_table();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_section_3), cmocka_unit_test(test_widths),    cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_left_out),  cmocka_unit_test(test_ranges),    cmocka_unit_test(test_ranges_when_read),
        cmocka_unit_test(test_answer_ad), cmocka_unit_test(test_section_8), cmocka_unit_test(test_told),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(document);
    return failed;
}
