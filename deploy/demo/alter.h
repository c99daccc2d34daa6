/* Alterations of a picture, as cameras and software do them: the demo's and the tests' harder frames. */
#ifndef SALLYPORT_DEPLOY_DEMO_ALTER_H
#define SALLYPORT_DEPLOY_DEMO_ALTER_H

#include "image/image.h"

/* A square cut-out of an image: centre and side in px of the image. */
struct demo_square {
    float centre_x, centre_y, side;
};

struct demo_alteration {
    const char *name;
    float scale;      /* 1 = as it is */
    float degrees;    /* turned clockwise */
    float brightness; /* 1 = as it is */
    int jpeg_quality; /* 1..100 */
};

/* The first is "plain". Ends with name == NULL. */
extern const struct demo_alteration demo_alterations[];

/* Cut the square out of image, altered, and write it as a JPEG file. Blocking. */
enum sp_status demo_alter_write(const char *path, const struct sp_image *image, const struct demo_square *square,
                                const struct demo_alteration *alteration, struct sp_err *err);

#endif
