#include "../../base/buf.h"
#include "../../server/worker/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define FIELDS " HTTP/1.1\r\nHost: mta-sts.example.com\r\n\r\n"

static const int64_t now = 784111777;
static const struct span policy = {"version: STSv1\r\n", 16};

static void test_answer_first_reason_that_fits_is_given(void **state)
{
	(void)state;
	static const struct {
		int line;
		const char *request;
		int status;
	} cases[] = {
		/* A-H1, A-H2, A-H4, A-H12, A-H21, A-H23 */
		{__LINE__, "GET " ANSWER_PATH FIELDS, 200},
		{__LINE__, "HEAD " ANSWER_PATH FIELDS, 200},
		{__LINE__, "GET " ANSWER_PATH " HTTP/1.0\r\n\r\n", 200},
		{__LINE__, "GET https://mta-sts.example.com" ANSWER_PATH FIELDS, 200},
		{__LINE__, "GET HTTPS://MTA-STS.example.com:443" ANSWER_PATH " HTTP/1.0\r\n\r\n", 200},
		{__LINE__, "GET " ANSWER_PATH " HTTP/1.1\r\nHost: MTA-STS.Example.COM\r\n\r\n", 200},
		{__LINE__, "GET " ANSWER_PATH " HTTP/1.1\r\nHost: mta-sts.example.com:443\r\n\r\n", 200},
		{__LINE__, "GET " ANSWER_PATH " HTTP/1.1\r\nHost: mta-sts.example.com.\r\n\r\n", 200},
		/* A-H5 */
		{__LINE__, "POST " ANSWER_PATH FIELDS, 405},
		{__LINE__, "PUT " ANSWER_PATH FIELDS, 405},
		{__LINE__, "DELETE " ANSWER_PATH FIELDS, 405},
		{__LINE__, "PATCH " ANSWER_PATH FIELDS, 405},
		{__LINE__, "OPTIONS " ANSWER_PATH FIELDS, 405},
		{__LINE__, "TRACE " ANSWER_PATH FIELDS, 405},
		{__LINE__, "OPTIONS *" FIELDS, 405},
		/* A-H7, A-H8 */
		{__LINE__, "GET /" FIELDS, 404},
		{__LINE__, "GET /index.html" FIELDS, 404},
		{__LINE__, "GET /.well-known/" FIELDS, 404},
		{__LINE__, "GET /.well-known/security.txt" FIELDS, 404},
		{__LINE__, "GET /.well-known/MTA-STS.txt" FIELDS, 404},
		{__LINE__, "GET " ANSWER_PATH "/" FIELDS, 404},
		{__LINE__, "GET " ANSWER_PATH "?" FIELDS, 404},
		{__LINE__, "GET " ANSWER_PATH "?x=y" FIELDS, 404},
		{__LINE__, "GET /mta-sts.txt" FIELDS, 404},
		{__LINE__, "GET /.well-known/mta-sts%2Etxt" FIELDS, 404},
		{__LINE__, "GET /../etc/passwd" FIELDS, 404},
		{__LINE__, "GET /.well-known/.." ANSWER_PATH FIELDS, 404},
		{__LINE__, "GET /%2e%2e/" FIELDS, 404},
		{__LINE__, "GET /" ANSWER_PATH FIELDS, 404},
		{__LINE__, "POST /" FIELDS, 404},
		/* A-H11: whatever the path and the method */
		{__LINE__, "GET " ANSWER_PATH " HTTP/1.1\r\nHost: mta-sts.other.example\r\n\r\n", 421},
		{__LINE__, "POST / HTTP/1.1\r\nHost: example.com\r\n\r\n", 421},
		{__LINE__, "GET " ANSWER_PATH " HTTP/1.1\r\nHost: mta-sts.example.com..\r\n\r\n", 421},
		{__LINE__, "GET " ANSWER_PATH " HTTP/1.1\r\nHost: .\r\n\r\n", 421},
		{__LINE__, "GET " ANSWER_PATH " HTTP/1.1\r\nHost: mta-sts.example.co\r\n\r\n", 421},
		{__LINE__, "GET " ANSWER_PATH " HTTP/1.0\r\nHost: mta-sts.other.example\r\n\r\n", 421},
		{__LINE__, "GET https://mta-sts.other.example" ANSWER_PATH FIELDS, 421},
		{__LINE__, "GET http://mta-sts.example.com" ANSWER_PATH FIELDS, 421},
		{__LINE__, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 421},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct http_request r;
		if (http_parse_request(cases[i].request, strlen(cases[i].request), &r) != HTTP_DONE)
			fail_msg("line %d: not parsed, %d", cases[i].line, r.status);
		int status = answer_judge(&r, SPAN_LIT("mta-sts.example.com"));
		if (status != cases[i].status)
			fail_msg("line %d: %d", cases[i].line, status);
	}
}

