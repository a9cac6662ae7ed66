/* Any bytes as a name, a pattern and whatever else stands in one scalar: what is accepted has one form, which is
 * accepted again and stays what it is. */
#include "../../base/addr.h"
#include "../../base/buf.h"
#include "../../base/err.h"
#include "../../base/name.h"
#include "../../config/policy.h"
#include "../../config/spec.h"
#include "../../config/value.h"
#include "fuzz.h"

#include <stdio.h>
#include <string.h>

#define LDH "abcdefghijklmnopqrstuvwxyz0123456789-"

static void check_text(const char *text, size_t max)
{
	size_t len = strnlen(text, max);
	insist(len > 0 && len < max && !memchr(text, '\n', len) && !memchr(text, '\r', len));
}

static void check_labels(struct span name)
{
	insist(name.len >= 1 && name.len <= NAME_MAX_BYTES);
	for (struct span rest = name; rest.len; rest = name_parent(rest)) {
		size_t len = strspn(rest.p, LDH);
		insist(len >= 1 && len <= NAME_LABEL_MAX_BYTES && rest.p[0] != '-' && rest.p[len - 1] != '-');
		insist(len == rest.len || (rest.p[len] == '.' && len + 1 < rest.len));
	}
}

static void check_name(struct span in)
{
	struct name n, again;
	struct err err = {0};
	int rc = name_parse(in, &n, &err);
	if (rc) {
		insist((rc == ERR_PARSE || rc == ERR_RANGE) && err.code == rc && name_parse(in, &n, NULL) == rc);
		check_text(err.text, sizeof err.text);
		return;
	}
	insist(strlen(n.text) == n.len);
	check_labels(name_span(&n));
	insist(name_parse(name_span(&n), &again, NULL) == 0 && !again.was_changed &&
	       span_is(name_span(&n), name_span(&again)));
	insist(name_matches_mx(name_span(&n), name_span(&n)));
	char dotted[NAME_MAX_BYTES + 1];
	memcpy(dotted, n.text, n.len);
	dotted[n.len] = '.';
	insist(name_parse((struct span){dotted, n.len + 1}, &again, NULL) == 0 &&
	       span_is(name_span(&n), name_span(&again)));
}

static void check_pattern(struct span in)
{
	struct name n, again;
	struct err err = {0};
	if (name_parse_mx(in, &n, &err) != 0) {
		check_text(err.text, sizeof err.text);
		return;
	}
	struct span s = name_span(&n);
	bool is_wildcard = n.text[0] == '*';
	insist(strlen(n.text) == n.len && n.len <= NAME_MAX_BYTES && (!is_wildcard || n.text[1] == '.'));
	check_labels(is_wildcard ? name_parent(s) : s);
	insist(name_parse_mx(s, &again, NULL) == 0 && span_is(s, name_span(&again)));
	insist(!is_wildcard || !name_matches_mx(s, name_parent(s))); /* RFC 8461 4.1: never the name itself */
}

static void check_wrong(int rc, const struct value_error *e)
{
	if (rc == 0)
		return;
	insist(strlen(e->code) == 3);
	check_text(e->text, sizeof e->text);
}

static void check_mx(struct span in)
{
	struct buf packed;
	struct value_error e;
	enum value_note note;
	buf_init(&packed, 600);
	for (int i = 0; i < 3; i++) {
		int rc = value_add_mx(in, &packed, &note, &e);
		check_wrong(rc, &e);
		insist(pack_count(buf_span(&packed)) == (rc == 0 ? 1 : 0)); /* however often */
		insist(rc != 0 || i == 0 || note == VALUE_DUPLICATE);
	}
	buf_deinit(&packed);
}

static void check_rua(struct span in)
{
	static const char head[] = "v=TLSRPTv1; rua=";
	struct buf value;
	struct value_error e;
	buf_init(&value, 2000);
	for (size_t count = 1; count <= 2; count++) {
		int rc = value_add_rua(in, &value, &e);
		check_wrong(rc, &e);
		if (rc)
			break;
		struct span uris = {value.p + sizeof head - 1, value.len - (sizeof head - 1)};
		size_t commas = 0;
		insist(memcmp(value.p, head, sizeof head - 1) == 0);
		for (size_t i = 0; i < uris.len; i++) { /* RFC 8460 3: only the separator is raw */
			insist(uris.p[i] > 0x20 && uris.p[i] < 0x7F && !strchr(";!\"\\", uris.p[i]));
			commas += uris.p[i] == ',';
		}
		insist(commas == count - 1);
	}
	buf_deinit(&value);
}

static void check_scalars(struct span in)
{
	struct value_error e;
	struct name n;
	uint32_t number = UINT32_MAX;
	int rc = value_check_id(in, &e);
	check_wrong(rc, &e);
	insist(rc || (in.len >= 1 && in.len <= 32));
	rc = value_parse_max_age(in, &number, &e);
	check_wrong(rc, &e);
	if (rc == 0) {
		char text[16];
		insist(number <= POLICY_MAX_AGE_MAX_S && snprintf(text, sizeof text, "%u", number) > 0 &&
		       span_is(in, span_of(text)));
	}
	rc = value_parse_mode(in, &number, &e);
	check_wrong(rc, &e);
	insist(rc || span_is(in, span_of(policy_mode_name((enum policy_mode)number))));
	rc = value_parse_domain(in, &n, &e);
	check_wrong(rc, &e);
	insist(rc || (n.len + sizeof "_smtp._tls" <= NAME_MAX_BYTES && name_label_count(name_span(&n)) >= 2 &&
		      strncmp(n.text, "mta-sts.", 8) != 0));
}

static void check_address(struct span in)
{
	struct sockaddr_storage sa, again;
	struct err err = {0};
	char text[ADDR_TEXT_BYTES], twice[ADDR_TEXT_BYTES];
	bool is_v6;
	if (addr_parse(in, &sa, &err) == 0) {
		addr_render((const struct sockaddr *)&sa, text);
		insist(addr_parse(span_of(text), &again, NULL) == 0 && memcmp(&sa, &again, sizeof sa) == 0);
	} else {
		check_text(err.text, sizeof err.text);
	}
	if (addr_parse_ip(in, text, &is_v6, NULL) == 0)
		insist(addr_parse_ip(span_of(text), twice, &is_v6, NULL) == 0 && strcmp(text, twice) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = {(const char *)data, size};
	check_name(in);
	check_pattern(in);
	check_mx(in);
	check_rua(in);
	check_scalars(in);
	check_address(in);
	return 0;
}
