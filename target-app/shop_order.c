// SPDX-License-Identifier: Apache-2.0
/*
 * Reads the JSON body of an order or a deduction and checks every field, with a message that names
 * what is wrong.
 */
#include "shop_parts.h"

#include <math.h>
#include <string.h>

static bool refuse_field(struct shop_request *request, const char *field, const char *problem)
{
	shop_refuse(request, 422, "Field '%s' %s", field, problem);
	return false;
}

static bool read_item(struct shop_request *request, const json_t *value)
{
	size_t len = json_string_length(value);

	if (!value)
		return refuse_field(request, "item", "is missing");
	if (!json_is_string(value))
		return refuse_field(request, "item", "must be a string");
	if (len == 0)
		return refuse_field(request, "item", "must not be empty");
	if (len > SHOP_ITEM_MAX || memchr(json_string_value(value), '\0', len))
		return refuse_field(request, "item", "must be a text of at most 100 bytes");
	memcpy(request->order.item, json_string_value(value), len + 1);
	return true;
}

static bool read_quantity(struct shop_request *request, const json_t *value)
{
	if (!value)
		return refuse_field(request, "quantity", "is missing");
	if (!json_is_integer(value))
		return refuse_field(request, "quantity", "must be an integer");
	if (json_integer_value(value) < 1 || json_integer_value(value) > SHOP_QUANTITY_MAX)
		return refuse_field(request, "quantity", "must be between 1 and 1000000");
	request->order.quantity = json_integer_value(value);
	return true;
}

static bool read_price(struct shop_request *request, const json_t *value)
{
	double price = json_number_value(value);

	if (!value)
		return refuse_field(request, "price", "is missing");
	if (!json_is_number(value))
		return refuse_field(request, "price", "must be a number");
	if (!isfinite(price) || price < 0 || price > SHOP_PRICE_MAX)
		return refuse_field(request, "price", "must be between 0 and 1000000000");
	request->order.price = price;
	request->order.whole_price = json_is_integer(value);
	return true;
}

bool shop_read_order(struct shop_request *request, bool with_price)
{
	json_error_t error;
	json_t *body;
	bool valid;

	body = json_loadb(request->body ? request->body : "", request->body_len,
	    JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (!body) {
		shop_refuse(request, 422, "Invalid JSON at line %d, column %d: %s", error.line,
		    error.column, error.text);
		return false;
	}
	if (!json_is_object(body)) {
		json_decref(body);
		shop_refuse(request, 422, "The body must be a JSON object");
		return false;
	}
	valid = read_item(request, json_object_get(body, "item")) &&
	    read_quantity(request, json_object_get(body, "quantity")) &&
	    (!with_price || read_price(request, json_object_get(body, "price")));
	json_decref(body);
	return valid;
}
