-- SPDX-License-Identifier: Apache-2.0
-- What wrk sends: method and body, from the environment.
wrk.method = os.getenv("BENCH_METHOD") or "GET"
wrk.body = os.getenv("BENCH_BODY")
if wrk.body then
	wrk.headers["Content-Type"] = "application/json"
end
