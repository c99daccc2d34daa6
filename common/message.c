#include "common/message.h"

#include <string.h>
#include "common/wire.h"

/* One row per field of a message; the rows are docs/protocol.md section 3, and a test compares the two. */
enum kind {
    KIND_NAME,  /* char[SP_NAME_MAX], checked by sp_key_name_ok */
    KIND_NAMES, /* lanes and lane_count */
    KIND_TEXT,  /* char[size] */
    KIND_U32,   /* uint32_t */
    KIND_U64,   /* uint64_t */
    KIND_INT,   /* int, never negative */
    KIND_FLAG,  /* bool; absent = false */
    KIND_BYTES, /* uint8_t[size] */
    KIND_VIEW,  /* cert and cert_length */
    KIND_TOLD,  /* told and told_count; what comes before it says which rows */
};

struct field {
    const char *key; /* NULL ends the list */
    enum kind kind;
    bool optional;
    size_t offset, size; /* in struct sp_header */
    uint64_t min, max;
};

#define AT(member) offsetof(struct sp_header, member), sizeof(((struct sp_header *)0)->member)
#define NAME(key, member)                                                                                          \
    {                                                                                                              \
        key, KIND_NAME, false, AT(member), 0, 0                                                                    \
    }
#define TEXT(key, member)                                                                                          \
    {                                                                                                              \
        key, KIND_TEXT, false, AT(member), 0, 0                                                                    \
    }
#define MAYBE_TEXT(key, member)                                                                                    \
    {                                                                                                              \
        key, KIND_TEXT, true, AT(member), 0, 0                                                                     \
    }
#define U32(key, member, min, max)                                                                                 \
    {                                                                                                              \
        key, KIND_U32, false, AT(member), min, max                                                                 \
    }
#define U64(key, member, min)                                                                                      \
    {                                                                                                              \
        key, KIND_U64, false, AT(member), min, UINT64_MAX                                                          \
    }
#define INT(key, member, min, max)                                                                                 \
    {                                                                                                              \
        key, KIND_INT, false, AT(member), min, max                                                                 \
    }
#define BYTES(key, member)                                                                                         \
    {                                                                                                              \
        key, KIND_BYTES, false, AT(member), 0, 0                                                                   \
    }
#define CERT                                                                                                       \
    {                                                                                                              \
        "cert", KIND_VIEW, false, AT(cert), 1, SP_CERT_MAX_BYTES                                                   \
    }
#define MAYBE_PACK                                                                                                 \
    {                                                                                                              \
        "pack", KIND_BYTES, true, AT(pack), 0, 0                                                                   \
    }
#define CREDIT_MAX 65535
#define END                                                                                                        \
    {                                                                                                              \
        NULL, KIND_FLAG, false, 0, 0, 0, 0                                                                         \
    }

/* What FRAME, CLOSE, ENROL, REVIEW and WANT have in common. */
#define SEALED(seq_max, class_min, class_max)                                                                      \
    BYTES("sender", sender), BYTES("session", session), BYTES("enc", encounter), U32("seq", seq, 1, seq_max),      \
        INT("class", job_class, class_min, class_max), U32("budget_ms", budget_ms, 1, UINT32_MAX),                 \
        U64("at_ms", at_ms, 0), BYTES("kid", fleet_id), BYTES("key", wrapped_key)

static const struct field hello[] = {TEXT("agent", agent), {"lanes", KIND_NAMES, false, AT(lanes), 0, 0}, END};
static const struct field welcome[] = {BYTES("session", session),
                                       NAME("broker", broker),
                                       NAME("terminal", terminal),
                                       U32("window", window, 1, UINT32_MAX),
                                       U32("max_age_ms", max_age_ms, 1, UINT32_MAX),
                                       U32("heartbeat_ms", heartbeat_ms, 1, UINT32_MAX),
                                       U32("max_payload", max_payload, 1, UINT32_MAX),
                                       CERT,
                                       END};
static const struct field frame[] = {
    SEALED(UINT32_MAX, 1, 4), NAME("lane", lane), {"last", KIND_FLAG, true, AT(last), 0, 0}, END};
