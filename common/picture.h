/* The pixels of a picture: what the decoders make, the engine reads and tests compare. Readable by C++. */
#ifndef SALLYPORT_COMMON_PICTURE_H
#define SALLYPORT_COMMON_PICTURE_H

#include <stdint.h>

struct sp_image {
    int width, height; /* px */
    int stride;        /* bytes between rows, >= 3 * width */
    uint8_t *pixels;   /* [height][stride], RGB */
};

#endif
