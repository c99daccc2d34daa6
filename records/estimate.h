/* A proportion that was counted, with the bounds of its 95 % confidence interval.
 *
 * Wilson: E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of the American
 * Statistical Association 22 (1927), 209-212: the score interval, short and near its nominal coverage for small counts
 * (Brown, Cai, DasGupta, "Interval estimation for a binomial proportion", Statistical Science 16 (2001), 101-133).
 * Exact: C. J. Clopper, E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
 * Biometrika 26 (1934), 404-413: never covers less than 95 %, and is wider. Both take trials as independent. */
#ifndef SALLYPORT_RECORDS_ESTIMATE_H
#define SALLYPORT_RECORDS_ESTIMATE_H

struct sp_estimate {
    int hits, trials;
    double value;     /* hits / trials; NaN without a trial */
    double low, high; /* 0 and 1 without a trial: nothing is known */
};

/* hits beyond 0..trials are cut to it; negative trials are none. */
struct sp_estimate sp_estimate_wilson(int hits, int trials);
struct sp_estimate sp_estimate_exact(int hits, int trials);

#endif