static const struct field close_[] = {SEALED(UINT32_MAX, 1, 4), NAME("lane", lane), INT("reason", reason, 40, 43),
                                      END};
/* lane: empty in the answer to an ENROL, which has none */
static const struct field answer[] = {TEXT("lane", lane),
                                      BYTES("enc", encounter),
                                      U32("seq", seq, 0, UINT32_MAX),
                                      INT("answer", answer, 1, 6),
                                      INT("reason", reason, 0, SP_REASON_MAX),
                                      MAYBE_TEXT("text", text),
                                      END};
static const struct field bare[] = {END};
static const struct field refused[] = {INT("reason", reason, 0, SP_REASON_MAX),
                                       MAYBE_TEXT("text", text),
                                       {"enc", KIND_BYTES, true, AT(encounter), 0, 0},
                                       {"seq", KIND_U32, true, AT(seq), 0, UINT32_MAX},
                                       END};
static const struct field enrol[] = {SEALED(1, 3, 4), MAYBE_PACK, END};
static const struct field patient[] = {SEALED(1, 4, 4), MAYBE_PACK, END}; /* REVIEW, WANT */
static const struct field ask[] = {TEXT("what", what), MAYBE_TEXT("after", after), END};
static const struct field tell[] = {TEXT("what", what),
                                    {"more", KIND_FLAG, false, AT(more), 0, 0},
                                    {"rows", KIND_TOLD, false, AT(told), 0, 0},
                                    END};
static const struct field ready[] = {
    TEXT("agent", agent), CERT, U32("credit", credit, 0, CREDIT_MAX), TEXT("backend", backend),
    BYTES("pack", pack),  END};
static const struct field greet[] = {NAME("broker", broker),
                                     NAME("terminal", terminal),
                                     U32("heartbeat_ms", heartbeat_ms, 1, UINT32_MAX),
                                     U32("lease_ms", lease_ms, 1, UINT32_MAX),
                                     U32("max_age_ms", max_age_ms, 1, UINT32_MAX),
                                     END};
static const struct field job[] = {U64("job", job, 0), U32("attempt", attempt, 1, UINT32_MAX),
                                   U32("budget_ms", budget_ms, 0, UINT32_MAX), INT("kind", kind, 3, 11), END};
static const struct field result[] = {U64("job", job, 0), INT("answer", answer, 1, 6),
                                      INT("reason", reason, 0, SP_REASON_MAX), MAYBE_TEXT("text", text), END};
static const struct field beat[] = {{"credit", KIND_U32, true, AT(credit), 0, CREDIT_MAX}, END};

static const struct field *fields_of(int type)
{
    switch (type) {
    case SP_MSG_HELLO:
        return hello;
    case SP_MSG_WELCOME:
        return welcome;
    case SP_MSG_FRAME:
        return frame;
    case SP_MSG_CLOSE:
        return close_;
    case SP_MSG_ANSWER:
        return answer;
    case SP_MSG_REFUSED:
        return refused;
    case SP_MSG_ENROL:
        return enrol;
    case SP_MSG_ASK:
        return ask;
    case SP_MSG_TELL:
        return tell;
    case SP_MSG_READY:
        return ready;
    case SP_MSG_GREET:
        return greet;
    case SP_MSG_JOB:
        return job;
    case SP_MSG_RESULT:
        return result;
    case SP_MSG_BEAT:
        return beat;
    case SP_MSG_REVIEW:
    case SP_MSG_WANT:
        return patient;
    case SP_MSG_PING:
    case SP_MSG_PONG:
    case SP_MSG_BYE:
    case SP_MSG_DRAIN:
        return bare;
    default:
        return NULL;
    }
}

const char *sp_answer_word(int number)
{
    static const char *const words[] = {"unknown", "decided", "undecided", "superseded",
                                        "busy",    "expired", "error"};
    return number >= 1 && number <= 6 ? words[number] : words[0];
}

static bool known_answer(uint64_t value)
{
    return value != SP_ANSWER_SUPERSEDED; /* never on the wire */
}

