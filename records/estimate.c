#include "records/estimate.h"

#include <math.h>

#define Z_95       1.959963984540054 /* the normal distribution's 97.5 % point */
#define TAIL       0.025             /* of each side of the exact interval */
#define BISECTIONS 60                /* to 2^-60: beyond a double's precision near 1 */

static struct sp_estimate counted(int hits, int trials)
{
    trials = trials < 0 ? 0 : trials;
    hits = hits < 0 ? 0 : hits > trials ? trials : hits;
    return (struct sp_estimate){hits, trials, trials ? (double)hits / trials : NAN, 0, 1};
}

struct sp_estimate sp_estimate_wilson(int hits, int trials)
{
    struct sp_estimate estimate = counted(hits, trials);
    if (estimate.trials == 0)
        return estimate;
    double n = estimate.trials, p = estimate.value, z2 = Z_95 * Z_95;
    double middle = (p + z2 / (2 * n)) / (1 + z2 / n);
    double half = Z_95 / (1 + z2 / n) * sqrt(p * (1 - p) / n + z2 / (4 * n * n));
    /* At the ends the bound is the end itself; rounding must not say otherwise. */
    estimate.low = estimate.hits == 0 ? 0 : fmax(0, middle - half);
    estimate.high = estimate.hits == estimate.trials ? 1 : fmin(1, middle + half);
    return estimate;
}

static double log_gamma(double x)
{
    int sign;
    return lgamma_r(x, &sign); /* lgamma itself writes a global */
}

/* P(X >= from) - or P(X <= to) - of a binomial X is a sum over this range. 0 < p < 1. */
static double binomial(int from, int to, int trials, double p)
{
    double sum = 0, log_p = log(p), log_q = log1p(-p), all = log_gamma(trials + 1.0);
    for (int k = from; k <= to; k++)
        sum += exp(all - log_gamma(k + 1.0) - log_gamma(trials - k + 1.0) + k * log_p + (trials - k) * log_q);
    return sum;
}

struct sp_estimate sp_estimate_exact(int hits, int trials)
{
    struct sp_estimate estimate = counted(hits, trials);
    int n = estimate.trials, k = estimate.hits;
    if (n == 0)
        return estimate;
    /* low: where so many hits or more have 2.5 %; high: where so many or fewer have 2.5 %. */
    for (int side = 0; side < 2; side++) {
        double below = 0, above = 1;
        if (side == 0 ? k == 0 : k == n)
            continue;
        for (int i = 0; i < BISECTIONS; i++) {
            double p = (below + above) / 2;
            double tail = side == 0 ? binomial(k, n, n, p) : binomial(0, k, n, p);
            if ((tail < TAIL) == (side == 0))
                below = p;
            else
                above = p;
        }
        *(side == 0 ? &estimate.low : &estimate.high) = (below + above) / 2;
    }
    return estimate;
}
