// SPDX-License-Identifier: Apache-2.0
/* Content negotiation of scrapes: what real scrapers send, weights, versions, and what is malformed. */
#include "export/accept.h"
#include "support.h"

#define OM "application/openmetrics-text"
#define PROTOBUF                           \
	"application/vnd.google.protobuf;" \
	"proto=io.prometheus.client.MetricFamily;encoding=delimited"

struct format_case {
	const char *field;
	bool openmetrics, escaping;
};

static void expect_formats(const struct format_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct accepted got = accept_format(sv_cstr(cases[i].field));

		if (got.openmetrics != cases[i].openmetrics || got.escaping != cases[i].escaping)
			fail_msg("\"%s\": openmetrics %d, escaping %d", cases[i].field,
			    got.openmetrics, got.escaping);
	}
}

static void test_real_scrapers(void **state)
{
	static const struct format_case cases[] = {
	    /* Prometheus 2.42, and with --enable-feature=native-histograms */
	    {OM ";version=1.0.0," OM ";version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,"
		"*/*;q=0.1",
		true, false},
	    {PROTOBUF "," OM ";version=1.0.0;q=0.8," OM ";version=0.0.1;q=0.75,"
		      "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
		true, false},
	    /* Prometheus 3 */
	    {OM ";version=1.0.0;escaping=allow-utf-8;q=0.6," OM ";version=0.0.1;q=0.5,"
		"text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
		"text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
		true, true},
	    /* curl, a browser, nothing */
	    {"*/*", false, false},
	    {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", false, false},
	    {"", false, false},
	    {NULL, false, false},
	};

	(void)state;
	expect_formats(cases, sizeof(cases) / sizeof(cases[0]));
}

static void test_weights_and_versions(void **state)
{
	static const struct format_case cases[] = {
	    {OM, true, false},
	    {"Application/OpenMetrics-Text ; Version=\"1.0.0\" ; Q=0.5", true, false},
	    {OM ";version=0.0.1", false, false},
	    {OM ";version=2.0.0", false, false},
	    {OM ";version=2.0.0," OM ";version=1.0.0;q=0.1", true, false},
	    {"text/plain;q=0.5," OM ";q=0.6", true, false},
	    {OM ";q=0.5,text/plain;q=0.6", false, false},
	    {OM ";q=0.5,text/plain;q=0.5", true, false}, /* the first of equals */
	    {"text/plain;q=0.5," OM ";q=0.5", false, false},
	    {OM ";q=0.001,text/plain;q=0", true, false},
	    {OM ";q=0", false, false},
	    {OM ";q=0.000,*/*", false, false},
	    {"text/*;q=0.9," OM ";q=0.8", false, false},
	    {"text/plain;version=1.0.0," OM ";q=0.1", true, false},
	    {OM ";escaping=underscores;q=0.2,text/plain", false, false},
	    {PROTOBUF, false, false},
	};

	(void)state;
	expect_formats(cases, sizeof(cases) / sizeof(cases[0]));
}

static void test_malformed(void **state)
{
	static const struct format_case cases[] = {
	    {",,;;,=", false, false},
	    {OM ";q=", false, false},
	    {OM ";q", false, false},
	    {OM ";q=2", false, false},
	    {OM ";q=1.001", false, false},
	    {OM ";q=0.1234", false, false},
	    {OM ";q=-1", false, false},
	    {OM ";q=0,5", false, false},
	    {OM ";q=.5", false, false},
	    {OM ";q=nan", false, false},
	    {OM ";q=1.000,", true, false},
	    {OM ";x=\"a,b;q=0\\\"\";q=1", true, false}, /* separators within quotes */
	    {OM ";x=\"open,text/plain", true, false},
	    {"x=\"\\", false, false},
	    {"application/openmetrics-textual", false, false},
	};

	(void)state;
	expect_formats(cases, sizeof(cases) / sizeof(cases[0]));
}

static void test_gzip(void **state)
{
	static const struct {
		const char *field;
		bool want;
	} cases[] = {
	    {"gzip", true},
	    {"GZIP", true},
	    {"x-gzip", true},
	    {"deflate, gzip;q=0.5, br", true},
	    {"*", true},
	    {"identity;q=0.5, gzip", true},
	    {NULL, false},
	    {"", false},
	    {"identity", false},
	    {"gzip;q=0", false},
	    {"gzip;q=0, *", false},
	    {"*;q=0", false},
	    {"gzip;q=0.1, identity", false},
	    {"gzip;q=x", false},
	    {"gzipped", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (accept_gzip(sv_cstr(cases[i].field)) != cases[i].want)
			fail_msg("\"%s\"", cases[i].field);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_real_scrapers),
	    cmocka_unit_test(test_weights_and_versions),
	    cmocka_unit_test(test_malformed),
	    cmocka_unit_test(test_gzip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