static bool known_kind(uint64_t value)
{
    return value == SP_MSG_FRAME || value == SP_MSG_CLOSE || value == SP_MSG_ENROL || value == SP_MSG_REVIEW;
}

/* The rules that a range cannot say. */
static enum sp_status check_number(const struct field *f, uint64_t value, struct sp_err *err)
{
    bool good = value >= f->min && value <= f->max;
    if (strcmp(f->key, "answer") == 0)
        good = good && known_answer(value);
    if (strcmp(f->key, "kind") == 0)
        good = good && known_kind(value);
    if (!good)
        return sp_fail(err, SP_E_LIMIT, "field %s is %llu, which is not one of its values", f->key,
                       (unsigned long long)value);
    return SP_OK;
}

static enum sp_status check_name(const struct field *f, const char *text, struct sp_err *err)
{
    if (!sp_key_name_ok(text))
        return sp_fail(err, SP_E_FORMAT,
                       "field %s is not a name: 1 to %d characters of A-Z a-z 0-9 . _ -, not beginning with . or -",
                       f->key, SP_NAME_MAX - 1);
    return SP_OK;
}

/* ---- decoding ---- */

static enum sp_status read_number(struct sp_header *ret, const struct field *f, const sp_wire_value *map,
                                  struct sp_err *err)
{
    uint64_t value;
    enum sp_status status = sp_wire_get_uint(map, f->key, f->max, &value, err);
    if (status != SP_OK || (status = check_number(f, value, err)) != SP_OK)
        return status;
    uint8_t *at = (uint8_t *)ret + f->offset;
    if (f->kind == KIND_U64)
        memcpy(at, &value, sizeof value);
    else if (f->kind == KIND_U32)
        memcpy(at, &(uint32_t){(uint32_t)value}, sizeof(uint32_t));
    else
        memcpy(at, &(int){(int)value}, sizeof(int));
    return SP_OK;
}

static enum sp_status read_names(struct sp_header *ret, const struct field *f, const sp_wire_value *map,
                                 struct sp_err *err)
{
    const sp_wire_value *list = sp_wire_find(map, f->key);
    if (!list || sp_wire_is_nil(list))
        return sp_fail(err, SP_E_NOTFOUND, "field %s is missing", f->key);
    if (!sp_wire_is_array(list))
        return sp_fail(err, SP_E_FORMAT, "field %s is not an array", f->key);
    int count = sp_wire_count(list);
    if (count > SP_PEER_MAX_LANES_ON_WIRE)
        return sp_fail(err, SP_E_LIMIT, "field %s holds %d names, at most %d are read", f->key, count,
                       SP_PEER_MAX_LANES_ON_WIRE);
    for (int i = 0; i < count; i++) {
        if (!sp_wire_as_text(sp_wire_at(list, i), ret->lanes[i], sizeof ret->lanes[i]))
            return sp_fail(err, SP_E_FORMAT, "field %s holds something else than a short text at %d", f->key, i);
        enum sp_status status = check_name(f, ret->lanes[i], err);
        if (status != SP_OK)
            return status;
    }
    ret->lane_count = count;
    return SP_OK;
}

static bool told_of_workers(const struct sp_header *header)
{
    return strcmp(header->what, SP_ASK_WORKERS) == 0;
}

/* Of lanes [lane, peer, quiet ms]; of workers [name, backend, pack, credit, quiet ms]. */
static bool read_told(struct sp_told *ret, const sp_wire_value *row, bool workers)
{
    const uint8_t *pack = NULL;
    size_t length = 0;
    uint64_t credit = 0;
    if (!sp_wire_is_array(row) || sp_wire_count(row) != (workers ? 5 : 3) ||
        !sp_wire_as_text(sp_wire_at(row, 0), ret->name, sizeof ret->name) || !sp_key_name_ok(ret->name) ||
        !sp_wire_as_uint(sp_wire_at(row, workers ? 4 : 2), UINT64_MAX, &ret->quiet_ms))
        return false;
    if (!workers)
        return sp_wire_as_text(sp_wire_at(row, 1), ret->peer, sizeof ret->peer) && sp_key_name_ok(ret->peer);
    if (!sp_wire_as_text(sp_wire_at(row, 1), ret->backend, sizeof ret->backend) ||
        !sp_wire_as_view(sp_wire_at(row, 2), &pack, &length) || length != sizeof ret->pack ||
        !sp_wire_as_uint(sp_wire_at(row, 3), CREDIT_MAX, &credit))
        return false;
    memcpy(ret->pack, pack, sizeof ret->pack);
    ret->credit = (uint32_t)credit;
    return true;
}

