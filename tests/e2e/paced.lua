-- SPDX-License-Identifier: Apache-2.0
-- wrk: each connection waits this many milliseconds before each request.
function delay()
	return 10
end
