#include "tests/unit/listing/samples.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char sample_passengers[] = "UNA:+.? '\n"
                                 "UNB+UNOA:4+EXAMPLEAIR:ZZ+BORDERHUB:ZZ+261204:1500+000000417++APIS'\n"
                                 "UNG+PAXLST+EXAMPLEAIR:ZZ+BORDERHUB:ZZ+261204:1500+1+UN+D:05B'\n"
                                 "UNH+PAX001+PAXLST:D:05B:UN:IATA+ZX0417/261204/1820+01:F'\n"
                                 "BGM+745'\n"
                                 "RFF+TN:ZXTRN000417A:::1'\n"
                                 "NAD+MS+++EXAMPLE AIR OPS DESK'\n"
                                 "COM+15550100:TE+15550101:FX'\n"
                                 "TDT+20+ZX417+++ZX'\n"
                                 "LOC+125+JFK'\n"
                                 "DTM+189:2612041820:201'\n"
                                 "LOC+87+LIS'\n"
                                 "DTM+232:2612050610:201'\n"
                                 "NAD+FL+++NORTHWIND:AVA:MAE'\n"
                                 "ATT+2++F'\n"
                                 "DTM+329:910203'\n"
                                 "GEI+4+173'\n"
                                 "LOC+22+JFK'\n"
                                 "LOC+178+JFK'\n"
                                 "LOC+179+LIS'\n"
                                 "LOC+174+UTO'\n"
                                 "NAT+2+UTO'\n"
                                 "RFF+AVF:QX7T4Z'\n"
                                 "RFF+ABO:ZX417-0001'\n"
                                 "RFF+SEA:14C'\n"
                                 "DOC+P:110:111+X00000017'\n"
                                 "DTM+36:310630'\n"
                                 "LOC+91+UTO'\n"
                                 "NAD+FL+++O?'SAMPLE:BRAM'\n"
                                 "ATT+2++M'\n"
                                 "DTM+329:150711'\n"
                                 "LOC+178+JFK'\n"
                                 "LOC+179+LIS'\n"
                                 "NAT+2+USA'\n"
                                 "RFF+AVF:QX7T4Z'\n"
                                 "RFF+ABO:ZX417-0002'\n"
                                 "DOC+P:110:111+X00000025'\n"
                                 "DTM+36:290101'\n"
                                 "LOC+91+USA'\n"
                                 "CNT+42:2'\n"
                                 "UNT+38+PAX001'\n"
                                 "UNE+1+1'\n"
                                 "UNZ+1+000000417'\n";

const char sample_crew[] = "UNH+CRW001+PAXLST:D:02B:UN:IATA+ZX0417/261204/1820+01:F'\n"
                           "BGM+250+C'\n"
                           "NAD+MS+++EXAMPLE AIR OPS DESK'\n"
                           "COM+15550100:TE+15550101:FX'\n"
                           "TDT+20+ZX417'\n"
                           "LOC+125+JFK'\n"
                           "DTM+189:2612041820:201'\n"
                           "LOC+87+LIS'\n"
                           "DTM+232:2612050610:201'\n"
                           "NAD+FM+++HELMSMAN:CORA'\n"
                           "ATT+2++F'\n"
                           "DTM+329:840517'\n"
                           "LOC+178+JFK'\n"
                           "LOC+179+LIS'\n"
                           "NAT+2+UTO'\n"
                           "DOC+P:110:111+X00000033'\n"
                           "DTM+36:300115'\n"
                           "LOC+91+UTO'\n"
                           "CNT+41:1'\n"
                           "UNT+20+CRW001'\n";

const char sample_close_out[] = "UNH+CLO001+PAXLST:D:05B:UN:IATA+ZX0417/261204/1820+01:F'\n"
                                "BGM+266+CLNB'\n"
                                "RFF+TN:ZXTRN000417Z:::1'\n"
                                "NAD+MS+++EXAMPLE AIR OPS DESK'\n"
                                "TDT+20+ZX417+++ZX'\n"
                                "LOC+125+JFK'\n"
                                "DTM+189:2612041820:201'\n"
                                "LOC+87+LIS'\n"
                                "DTM+232:2612050610:201'\n"
                                "NAD+ZZZ'\n"
                                "RFF+ABO:ZX417-0002'\n"
                                "CNT+42:1'\n"
                                "UNT+13+CLO001'\n";