static enum sp_status read_rows(struct sp_header *ret, const struct field *f, const sp_wire_value *map,
                                struct sp_err *err)
{
    const sp_wire_value *list = sp_wire_find(map, f->key);
    if (!list || sp_wire_is_nil(list))
        return sp_fail(err, SP_E_NOTFOUND, "field %s is missing", f->key);
    if (!sp_wire_is_array(list))
        return sp_fail(err, SP_E_FORMAT, "field %s is not an array", f->key);
    if (sp_wire_count(list) > SP_TOLD_MAX)
        return sp_fail(err, SP_E_LIMIT, "field %s holds %d rows, at most %d are read", f->key, sp_wire_count(list),
                       SP_TOLD_MAX);
    ret->told_count = sp_wire_count(list);
    for (int i = 0; i < ret->told_count; i++)
        if (!read_told(&ret->told[i], sp_wire_at(list, i), told_of_workers(ret)))
            return sp_fail(err, SP_E_FORMAT, "field %s: row %d is not one of %s", f->key, i,
                           told_of_workers(ret) ? "workers" : "lanes");
    return SP_OK;
}

static enum sp_status read_field(struct sp_header *ret, const struct field *f, const sp_wire_value *map,
                                 struct sp_err *err)
{
    uint8_t *at = (uint8_t *)ret + f->offset;
    enum sp_status status;
    switch (f->kind) {
    case KIND_NAME:
        status = sp_wire_get_text(map, f->key, (char *)at, f->size, err);
        return status != SP_OK ? status : check_name(f, (char *)at, err);
    case KIND_NAMES:
        return read_names(ret, f, map, err);
    case KIND_TEXT:
        return sp_wire_get_text(map, f->key, (char *)at, f->size, err);
    case KIND_FLAG:
        return sp_wire_get_bool(map, f->key, (bool *)at, err);
    case KIND_BYTES:
        status = sp_wire_get_bytes(map, f->key, at, f->size, err);
        ret->has_pack = ret->has_pack || (status == SP_OK && f->offset == offsetof(struct sp_header, pack));
        return status;
    case KIND_TOLD:
        return read_rows(ret, f, map, err);
    case KIND_VIEW:
        status = sp_wire_get_view(map, f->key, f->max, &ret->cert, &ret->cert_length, err);
        if (status == SP_OK && ret->cert_length < f->min)
            return sp_fail(err, SP_E_LIMIT, "field %s is empty", f->key);
        return status;
    default:
        return read_number(ret, f, map, err);
    }
}

