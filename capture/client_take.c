#include "capture/client_state.h"

#include <string.h>
#include "common/clock.h"

#define IMAGE_MAX_BYTES (16u << 20)

static enum sp_status check_common(const struct sp_client *c, const char *lane, int job_class, uint32_t seq,
                                   uint32_t budget_ms, struct sp_err *err)
{
    if (c->fatal.status != SP_OK)
        return sp_fail(err, c->fatal.status, "%s", c->fatal.text);
    if (lane && !sp_key_name_ok(lane))
        return sp_fail(err, SP_E_INVALID, "lane \"%s\": a name is 1 to %d of A-Z a-z 0-9 . _ -", lane,
                       SP_NAME_MAX - 1);
    if (job_class < 1 || job_class > SP_CLASS_COUNT || seq < 1 || budget_ms < 1)
        return sp_fail(err, SP_E_INVALID, "class %d, seq %u, budget %u ms: class is 1 to %d, the others at least 1",
                       job_class, seq, budget_ms, SP_CLASS_COUNT);
    return SP_OK;
}

/* The payload is written: close the row's document and let it go. */
static enum sp_status take(struct sp_pending *row, enum sp_message_type kind, const char *lane, int job_class,
                           uint32_t budget_ms, struct sp_err *err)
{
    enum sp_status status = sp_wire_finish(row->plain, &row->bytes, &row->length, err);
    if (status != SP_OK) {
        sp_pending_remove(row);
        return status;
    }
    row->kind = kind;
    if (lane)
        memcpy(row->lane, lane, strlen(lane) + 1);
    row->job_class = job_class;
    row->taken_ns = sp_clock_mono_ns();
    row->deadline_ns = row->taken_ns + budget_ms * SP_NS_PER_MS;
    return SP_OK;
}

enum sp_status sp_client_frame(struct sp_client *client, const struct sp_client_frame *frame, struct sp_err *err)
{
    struct sp_pending *row;
    enum sp_status status = check_common(client, frame->lane, frame->job_class, frame->seq, frame->budget_ms, err);
    if (status == SP_OK && frame->image_length > IMAGE_MAX_BYTES)
        status =
            sp_fail(err, SP_E_LIMIT, "image of %zu bytes, the limit is %u", frame->image_length, IMAGE_MAX_BYTES);
    if (status == SP_OK)
        status = sp_pending_add(&client->table, frame->encounter, frame->seq, frame->image_length + 64, &row, err);
    if (status != SP_OK)
        return status;
    sp_wire_put_map(row->plain, 2);
    sp_wire_put_text(row->plain, "image");
    sp_wire_put_bytes(row->plain, frame->image, frame->image_length);
    sp_wire_put_text(row->plain, "captured_ms");
    sp_wire_put_int(row->plain, frame->captured_ms);
    row->last = frame->last;
    return take(row, SP_MSG_FRAME, frame->lane, frame->job_class, frame->budget_ms, err);
}

enum sp_status sp_client_close(struct sp_client *client, const struct sp_client_close *close, struct sp_err *err)
{
    struct sp_pending *row;
    enum sp_status status = check_common(client, close->lane, close->job_class, close->seq, close->budget_ms, err);
    if (status == SP_OK && (close->reason < SP_REASON_DONE || close->reason > SP_REASON_TIMEOUT))
        status = sp_fail(err, SP_E_INVALID,
                         "reason %d does not close an encounter: done, left, opted_out or timeout", close->reason);
    if (status == SP_OK)
        status = sp_pending_add(&client->table, close->encounter, close->seq, 64, &row, err);
    if (status != SP_OK)
        return status;
    sp_wire_put_map(row->plain, 0);
    row->reason = close->reason;
    return take(row, SP_MSG_CLOSE, close->lane, close->job_class, close->budget_ms, err);
}

static void name_pack(struct sp_pending *row, const uint8_t *pack)
{
    row->has_pack = pack != NULL;
    if (pack)
        memcpy(row->pack, pack, sizeof row->pack);
}

enum sp_status sp_client_enrol(struct sp_client *client, const struct sp_client_enrol *enrol, struct sp_err *err)
{
    struct sp_pending *row;
    enum sp_status status = check_common(client, NULL, enrol->job_class, 1, enrol->budget_ms, err);
    if (status == SP_OK)
        status = sp_pending_add(&client->table, enrol->job, 1, 1024, &row, err);
    if (status != SP_OK)
        return status;
    sp_wire_put_map(row->plain, 3);
    sp_wire_put_text(row->plain, "manifest");
    sp_wire_put_text(row->plain, enrol->manifest);
    sp_wire_put_text(row->plain, "row");
    sp_wire_put_bytes(row->plain, enrol->row, sizeof enrol->row);
    sp_wire_put_text(row->plain, "portrait");
    sp_wire_put_bytes(row->plain, enrol->portrait, sizeof enrol->portrait);
    name_pack(row, enrol->pack);
    return take(row, SP_MSG_ENROL, NULL, enrol->job_class, enrol->budget_ms, err);
}

enum sp_status sp_client_review(struct sp_client *client, const struct sp_client_review *review, struct sp_err *err)
{
    struct sp_pending *row;
    enum sp_status status = check_common(client, NULL, review->job_class, 1, review->budget_ms, err);
    if (status == SP_OK)
        status = sp_pending_add(&client->table, review->job, 1, 1024, &row, err);
    if (status != SP_OK)
        return status;
    sp_wire_put_map(row->plain, 2);
    sp_wire_put_text(row->plain, "manifest");
    sp_wire_put_text(row->plain, review->manifest);
    sp_wire_put_text(row->plain, "version");
    sp_wire_put_uint(row->plain, review->version);
    name_pack(row, review->pack);
    return take(row, SP_MSG_REVIEW, NULL, review->job_class, review->budget_ms, err);
}
