// SPDX-License-Identifier: Apache-2.0
/* Sums over the facts of one request; see request.h. */
#include "why/request.h"

#include <stddef.h>

uint64_t why_request_state_ns(const struct why_request *request, enum ledger_state state)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < request->n_facts; i++)
		if (request->facts[i].kind == WHY_FACT_TIME && request->facts[i].state == state)
			sum += request->facts[i].ns;
	return sum;
}

uint64_t why_request_lost_in(const struct why_request *request, enum ledger_state state)
{
	uint64_t ns = why_request_state_ns(request, state);

	if (state != LEDGER_CPU)
		return ns;
	return ns > WHY_WORK_NS ? ns - WHY_WORK_NS : 0;
}

uint64_t why_request_lost_ns(const struct why_request *request)
{
	uint64_t lost = 0;

	for (int state = 0; state < LEDGER_STATES; state++)
		lost += why_request_lost_in(request, (enum ledger_state)state);
	return lost;
}

const struct why_fact *why_request_fact(
    const struct why_request *request, enum why_fact_kind kind, uint32_t place)
{
	for (uint32_t i = 0; i < request->n_facts; i++)
		if (request->facts[i].kind == kind && request->facts[i].place == place)
			return &request->facts[i];
	return NULL;
}
