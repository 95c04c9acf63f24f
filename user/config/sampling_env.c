// SPDX-License-Identifier: Apache-2.0
/* OTEL_TRACES_SAMPLER; see sampling_env.h. */
#include "config/sampling_env.h"

#include "base/log.h"
#include "config/option_values.h"
#include "proto/ot_state.h"

#define SAMPLER "OTEL_TRACES_SAMPLER"
#define ARG     "OTEL_TRACES_SAMPLER_ARG"

static uint64_t ratio(env_fn *get)
{
	const char *text = env_text(get, ARG);
	double part = 1;

	if (text && option_part(text, &part))
		log_warn("%s='%s' is ignored: expected a number from 0 to 1", ARG, text);
	return ot_threshold(part);
}

void sampling_from_env(struct sampling_policy *policy, env_fn *get)
{
	enum {
		NONE,
		ON,
		OFF,
		RATIO,
		PARENT
	};
	static const struct env_choice samplers[] = {
	    {NULL, NONE}, /* what the configuration file says */
	    {"always_on", ON},
	    {"always_off", OFF},
	    {"traceidratio", RATIO},
	    {"parentbased_always_on", PARENT + ON},
	    {"parentbased_always_off", PARENT + OFF},
	    {"parentbased_traceidratio", PARENT + RATIO},
	};
	int sampler = env_choice(get, SAMPLER, samplers, sizeof(samplers) / sizeof(samplers[0]));

	if (sampler == NONE)
		return;
	policy->on = true;
	policy->ignore_parent = sampler < PARENT;
	switch (sampler % PARENT) {
	case ON:
		policy->otherwise = 0;
		break;
	case OFF:
		policy->otherwise = OT_NEVER;
		break;
	default:
		policy->otherwise = ratio(get);
	}
}
