-- SPDX-License-Identifier: Apache-2.0
-- What wrk sends: method and body, from the environment.
wrk.method = os.getenv("BENCH_METHOD") or "GET"
wrk.body = os.getenv("BENCH_BODY")
if wrk.body then
	wrk.headers["Content-Type"] = "application/json"
end

-- wrk counts latencies in whole microseconds. The middle one, if those of a microsecond lie in it evenly.
function done(summary, latency, requests)
	local half, before = 0, 0
	for i = 1, #latency do
		half = half + select(2, latency(i)) / 2
	end
	for i = 1, #latency do
		local value, count = latency(i)
		if before + count >= half then
			print(string.format("median %.3f us", value + (half - before) / count))
			return
		end
		before = before + count
	end
end
