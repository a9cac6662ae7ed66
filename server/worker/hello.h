/* hello: server name and ALPN offers of a TLS ClientHello, before any TLS engine exists.
 *
 * So an unknown name costs microseconds and no heap. It judges only what it needs; the TLS engine gets the
 * very same bytes afterwards and judges the rest. */
#ifndef WORKER_HELLO_H
#define WORKER_HELLO_H

#include "../../base/name.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	HELLO_MAX_BYTES = 16384, /* a handshake message with several post-quantum key shares is 2-5 KiB */
};

struct buf;

enum hello_result {
	HELLO_DONE, /* out is filled in */
	HELLO_MORE, /* come again with more bytes behind the same ones */
	HELLO_BAD,  /* no ClientHello that we could ever answer: send out->alert, if it is not ALERT_NONE */
};

/* TLS alert descriptions that are sent before an engine exists (RFC 8446 6, RFC 6066 3). */
enum hello_alert {
	ALERT_NONE = 0, /* the peer does not speak TLS */
	ALERT_UNEXPECTED_MESSAGE = 10,
	ALERT_RECORD_OVERFLOW = 22,
	ALERT_ILLEGAL_PARAMETER = 47,
	ALERT_DECODE_ERROR = 50,
	ALERT_PROTOCOL_VERSION = 70,
	ALERT_INTERNAL_ERROR = 80,
	ALERT_UNRECOGNIZED_NAME = 112,
};

struct hello {
	char name[NAME_MAX_BYTES + 1]; /* lower case, no trailing dot, NUL behind; "" when there is none */
	size_t name_len;
	bool has_alpn;
	bool offers_http11;     /* "http/1.1" is among the offers */
	bool offers_acme_tls;   /* "acme-tls/1" */
	bool offers_aes128_gcm; /* TLS_AES_128_GCM_SHA256 is among the cipher suites */
	bool is_split;          /* it came in more than one record */
	uint16_t version;       /* legacy_version, 0x0303 at most: that of the records to answer with */
	enum hello_alert alert; /* HELLO_BAD */
};

/* hello_parse: server name and ALPN offers of a TLS ClientHello.
 * in/len   bytes so far; not kept. May span several TLS records and stop anywhere; what follows it is not
 *          looked at.
 * HELLO_BAD with
 *   unexpected_message   another message, or another record before it is complete; an empty record
 *   record_overflow      a record above 16384 bytes
 *   illegal_parameter    above HELLO_MAX_BYTES with its record headers; an extension twice; two host names
 *   decode_error         lengths that contradict each other
 *   protocol_version     legacy_version below TLS 1.2
 *   unrecognized_name    a host name with bytes outside LDH, dot and underscore, or longer than 253
 * allocates nothing
 * source   RFC 5246 7.4.1.2, RFC 8446 4.1.2 and 5.1, RFC 6066 3, RFC 7301 3.1 */
enum hello_result hello_parse(const uint8_t *in, size_t len, struct hello *out);

/* hello_unsplit: appends to out what in/len holds, with the ClientHello in one record; what follows it stays as it is.
 * Only for bytes for which hello_parse said HELLO_DONE. Engines differ in how small the pieces of a message may be
 * that they put together: mbedTLS wants its four bytes of header in one record, RFC 8446 5.1 does not.
 * Returns 0, ERR_NOMEM or ERR_RANGE. */
int hello_unsplit(const uint8_t *in, size_t len, struct buf *out);

enum { HELLO_ALERT_BYTES = 7 };

/* hello_render_alert: the record with a fatal alert (RFC 8446 5.1, 6). */
void hello_render_alert(const struct hello *h, uint8_t out[HELLO_ALERT_BYTES]);

#endif
