/* UN/EDIFACT CUSRES: the authority's answer to a carrier's list. Reading them is part of sp_paxlst_parse
 * (listing/paxlst.h); this writes one.
 *
 * Layout: airline practice (BGM+962, RFF+AF with times and ports, then ERP, RFF, ERC, FTX per traveller). The first
 * character of an ERC is the outcome, the second the state of an electronic travel authority (Z: none applies).
 * Both are known from memory of the CBP guide for airlines only, so check them with the authority that they are
 * sent for. */
#ifndef SALLYPORT_LISTING_CUSRES_H
#define SALLYPORT_LISTING_CUSRES_H

#include <stddef.h>
#include <stdint.h>
#include "common/status.h"
#include "listing/listing.h"

#define SP_CUSRES_CLEARED      "0Z"
#define SP_CUSRES_INHIBITED    "1Z"
#define SP_CUSRES_SELECTEE     "2Z"
#define SP_CUSRES_INSUFFICIENT "4Z"
/* Text of SP_CUSRES_INSUFFICIENT for a traveller who has no usable portrait; the reason follows. */
#define SP_CUSRES_NO_PORTRAIT "NO PORTRAIT: "

struct sp_cusres_verdict {
    int traveller;    /* index in the listing; -1: all of them (ERP+1) */
    const char *code; /* ERC; "" none */
    const char *text; /* FTX; "" none */
};

struct sp_cusres_options {
    const char *sender;      /* of the answer; NULL: "" */
    const char *interchange; /* reference; NULL: "1" */
    const char *message;     /* reference; NULL: "1" */
    int64_t now_ms;          /* wall clock: when it was made */
};

/* The answer to `about`, addressed to its sender, with its transaction and common access reference. Travellers are
 * named by their RFF+ABO, which is what the carrier joins by, and RFF+AVF. Verdicts of all (-1) come first, then
 * the others in the order given. NUL-terminated; the caller frees it. SP_E_INVALID: an index that is none, or a
 * date that is none. SP_E_LIMIT, SP_E_NOMEM. */
enum sp_status sp_cusres_write(char **ret_text, size_t *ret_length, const struct sp_listing *about,
                               const struct sp_cusres_verdict *verdicts, int count,
                               const struct sp_cusres_options *options, struct sp_err *err);

#endif
