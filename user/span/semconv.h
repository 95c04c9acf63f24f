/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attribute keys of OpenTelemetry's semantic conventions v1.44.0 as far as spans and metrics carry
 * them. Compared by text at the edges, by address inside: each key is one object.
 */
#ifndef ZS_SPAN_SEMCONV_H
#define ZS_SPAN_SEMCONV_H

#define SEMCONV_SCHEMA_URL "https://opentelemetry.io/schemas/1.44.0"

extern const char semconv_client_address[];
extern const char semconv_db_namespace[];
extern const char semconv_db_query_summary[];
extern const char semconv_db_query_text[];
extern const char semconv_db_response_returned_rows[];
extern const char semconv_db_response_status_code[];
extern const char semconv_db_system_name[];
extern const char semconv_error_type[];
extern const char semconv_http_request_body_size[];
extern const char semconv_http_request_method[];
extern const char semconv_http_request_method_original[];
extern const char semconv_http_response_body_size[];
extern const char semconv_http_response_status_code[];
extern const char semconv_http_route[];
extern const char semconv_network_peer_address[];
extern const char semconv_network_peer_port[];
extern const char semconv_network_protocol_version[];
extern const char semconv_network_transport[];
extern const char semconv_server_address[];
extern const char semconv_server_port[];
extern const char semconv_url_full[];
extern const char semconv_url_path[];
extern const char semconv_url_query[];
extern const char semconv_url_scheme[];
extern const char semconv_user_agent_original[];
extern const char semconv_zerospan_capture[];
extern const char semconv_zerospan_culprit_evidence[];
extern const char semconv_zerospan_culprit_held_ms[];
extern const char semconv_zerospan_culprit_kind[];
extern const char semconv_zerospan_culprit_process_name[];
extern const char semconv_zerospan_culprit_process_pid[];
extern const char semconv_zerospan_culprit_query_summary[];
extern const char semconv_zerospan_culprit_request[];
extern const char semconv_zerospan_culprit_service_name[];
extern const char semconv_zerospan_culprit_share[];
extern const char semconv_zerospan_culprit_sqlite_connection[];
extern const char semconv_zerospan_culprit_sqlite_transaction_id[];
extern const char semconv_zerospan_culprit_stack_user[];
extern const char semconv_zerospan_culprit_thread_id[];
extern const char semconv_zerospan_http_request_flaw[];
extern const char semconv_zerospan_http_response_flaw[];
extern const char semconv_zerospan_neighbours_count[];
extern const char semconv_zerospan_neighbours_top[];
extern const char semconv_zerospan_parent_basis[];
extern const char semconv_zerospan_sqlite_detail[];
extern const char semconv_zerospan_sqlite_inside_ms[];
extern const char semconv_zerospan_sqlite_phase[];
extern const char semconv_zerospan_sqlite_transaction_duration_ms[];
extern const char semconv_zerospan_sqlite_transaction_id[];
extern const char semconv_zerospan_sqlite_transaction_outcome[];
extern const char semconv_zerospan_stack_kernel[];
extern const char semconv_zerospan_stack_state[];
extern const char semconv_zerospan_stack_user[];
extern const char semconv_zerospan_stack_wait_ms[];

#endif