static void check_text(int line, const struct buf *out, const char *text)
{
	if (!span_is(buf_span(out), span_of(text)))
		fail_msg("line %d: %.*s", line, SPAN_ARG(buf_span(out)));
}

static void test_answer_policy_is_sent_as_it_is(void **state)
{
	(void)state;
	struct buf out;
	buf_init(&out, 4096);
	assert_int_equal(answer_render(200, HTTP_GET, policy, now, &out), 0);
	check_text(__LINE__, &out,
		   "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/plain\r\n"
		   "Content-Length: 16\r\nCache-Control: max-age=60\r\nConnection: close\r\n\r\n"
		   "version: STSv1\r\n");
	buf_reset(&out);
	assert_int_equal(answer_render(200, HTTP_HEAD, policy, now, &out), 0);
	check_text(__LINE__, &out, /* A-H2 */
		   "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/plain\r\n"
		   "Content-Length: 16\r\nCache-Control: max-age=60\r\nConnection: close\r\n\r\n");
	buf_deinit(&out);
}

static void test_answer_refusal_is_no_policy(void **state)
{
	(void)state;
	static const int statuses[] = {400, 404, 405, 414, 421, 431, 501, 503, 505};
	for (size_t i = 0; i < COUNT(statuses); i++) {
		struct buf out;
		buf_init(&out, 4096);
		assert_int_equal(answer_render(statuses[i], HTTP_GET, policy, now, &out), 0);
		const char *text = buf_text(&out);
		assert_null(strstr(text, "version"));
		assert_null(strstr(text, "Location"));
		assert_null(strstr(text, "Cache-Control"));
		assert_non_null(strstr(text, "\r\nContent-Type: text/plain\r\n"));
		assert_non_null(strstr(text, "\r\nConnection: close\r\n")); /* A-H3 */
		assert_true((strstr(text, "\r\nAllow: GET, HEAD\r\n") != NULL) == (statuses[i] == 405));
		assert_null(strstr(http_reason(statuses[i]), "Error"));
		buf_reset(&out);
		assert_int_equal(answer_render(statuses[i], HTTP_HEAD, (struct span){0}, now, &out), 0);
		assert_string_equal(buf_text(&out) + out.len - 4, "\r\n\r\n");
		buf_deinit(&out);
	}
}

static void test_answer_statuses_have_a_counter_each(void **state)
{
	(void)state;
	static const int statuses[] = {200, 400, 404, 405, 414, 421, 431, 501, 503, 505};
	for (size_t i = 0; i < COUNT(statuses); i++) {
		char want[64];
		(void)snprintf(want, sizeof want, "code=\"%d\"", statuses[i]);
		assert_non_null(strstr(metric_name(answer_metric(statuses[i])), want));
	}
}

static void test_answer_that_does_not_fit_fails(void **state)
{
	(void)state;
	static const char much[600];
	struct buf out;
	buf_init(&out, 600);
	assert_int_not_equal(answer_render(200, HTTP_GET, (struct span){much, sizeof much}, now, &out), 0);
	buf_deinit(&out);
	buf_init(&out, 100);
	assert_int_not_equal(answer_render(404, HTTP_GET, (struct span){0}, now, &out), 0);
	buf_deinit(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answer_first_reason_that_fits_is_given),
		cmocka_unit_test(test_answer_policy_is_sent_as_it_is),
		cmocka_unit_test(test_answer_refusal_is_no_policy),
		cmocka_unit_test(test_answer_statuses_have_a_counter_each),
		cmocka_unit_test(test_answer_that_does_not_fit_fails),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
