// SPDX-License-Identifier: Apache-2.0
/* Attributes and resources of OTLP messages; see otlp_resource.h. */
#include "export/otlp_resource.h"

#include "export/otlp_batch.h"

void otlp_room_add(struct otlp_room *room, const struct attr *attrs, size_t n)
{
	room->attrs += n;
	room->bytes += otlp_attrs_bound(attrs, n);
}

void otlp_room_add_resource(struct otlp_room *room, const struct service *service)
{
	if (service)
		otlp_room_add(room, service->attrs, service->n_attrs);
	otlp_room_add(room, otlp_telemetry_attrs, OTLP_N_TELEMETRY_ATTRS);
}

void otlp_packer_add(struct otlp_packer *packer, const struct attr *attrs, size_t n)
{
	packer->bytes = otlp_pack_attrs(packer->bytes, attrs, n, packer->list);
	packer->list += n;
}

void otlp_packer_resource(struct otlp_packer *packer, const struct service *service,
    Opentelemetry__Proto__Resource *ret_resource)
{
	opentelemetry__proto__resource__init(ret_resource);
	ret_resource->attributes = packer->list;
	if (service)
		otlp_packer_add(packer, service->attrs, service->n_attrs);
	otlp_packer_add(packer, otlp_telemetry_attrs, OTLP_N_TELEMETRY_ATTRS);
	ret_resource->n_attributes = (size_t)(packer->list - ret_resource->attributes);
}
