/* What pixels are made of: pictures, parts of them, maps between them, faces as a detector sees them. Plain structs
 * that the CPU's code, the kernels and their emulation share; coordinates are px, x to the right, y down. Readable
 * by C++. */
#ifndef SALLYPORT_GPU_PIXEL_H
#define SALLYPORT_GPU_PIXEL_H

#include <stdbool.h>
#include <stdint.h>
#include "common/picture.h"

struct sp_box {
    float x0, y0, x1, y1;
};

struct sp_point {
    float x, y;
};

/* A part of an image, in whole px; always inside it. */
struct sp_rect {
    int x, y, width, height;
};

/* How pixels become a net's input: (x - mean[c]) * scale, c in the net's colour order. */
struct sp_norm {
    int colour; /* 0: RGB, 1: BGR, as in a pack */
    float mean[3];
    float scale;
};

/* Columns or rows of a resized picture: number i shows the source from origin + i * step on, for a step, of which
 * only low .. high is there. Px of the part that is read, and fractions of them. */
struct sp_axis {
    double origin, step, low, high;
};

/* Where a resized picture lies in a tensor of width x height: x_tensor = x_source * scale + offset_x. */
struct sp_fit {
    int width, height;             /* of the tensor, px */
    int inner_width, inner_height; /* of the resized picture, px */
    int offset_x, offset_y;        /* px in the tensor */
    float scale;
    struct sp_axis across, down;
};

/* u' = a*u - b*v + tx, v' = b*u + a*v + ty: image px to chip px. */
struct sp_similarity {
    float a, b, tx, ty;
};

/* How a chip is cut: the source is halved `levels` times (2 x 2 boxes), and chip px (u, v) lies at
 * (x0 + ax * u + bx * v, y0 - bx * u + ax * v) of the halved part. */
struct sp_warp {
    int levels;
    struct sp_rect part; /* of the image; corner and size are multiples of 2^levels; width 0: nothing is seen */
    float x0, y0, ax, bx;
};

/* One face as a decoder saw it: px of the net's input, or of the image once placed. */
struct sp_candidate {
    struct sp_box box;
    float score;
    bool has_points;
    struct sp_point points[5]; /* left eye, right eye, nose, mouth corners, as seen in the picture */
};

#define SP_MAX_FACES 16 /* per image; the largest are kept */

/* The faces of one image, px of the image, largest first. */
struct sp_detections {
    int count;
    struct sp_candidate items[SP_MAX_FACES];
};

/* One SSD prior box, px of the net's input. */
struct sp_ssd_anchor {
    float x, y, width, height; /* centre and size */
};

/* Sums over the px of a chip that show the face; whole numbers, so no order of adding changes them. Luminance
 * 0..255; a chip of 180 px a side would still fit. */
struct sp_tally {
    int32_t count, dark, bright;
    int32_t sum, squares; /* of luminance */
    int32_t laplacian;    /* of its 4-neighbour Laplacian */
    int64_t laplacian_squares;
};

#endif
