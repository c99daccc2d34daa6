/* ISO/IEC 19794-5 face records: versions 010 (2005, what ICAO Doc 9303 refers to) and 030 (2011). Big-endian. */
#ifndef SALLYPORT_DOCUMENT_ISO19794_H
#define SALLYPORT_DOCUMENT_ISO19794_H

#include "document/dg2.h"
#include "document/tlv.h"

/* Add the images of the record that the element holds to the DG2, as instance `instance`. */
enum sp_status sp_iso19794_parse(struct sp_dg2 *dg2, int instance, const struct sp_tlv_reader *reader,
                                 const struct sp_tlv *tlv, struct sp_err *err);
/* Does the element hold such a record ("FAC")? */
bool sp_iso19794_looks_like(const struct sp_tlv_reader *reader, const struct sp_tlv *tlv);

#endif
