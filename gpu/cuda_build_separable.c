/* Depthwise convolutions that the pointwise one behind them can make as well (cuda_separable.cuh). Whether it does
 * is measured; here it is only made possible. */
#include "gpu/cuda_build.h"

static bool same(const struct sp_cuda_ref *a, const struct sp_cuda_ref *b)
{
    return a->place == b->place && a->index == b->index && a->bytes == b->bytes;
}

/* Any part of the same buffer. */
static bool touches(const struct sp_cuda_ref *a, const struct sp_cuda_ref *b)
{
    return a->place == SP_PLACE_ARENA && b->place == SP_PLACE_ARENA && a->index == b->index;
}

/* How often the buffer is read: a sum with it is a reading of its own. */
static int readers(const struct sp_cuda_plan *plan, const struct sp_cuda_ref *ref)
{
    int count = 0;
    for (int i = 0; i < plan->step_count; i++) {
        const struct sp_cuda_step *step = &plan->steps[i];
        count += touches(&step->x, ref) + touches(&step->b, ref) + touches(&step->c, ref) +
                 touches(&step->residual, ref);
    }
    return count;
}

static bool pointwise(const struct sp_cuda_step *step)
{
    const struct sp_cuda_conv *c = &step->conv;
    return step->kind == SP_STEP_CONV && c->kernel[0] == 1 && c->kernel[1] == 1 && c->stride[0] == 1 &&
           c->stride[1] == 1 && !c->pad[0] && !c->pad[1] && c->oh == c->h && c->ow == c->w &&
           !step->tables[0].place;
}

/* The one's output is the other's input as it is, and not the same numbers in another shape. */
static bool fits(const struct sp_cuda_depthwise *d, const struct sp_cuda_conv *c)
{
    return d->n == c->n && d->oh == c->h && d->ow == c->w && d->pitch == c->pitch;
}

/* What step `first` reads is still what it was at step `last`. */
static bool stays(const struct sp_cuda_plan *plan, int first, int last)
{
    for (int i = first; i < last; i++)
        if (touches(&plan->steps[i].out, &plan->steps[first].x))
            return false;
    return true;
}

/* The one step that writes all of what step `last` reads, if that is a depthwise convolution; or -1. */
static int writer(const struct sp_cuda_plan *plan, int last)
{
    int found = -1;
    for (int i = 0; i < last; i++) {
        if (!touches(&plan->steps[i].out, &plan->steps[last].x))
            continue;
        if (found >= 0 || plan->steps[i].kind != SP_STEP_DEPTHWISE ||
            !same(&plan->steps[i].out, &plan->steps[last].x))
            return -1;
        found = i;
    }
    return found;
}

void sp_cuda_build_separable(struct sp_cuda_plan *plan)
{
    for (int i = 0; i < plan->step_count; i++) {
        struct sp_cuda_step *step = &plan->steps[i];
        int found = pointwise(step) ? writer(plan, i) : -1;
        if (found < 0 || plan->steps[found].residual.place || !fits(&plan->steps[found].depthwise, &step->conv) ||
            readers(plan, &step->x) != 1 || !stays(plan, found, i))
            continue;
        step->takes = found + 1;
    }
}
