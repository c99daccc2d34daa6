/* ISO/IEC 39794-5:2019 face image data blocks, as ICAO's application profile has them in DG2 (DER, implicit tags).
 */
#ifndef SALLYPORT_DOCUMENT_ISO39794_H
#define SALLYPORT_DOCUMENT_ISO39794_H

#include "document/dg2.h"
#include "document/tlv.h"

/* Add the images of the block that the element holds to the DG2, as instance `instance`. */
enum sp_status sp_iso39794_parse(struct sp_dg2 *dg2, int instance, const struct sp_tlv_reader *reader,
                                 const struct sp_tlv *tlv, struct sp_err *err);

#endif
