-- SPDX-License-Identifier: Apache-2.0
-- What wrk sends: method, body and pause between requests, from the environment.
wrk.method = os.getenv("BENCH_METHOD") or "GET"
wrk.body = os.getenv("BENCH_BODY")
if wrk.body then
	wrk.headers["Content-Type"] = "application/json"
end

local pause_ms = tonumber(os.getenv("BENCH_PAUSE_MS") or "")
if pause_ms then
	function delay()
		return pause_ms
	end
end
