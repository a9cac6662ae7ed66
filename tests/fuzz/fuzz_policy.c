/* Any bytes as what a damaged store may hand out: a policy body, a spec, settings, a domain's row. None is believed,
 * and what is read can be written again and is the same. */
#include "../../base/buf.h"
#include "../../base/clock.h"
#include "../../base/err.h"
#include "../../config/domains.h"
#include "../../config/keys.h"
#include "../../config/policy.h"
#include "../../config/settings_table.h"
#include "../../config/spec.h"
#include "fuzz.h"

#include <string.h>

enum { MX_MAX_COUNT = 2048, STORED_MAX_BYTES = 1 << 25 };

static bool is_within(struct span s, struct span whole)
{
	return s.len == 0 || (s.p >= whole.p && s.p + s.len <= whole.p + whole.len);
}

static void check_body(struct span body)
{
	static struct span mx[MX_MAX_COUNT];
	struct policy p = {.mode = POLICY_TESTING, .max_age_s = 86400, .mx = mx};
	struct buf again;
	size_t pos = 0, again_pos = 0;
	struct span one;
	while (p.mx_count < MX_MAX_COUNT && policy_next_mx(body, &pos, &mx[p.mx_count]) == 0) {
		insist(is_within(mx[p.mx_count], body) && mx[p.mx_count].len > 0);
		p.mx_count++;
	}
	insist(p.mx_count == MX_MAX_COUNT || policy_next_mx(body, &pos, &one) == ERR_NOENT);
	buf_init(&again, STORED_MAX_BYTES);
	insist(policy_render(&p, &again) == 0);
	for (size_t i = 0; i < p.mx_count; i++)
		insist(policy_next_mx(buf_span(&again), &again_pos, &one) == 0 && span_is(one, mx[i]));
	insist(policy_next_mx(buf_span(&again), &again_pos, &one) == ERR_NOENT);
	buf_deinit(&again);
}

static void check_mode(struct span text)
{
	enum policy_mode mode;
	if (policy_parse_mode(text, &mode) == 0)
		insist(span_is(text, span_of(policy_mode_name(mode))));
}

static void check_pack(struct span packed)
{
	struct span rest = packed, item;
	struct buf again;
	size_t count = 0;
	buf_init(&again, STORED_MAX_BYTES);
	for (; pack_next(&rest, &item); count++)
		insist(is_within(item, packed) && pack_add(&again, item) == 0 &&
		       (count > 100 || pack_has(packed, item)));
	insist(count == pack_count(packed) && again.len <= packed.len);
	insist(again.len == 0 || memcmp(again.p, packed.p, again.len) == 0);
	insist(packed.len <= 255 || pack_add(&again, packed) == ERR_RANGE);
	buf_deinit(&again);
}

static void check_spec(struct span stored)
{
	struct spec spec;
	struct resolved r;
	struct buf again;
	int rc = spec_decode(stored, &spec);
	insist(rc == 0 || rc == ERR_PARSE);
	if (rc)
		return;
	buf_init(&again, STORED_MAX_BYTES);
	insist(spec.id.len <= DOMAIN_ID_MAX_BYTES);
	insist(spec_encode(&spec, &again) == 0 && span_is(buf_span(&again), stored));
	insist(spec_is_same(buf_span(&again), stored));
	buf_deinit(&again);
	const struct spec none = {0};
	spec_resolve(&none, NULL, &spec, &r);
	spec_resolve(&spec, &none, &none, &r);
	insist(is_within(r.values.policy, stored) && is_within(r.values.mx, stored) &&
	       is_within(r.values.cert, stored));
	insist(span_is(spec_policy_name(&spec, NULL), spec_policy_name(&none, &spec)));
	insist((unsigned)r.values.mode <= POLICY_ENFORCE);
	check_pack(spec.mx);
}

static void check_settings(struct span stored)
{
	struct settings s, t, defaults;
	struct buf again;
	int rc = settings_decode(stored, &s);
	insist(rc == 0 || rc == ERR_PARSE || rc == ERR_RANGE);
	buf_init(&again, STORED_MAX_BYTES);
	if (rc == 0) {
		insist(s.dns_id <= ID_DIGEST);
		insist(settings_encode(&s, &again) == 0 && settings_decode(buf_span(&again), &t) == 0);
		insist(settings_init(&defaults) == 0);
		for (size_t i = 0; i < keys_count; i++) {
			if (!(keys_table[i].scopes & KEY_SERVER))
				continue;
			insist(settings_is_same(&s, &t, &keys_table[i]));
			(void)settings_is_same(&s, &defaults, &keys_table[i]);
		}
		settings_deinit(&t);
		settings_deinit(&defaults);
	}
	buf_deinit(&again);
	settings_deinit(&s);
}

static void check_row(struct span stored)
{
	struct domain_row row, same;
	struct buf again;
	char text[CLOCK_ISO_BYTES];
	if (domains_decode(stored, &row) != 0)
		return;
	insist(row.state <= DOMAIN_WITHDRAWN && (unsigned)row.mode <= POLICY_ENFORCE);
	insist(strnlen(row.id, sizeof row.id) <= DOMAIN_ID_MAX_BYTES && is_within(row.tls_rpt, stored) &&
	       is_within(row.policy, stored));
	clock_render_iso(row.changed_unix_s, text);
	clock_render_iso(row.cached_until_unix_s, text);
	buf_init(&again, STORED_MAX_BYTES);
	insist(domains_encode(&row, &again) == 0 && again.len == stored.len);
	insist(domains_decode(buf_span(&again), &same) == 0);
	insist(strcmp(same.id, row.id) == 0 && same.serial == row.serial && span_is(same.tls_rpt, row.tls_rpt) &&
	       span_is(same.policy, row.policy));
	buf_deinit(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span bytes = {(const char *)data, size};
	check_body(bytes);
	check_mode(bytes);
	check_pack(bytes);
	check_spec(bytes);
	check_settings(bytes);
	check_row(bytes);
	return 0;
}
