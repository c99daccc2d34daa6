/* How `sallyport manifest reconcile` shows its report: tables for people, one JSON document for programs. */
#ifndef SALLYPORT_OPS_RECONCILE_PRINT_H
#define SALLYPORT_OPS_RECONCILE_PRINT_H

#include "ops/desk.h"
#include "records/reconcile_sum.h"

struct sp_reconcile_view {
    const struct sp_desk *desk;
    const struct sp_desk_manifest *manifest;
    const struct sp_reconcile_report *report;
    int64_t from_ms, to_ms; /* of the entries that were read; 0: open */
    int entries, refused;   /* read; of them not verified, and not counted */
    const char *refusal;    /* why the first of them was refused; "" */
    bool names;
};

void sp_reconcile_print_text(const struct sp_reconcile_view *view);
void sp_reconcile_print_json(const struct sp_reconcile_view *view);

/* Of several journeys: a line each, then lanes and hours together. */
void sp_reconcile_print_head(void);
void sp_reconcile_print_line(const struct sp_reconcile_view *view);
void sp_reconcile_print_sum_text(const struct sp_reconcile_sum *sum);
void sp_reconcile_print_sum_json(const struct sp_reconcile_sum *sum);

#endif
