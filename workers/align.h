/* Alignment: landmarks to an upright chip, by the least-squares similarity onto the embedder's template points. */
#ifndef SALLYPORT_WORKERS_ALIGN_H
#define SALLYPORT_WORKERS_ALIGN_H

#include "workers/resample.h"
#include "workers/vision.h"

#define SP_ALIGN_MEAN_FIRST  17 /* sp_align_mean_face_shape[0] is landmark 17 of 68 */
#define SP_ALIGN_MEAN_POINTS 51
#define SP_ALIGN_MAX_SIDE    150
#define SP_ALIGN_MAX_POINTS  40

/* The five points that every kind of landmarks can be brought to, in image order (left means left in the picture).
 */
enum sp_five { SP_FIVE_LEFT_EYE, SP_FIVE_RIGHT_EYE, SP_FIVE_NOSE, SP_FIVE_LEFT_MOUTH, SP_FIVE_RIGHT_MOUTH };

/* Unit-square positions of landmarks 17..67; mean_face_shape.c. */
extern const struct sp_point sp_align_mean_face_shape[SP_ALIGN_MEAN_POINTS];

/* Side of the chip, px: 150 for the dlib kinds, 112 for ArcFace. */
int sp_align_side(enum sp_align_kind kind);

/* Eye centres, nose tip and mouth corners of 68 points (means of 36..41 and 42..47; 30, 48, 54), or 5 points as
 * they are. */
void sp_align_five(const struct sp_point *points, int point_count, struct sp_point ret_five[5]);

/* The template's five points on the chip of this kind, px. */
void sp_align_template_five(enum sp_align_kind kind, struct sp_point ret_five[5]);

/* Least-squares similarity (rotation, scale, shift; never a reflection) from[i] -> to[i], closed form. SP_E_INVALID
 * when the from points coincide or are not finite. */
enum sp_status sp_align_similarity(struct sp_similarity *ret_map, const struct sp_point *from,
                                   const struct sp_point *to, int count, struct sp_err *err);

/* The map from image px to chip px for a face's landmarks. DLIB68 needs 68 points; the others take 68 or 5. */
enum sp_status sp_align_map(struct sp_similarity *ret_map, enum sp_align_kind kind, const struct sp_point *points,
                            int point_count, struct sp_err *err);

#endif