const char sample_vessel[] = "UNH+VSL001+PAXLST:D:15B:UN'\n"
                             "BGM+745'\n"
                             "RFF+TN:VSL26120401'\n"
                             "NAD+MS+++EXAMPLE CRUISES AGENT'\n"
                             "TDT+20+V0881+1++EXCR+++9000001:146::MV EXAMPLE STAR:UTO'\n"
                             "LOC+125+NSNAS'\n"
                             "DTM+189:2612031700:201'\n"
                             "LOC+87+USMIA'\n"
                             "DTM+232:2612050600:201'\n"
                             "NAD+FL+++NORTHWIND:AVA:MAE'\n"
                             "ATT+2++F'\n"
                             "DTM+329:19910203:102'\n"
                             "LOC+178+USMIA'\n"
                             "LOC+179+USMIA'\n"
                             "NAT+2+UTO'\n"
                             "RFF+ABO:CABIN-8123-A'\n"
                             "DOC+P+X00000017'\n"
                             "DTM+36:310630'\n"
                             "LOC+91+UTO'\n"
                             "CNT+42:1'\n"
                             "UNT+21+VSL001'\n";

const char sample_answer[] = "UNH+RSP001+CUSRES:D:05B:UN:IATA+ZX0417/261204/1820+01:F'\n"
                             "BGM+962'\n"
                             "RFF+TN:ZXTRN000417A'\n"
                             "RFF+AF:ZX417'\n"
                             "DTM+189:2612041820:201'\n"
                             "DTM+232:2612050610:201'\n"
                             "LOC+125+JFK'\n"
                             "LOC+87+LIS'\n"
                             "ERP+2'\n"
                             "RFF+AVF:QX7T4Z'\n"
                             "RFF+ABO:ZX417-0001'\n"
                             "ERC+0Z'\n"
                             "FTX+AAP+++OK TO BOARD'\n"
                             "ERP+2'\n"
                             "RFF+AVF:QX7T4Z'\n"
                             "RFF+ABO:ZX417-0002'\n"
                             "ERC+1Z'\n"
                             "FTX+AAP+++MANUAL INSPECTION'\n"
                             "UNT+19+RSP001'\n";

struct read read_bytes(const char *bytes, size_t length, bool strict)
{
    struct read read = {.status = SP_OK};
    const struct sp_paxlst_options options = {.strict = strict, .now_ms = NOW_MS};
    char *copy = malloc(length ? length : 1); /* so that a sanitizer sees a read past the end */
    assert_non_null(copy);
    memcpy(copy, bytes, length);
    read.status = sp_paxlst_parse(&read.listings, &read.count, "t.edi", copy, length, &options, &read.err);
    free(copy);
    return read;
}

struct read read_text(const char *text, bool strict)
{
    return read_bytes(text, strlen(text), strict);
}

void read_free(struct read *read)
{
    sp_paxlst_free(&read->listings, read->count);
}

char *replaced(const char *sample, const char *from, const char *to)
{
    const char *at = strstr(sample, from);
    char *text = NULL;
    if (!at)
        fail_msg("the sample has no '%s'", from);
    else if (asprintf(&text, "%.*s%s%s", (int)(at - sample), sample, to, at + strlen(from)) < 0)
        fail_msg("no memory");
    return text;
}

const struct sp_deviation *find_deviation(const struct sp_listing *listing, const char *part)
{
    for (int i = 0; i < sp_listing_noted(listing); i++)
        if (strstr(listing->deviations[i].text, part))
            return &listing->deviations[i];
    for (int i = 0; i < sp_listing_noted(listing); i++)
        print_error("segment %d: %s\n", listing->deviations[i].segment, listing->deviations[i].text);
    fail_msg("no deviation with '%s' among the above", part);
    return NULL;
}
