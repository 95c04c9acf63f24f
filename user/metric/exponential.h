/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Base-2 exponential histograms of values >= 0, as the OpenTelemetry data model has them ("ExponentialHistogram"): bucket i
 * counts values in (base^i, base^(i+1)] with base = 2^(2^-scale). The scale starts at its largest, and falls when
 * the values need more buckets than there are; it never rises.
 */
#ifndef ZS_METRIC_EXPONENTIAL_H
#define ZS_METRIC_EXPONENTIAL_H

#include <stdint.h>

#define METRIC_EXPONENTIAL_BUCKETS   160
#define METRIC_EXPONENTIAL_SCALE_MAX 20

struct metric_exponential {
	int32_t scale; /* -4 to 20: all doubles fit into the buckets at -4 */
	uint64_t zero_count;
	int32_t offset;   /* index of counts[0] */
	uint32_t n;       /* at most METRIC_EXPONENTIAL_BUCKETS */
	uint64_t *counts; /* the caller's; to be written to, it has room for all buckets */
};

/* Nothing counted; counts has METRIC_EXPONENTIAL_BUCKETS zeros, and is borrowed. */
void metric_exponential_init(struct metric_exponential *histogram, uint64_t *counts);

/* Index of the bucket of a finite value > 0. */
int32_t metric_exponential_index(double value, int32_t scale);

/* Count a finite value >= 0. */
void metric_exponential_record(struct metric_exponential *histogram, double value);

/* Lower the scale by this much: 2^by neighbours become one. */
void metric_exponential_downscale(struct metric_exponential *histogram, int by);

#endif
