# SPDX-License-Identifier: Apache-2.0
# What the shop and its load generator are made of. Paths are relative to the project root.

SHOP_SRCS := \
	target-app/audit.c \
	target-app/connection.c \
	target-app/desk.c \
	target-app/http.c \
	target-app/http_parse.c \
	target-app/inventory_client.c \
	target-app/log.c \
	target-app/main.c \
	target-app/model_loop.c \
	target-app/model_pool.c \
	target-app/model_threads.c \
	target-app/multi_client.c \
	target-app/pool_worker.c \
	target-app/reactor.c \
	target-app/settings.c \
	target-app/shop.c \
	target-app/shop_checkout.c \
	target-app/shop_deduct.c \
	target-app/shop_order.c \
	target-app/store.c \
	target-app/turn.c

SHOP_PKGS := libmicrohttpd sqlite3 libcurl jansson

TRAFFIC_SRCS := \
	target-app/traffic.c \
	target-app/traffic_crew.c \
	target-app/traffic_mix.c

TRAFFIC_PKGS := libcurl jansson
