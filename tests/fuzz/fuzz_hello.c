/* Any bytes as the beginning of a TLS connection. Besides memory: what is promised of the three results. */
#include "../../server/worker/hello.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_done(const struct hello *h)
{
	if (h->name_len > NAME_MAX_BYTES || strlen(h->name) != h->name_len || h->version != 0x0303)
		abort();
	if (strspn(h->name, "abcdefghijklmnopqrstuvwxyz0123456789-._") != h->name_len)
		abort();
	if (!h->has_alpn && (h->offers_http11 || h->offers_acme_tls))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct hello whole, part;
	enum hello_result rc = hello_parse(data, size, &whole);
	if (rc == HELLO_DONE)
		check_done(&whole);
	if (rc == HELLO_BAD && (whole.name_len || whole.version > 0x0303))
		abort();
	if (rc == HELLO_MORE && size >= HELLO_MAX_BYTES)
		abort();
	/* more bytes never change what was certain */
	enum hello_result before = hello_parse(data, size / 2, &part);
	if (before != HELLO_MORE &&
	    (rc != before || whole.alert != part.alert || strcmp(whole.name, part.name) != 0))
		abort();
	return 0;
}
