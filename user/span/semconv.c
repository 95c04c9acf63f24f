// SPDX-License-Identifier: Apache-2.0
/* The texts of the attribute keys; see semconv.h. */
#include "span/semconv.h"

const char semconv_client_address[] = "client.address";
const char semconv_db_namespace[] = "db.namespace";
const char semconv_db_query_summary[] = "db.query.summary";
const char semconv_db_query_text[] = "db.query.text";
const char semconv_db_response_returned_rows[] = "db.response.returned_rows";
const char semconv_db_response_status_code[] = "db.response.status_code";
const char semconv_db_system_name[] = "db.system.name";
const char semconv_error_type[] = "error.type";
const char semconv_http_request_body_size[] = "http.request.body.size";
const char semconv_http_request_method[] = "http.request.method";
const char semconv_http_request_method_original[] = "http.request.method_original";
const char semconv_http_response_body_size[] = "http.response.body.size";
const char semconv_http_response_status_code[] = "http.response.status_code";
const char semconv_http_route[] = "http.route";
const char semconv_network_peer_address[] = "network.peer.address";
const char semconv_network_peer_port[] = "network.peer.port";
const char semconv_network_protocol_version[] = "network.protocol.version";
const char semconv_network_transport[] = "network.transport";
const char semconv_server_address[] = "server.address";
const char semconv_server_port[] = "server.port";
const char semconv_url_full[] = "url.full";
const char semconv_url_path[] = "url.path";
const char semconv_url_query[] = "url.query";
const char semconv_url_scheme[] = "url.scheme";
const char semconv_user_agent_original[] = "user_agent.original";
const char semconv_zerospan_capture[] = "zerospan.capture";
const char semconv_zerospan_culprit_evidence[] = "zerospan.culprit.evidence";
const char semconv_zerospan_culprit_held_ms[] = "zerospan.culprit.held_ms";
const char semconv_zerospan_culprit_kind[] = "zerospan.culprit.kind";
const char semconv_zerospan_culprit_process_name[] = "zerospan.culprit.process.name";
const char semconv_zerospan_culprit_process_pid[] = "zerospan.culprit.process.pid";
const char semconv_zerospan_culprit_query_summary[] = "zerospan.culprit.db.query.summary";
const char semconv_zerospan_culprit_request[] = "zerospan.culprit.request";
const char semconv_zerospan_culprit_service_name[] = "zerospan.culprit.service.name";
const char semconv_zerospan_culprit_share[] = "zerospan.culprit.share";
const char semconv_zerospan_culprit_sqlite_connection[] = "zerospan.culprit.sqlite.connection";
const char semconv_zerospan_culprit_sqlite_transaction_id[] =
    "zerospan.culprit.sqlite.transaction.id";
const char semconv_zerospan_culprit_stack_user[] = "zerospan.culprit.stack.user";
const char semconv_zerospan_culprit_thread_id[] = "zerospan.culprit.thread.id";
const char semconv_zerospan_http_request_flaw[] = "zerospan.http.request.flaw";
const char semconv_zerospan_http_response_flaw[] = "zerospan.http.response.flaw";
const char semconv_zerospan_neighbours_count[] = "zerospan.neighbours.count";
const char semconv_zerospan_neighbours_top[] = "zerospan.neighbours.top";
const char semconv_zerospan_parent_basis[] = "zerospan.parent.basis";
const char semconv_zerospan_sqlite_detail[] = "zerospan.sqlite.detail";
const char semconv_zerospan_sqlite_inside_ms[] = "zerospan.sqlite.inside_ms";
const char semconv_zerospan_sqlite_phase[] = "zerospan.sqlite.phase";
const char semconv_zerospan_sqlite_transaction_duration_ms[] =
    "zerospan.sqlite.transaction.duration_ms";
const char semconv_zerospan_sqlite_transaction_id[] = "zerospan.sqlite.transaction.id";
const char semconv_zerospan_sqlite_transaction_outcome[] = "zerospan.sqlite.transaction.outcome";
const char semconv_zerospan_stack_kernel[] = "zerospan.stack.kernel";
const char semconv_zerospan_stack_state[] = "zerospan.stack.state";
const char semconv_zerospan_stack_user[] = "zerospan.stack.user";
const char semconv_zerospan_stack_wait_ms[] = "zerospan.stack.wait_ms";
