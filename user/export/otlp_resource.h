/* SPDX-License-Identifier: Apache-2.0 */
/* Resources in protobuf, for every signal, and the packer that fills them and all else that has attributes. */
#ifndef ZS_EXPORT_OTLP_RESOURCE_H
#define ZS_EXPORT_OTLP_RESOURCE_H

#include "export/otlp_attrs.h"
#include "otlp_common.pb-c.h"

/* Room that attributes need: cells of lists, and bytes at most. */
struct otlp_room {
	size_t attrs, bytes;
};

void otlp_room_add(struct otlp_room *room, const struct attr *attrs, size_t n);
void otlp_room_add_resource(struct otlp_room *room, const struct service *service);

/* Packs into room that was measured before; what is free begins here. */
struct otlp_packer {
	ProtobufCBinaryData *list;
	uint8_t *bytes;
};

/* Add n attributes to the list that the caller began at packer->list. */
void otlp_packer_add(struct otlp_packer *packer, const struct attr *attrs, size_t n);

/* The resource of a service, or (NULL) of nobody who is known; telemetry.* follow its own attributes. */
void otlp_packer_resource(struct otlp_packer *packer, const struct service *service,
    Opentelemetry__Proto__Resource *ret_resource);

#endif
