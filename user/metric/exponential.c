// SPDX-License-Identifier: Apache-2.0
/* Exponential histograms; see exponential.h. */
#include "metric/exponential.h"

#include <math.h>
#include <string.h>

void metric_exponential_init(struct metric_exponential *histogram, uint64_t *counts)
{
	*histogram =
	    (struct metric_exponential){.scale = METRIC_EXPONENTIAL_SCALE_MAX, .counts = counts};
}

/*
 * The first n binary digits behind the point of log2(m), 1 < m < 2, as a number: squaring doubles the logarithm. An error grows
 * no faster than the logarithm does, so m is classified as if it were known to the precision of a long double.
 */
static int32_t log2_digits(long double m, int32_t n)
{
	int32_t digits = 0;

	while (n-- > 0) {
		m *= m;
		digits <<= 1;
		if (m >= 2) {
			digits |= 1;
			m /= 2;
		}
	}
	return digits;
}

/*
 * Powers of two are upper bounds of buckets at every scale; the logarithms of other doubles are no fractions of a power of
 * two, so none of them lies on a bound.
 */
int32_t metric_exponential_index(double value, int32_t scale)
{
	int exponent;
	double fraction =
	    frexp(value, &exponent); /* value = fraction * 2^exponent, 0.5 <= fraction < 1 */
	int32_t octave = exponent - 1;

	if (fraction == 0.5)
		return scale > 0 ? octave * (1 << scale) - 1 : (octave - 1) >> -scale;
	if (scale <= 0)
		return octave >> -scale;
	return octave * (1 << scale) + log2_digits((long double)fraction * 2, scale);
}

void metric_exponential_downscale(struct metric_exponential *histogram, int by)
{
	int32_t offset = histogram->offset >> by;
	uint32_t to = 0;

	for (uint32_t i = 0; i < histogram->n; i++) {
		uint64_t count = histogram->counts[i];

		to = (uint32_t)(((histogram->offset + (int32_t)i) >> by) - offset); /* <= i */
		histogram->counts[i] = 0;
		histogram->counts[to] += count;
	}
	histogram->scale -= by;
	histogram->offset = offset;
	if (histogram->n)
		histogram->n = to + 1;
}

/* By how much the scale must fall for buckets from low to high to fit. */
static int excess(int64_t low, int64_t high)
{
	int by = 0;

	while ((high >> by) - (low >> by) >= METRIC_EXPONENTIAL_BUCKETS)
		by++;
	return by;
}

/* Make the range of buckets, which is not empty, include this one. There is room. */
static void extend(struct metric_exponential *histogram, int32_t index)
{
	uint32_t shift;

	if (index < histogram->offset) {
		shift = (uint32_t)(histogram->offset - index);
		memmove(histogram->counts + shift, histogram->counts,
		    histogram->n * sizeof(histogram->counts[0]));
		memset(histogram->counts, 0, shift * sizeof(histogram->counts[0]));
		histogram->offset = index;
		histogram->n += shift;
	} else if ((uint32_t)(index - histogram->offset) >= histogram->n) {
		histogram->n = (uint32_t)(index - histogram->offset) + 1;
	}
}

void metric_exponential_record(struct metric_exponential *histogram, double value)
{
	int32_t index, low, high;
	int by;

	if (value <= 0) {
		histogram->zero_count++;
		return;
	}
	index = metric_exponential_index(value, histogram->scale);
	if (histogram->n == 0)
		histogram->offset = index;
	low = index < histogram->offset ? index : histogram->offset;
	high = histogram->offset + (int32_t)histogram->n - 1;
	by = excess(low, index > high ? index : high);
	if (by)
		metric_exponential_downscale(histogram, by);
	extend(histogram, index >> by);
	histogram->counts[(index >> by) - histogram->offset]++;
}
