/* Countries as ships' papers write them. */
#ifndef SALLYPORT_LISTING_COUNTRY_H
#define SALLYPORT_LISTING_COUNTRY_H

/* "US", "usa" or "USA" to "USA" in ret_code; three letters are taken as they are (travel documents know codes of
 * their own, as XXA). NULL: neither. Source: ISO 3166-1. */
const char *sp_country_alpha3(char ret_code[4], const char *text);

#endif