enum sp_status sp_message_decode(struct sp_header *ret, const void *bytes, size_t length, struct sp_err *err)
{
    struct sp_wire_doc *doc = NULL;
    struct sp_err own = {0};
    uint64_t number;
    if (!err)
        err = &own; /* sp_fail_in wants one */
    memset(ret, 0, sizeof *ret);
    ret->credit = SP_CREDIT_NONE;
    enum sp_status status = sp_wire_parse(&doc, bytes, length, &sp_wire_header_limits, err);
    if (status != SP_OK)
        goto done;
    const sp_wire_value *map = sp_wire_root(doc);
    if (!sp_wire_is_map(map)) {
        status = sp_fail(err, SP_E_FORMAT, "the header is not a map");
        goto done;
    }
    if ((status = sp_wire_get_uint(map, "v", INT32_MAX, &number, err)) != SP_OK)
        goto done;
    ret->version = (int)number;
    status = sp_wire_get_uint(map, "t", INT32_MAX, &number, err);
    if (status == SP_OK)
        ret->type = (enum sp_message_type)number;
    if (ret->version != SP_PROTOCOL_VERSION) {
        status = sp_fail(err, SP_E_VERSION, "protocol version %d is not spoken here, only %d", ret->version,
                         SP_PROTOCOL_VERSION);
        goto done;
    }
    if (status != SP_OK)
        goto done;
    const struct field *f = fields_of((int)ret->type);
    if (!f) {
        status = sp_fail(err, SP_E_UNSUPPORTED, "message number %d is not known here", (int)ret->type);
        goto done;
    }
    for (; f->key; f++) {
        status = read_field(ret, f, map, err);
        if (status == SP_E_NOTFOUND && f->optional)
            status = SP_OK;
        if (status != SP_OK)
            break;
    }
done:
    sp_wire_free(&doc);
    if (status == SP_E_NOTFOUND) /* a missing field is a malformed message to the caller */
        status = err->status = SP_E_FORMAT;
    return status;
}

/* ---- encoding ---- */

static uint64_t number_of(const struct sp_header *header, const struct field *f)
{
    const uint8_t *at = (const uint8_t *)header + f->offset;
    uint64_t wide;
    uint32_t narrow;
    int number;
    if (f->kind == KIND_U64)
        return memcpy(&wide, at, sizeof wide), wide;
    if (f->kind == KIND_U32)
        return memcpy(&narrow, at, sizeof narrow), narrow;
    memcpy(&number, at, sizeof number);
    return (uint64_t)(int64_t)number; /* a negative number becomes too large for its range */
}

/* Is an optional field left out? Its empty value says so; REFUSED names (enc, seq) together or not at all. */
static bool left_out(const struct sp_header *header, const struct field *f)
{
    if (!f->optional)
        return false;
    const uint8_t *at = (const uint8_t *)header + f->offset;
    if (f->kind == KIND_TEXT)
        return *at == '\0';
    if (f->kind == KIND_FLAG)
        return !*(const bool *)at;
    if (f->offset == offsetof(struct sp_header, pack))
        return !header->has_pack;
    if (f->offset == offsetof(struct sp_header, credit))
        return header->credit == SP_CREDIT_NONE;
    return header->seq == 0;
}

static enum sp_status write_text(struct sp_wire_writer *writer, const struct field *f, const char *text,
                                 size_t size, struct sp_err *err)
{
    if (!memchr(text, '\0', size))
        return sp_fail(err, SP_E_INVALID, "field %s is not terminated", f->key);
    if (f->kind != KIND_TEXT && check_name(f, text, err) != SP_OK)
        return SP_E_FORMAT;
    sp_wire_put_text(writer, text);
    return SP_OK;
}

static enum sp_status write_told(struct sp_wire_writer *writer, const struct field *f, const struct sp_told *told,
                                 bool workers, struct sp_err *err)
{
    if (!sp_key_name_ok(told->name) || !(workers || sp_key_name_ok(told->peer)) || told->credit > CREDIT_MAX)
        return sp_fail(err, SP_E_INVALID, "field %s: a row without its names, or of too much credit", f->key);
    sp_wire_put_array(writer, workers ? 5 : 3);
    sp_wire_put_text(writer, told->name);
    if (workers) {
        sp_wire_put_text(writer, told->backend);
        sp_wire_put_bytes(writer, told->pack, sizeof told->pack);
        sp_wire_put_uint(writer, told->credit);
    } else {
        sp_wire_put_text(writer, told->peer);
    }
    sp_wire_put_uint(writer, told->quiet_ms);
    return SP_OK;
}

static enum sp_status write_rows(struct sp_wire_writer *writer, const struct field *f,
                                 const struct sp_header *header, struct sp_err *err)
{
    enum sp_status status = SP_OK;
    if (header->told_count < 0 || header->told_count > SP_TOLD_MAX)
        return sp_fail(err, SP_E_LIMIT, "field %s cannot hold %d rows", f->key, header->told_count);
    sp_wire_put_array(writer, header->told_count);
    for (int i = 0; i < header->told_count && status == SP_OK; i++)
        status = write_told(writer, f, &header->told[i], told_of_workers(header), err);
    return status;
}

static enum sp_status write_field(struct sp_wire_writer *writer, const struct field *f,
                                  const struct sp_header *header, struct sp_err *err)
{
    const uint8_t *at = (const uint8_t *)header + f->offset;
    enum sp_status status;
    sp_wire_put_text(writer, f->key);
    switch (f->kind) {
    case KIND_NAME:
    case KIND_TEXT:
        return write_text(writer, f, (const char *)at, f->size, err);
    case KIND_NAMES:
        if (header->lane_count < 0 || header->lane_count > SP_PEER_MAX_LANES_ON_WIRE)
            return sp_fail(err, SP_E_LIMIT, "field %s cannot hold %d names", f->key, header->lane_count);
        sp_wire_put_array(writer, header->lane_count);
        for (int i = 0; i < header->lane_count; i++)
            if ((status = write_text(writer, f, header->lanes[i], sizeof header->lanes[i], err)) != SP_OK)
                return status;
        return SP_OK;
    case KIND_FLAG:
        sp_wire_put_bool(writer, *(const bool *)at);
        return SP_OK;
    case KIND_BYTES:
        sp_wire_put_bytes(writer, at, f->size);
        return SP_OK;
    case KIND_TOLD:
        return write_rows(writer, f, header, err);
    case KIND_VIEW:
        if (!header->cert || header->cert_length < f->min || header->cert_length > f->max)
            return sp_fail(err, SP_E_LIMIT, "field %s cannot hold %zu bytes", f->key, header->cert_length);
        sp_wire_put_bytes(writer, header->cert, header->cert_length);
        return SP_OK;
    default:
        if ((status = check_number(f, number_of(header, f), err)) != SP_OK)
            return status;
        sp_wire_put_uint(writer, number_of(header, f));
        return SP_OK;
    }
}

enum sp_status sp_message_encode(uint8_t *ret_bytes, size_t *ret_length, const struct sp_header *header,
                                 struct sp_err *err)
{
    struct sp_wire_writer *writer = NULL;
    const uint8_t *bytes;
    size_t length;
    const struct field *list = fields_of((int)header->type);
    if (!list)
        return sp_fail(err, SP_E_UNSUPPORTED, "message number %d is not known here", (int)header->type);
    enum sp_status status = sp_wire_writer_new(&writer, SP_HEADER_MAX_BYTES, err);
    if (status != SP_OK)
        return status;
    int pairs = 2;
    for (const struct field *f = list; f->key; f++)
        pairs += !left_out(header, f);
    sp_wire_put_map(writer, pairs);
    sp_wire_put_text(writer, "v");
    sp_wire_put_uint(writer, SP_PROTOCOL_VERSION);
    sp_wire_put_text(writer, "t");
    sp_wire_put_uint(writer, (uint64_t)header->type);
    for (const struct field *f = list; f->key; f++)
        if (!left_out(header, f) && (status = write_field(writer, f, header, err)) != SP_OK)
            goto done;
    if ((status = sp_wire_finish(writer, &bytes, &length, err)) != SP_OK)
        goto done;
    memcpy(ret_bytes, bytes, length);
    *ret_length = length;
done:
    sp_wire_writer_free(&writer);
    return status;
}

void sp_message_answer_ad(uint8_t ret_ad[SP_ANSWER_AD_BYTES], const uint8_t encounter[SP_ENCOUNTER_BYTES],
                          uint32_t seq, int answer_number, int reason)
{
    memcpy(ret_ad, encounter, SP_ENCOUNTER_BYTES);
    for (int i = 0; i < 4; i++)
        ret_ad[16 + i] = (uint8_t)(seq >> (24 - 8 * i));
    ret_ad[20] = (uint8_t)answer_number;
    ret_ad[21] = (uint8_t)((unsigned)reason >> 8);
    ret_ad[22] = (uint8_t)reason;
}
