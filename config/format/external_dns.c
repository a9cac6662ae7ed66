#include "external_dns.h"

#include "format.h"
#include "rrset.h"
#include "text.h"

static int begin(struct buf *out)
{
	(void)out;
	return 0;
}

static struct span without_dot(struct span name)
{
	return (struct span){name.p, name.len - (name.len && name.p[name.len - 1] == '.')};
}

/* external-dns keeps TXT targets in quotes itself (its registry does), and hands them to most providers as they are,
 * where a bare semicolon would begin a comment. Names have no final dot, which older versions refuse. */
static void add_target(struct buf *out, const struct record *r)
{
	(void)buf_add_text(out, "        - ");
	if (r->type == RECORD_TXT) {
		struct buf strings;
		buf_init(&strings, out->max);
		text_add_strings(&strings, r->data);
		text_add_quoted(out, buf_span(&strings));
		if (strings.failed && !out->failed)
			out->failed = strings.failed;
		buf_deinit(&strings);
	} else {
		text_add_quoted(out, without_dot(r->data));
	}
	(void)buf_add_char(out, '\n');
}

static void add_comment(struct buf *out, const struct rrset *r)
{
	(void)buf_add_text(out, "    # ");
	(void)buf_add_span(out, without_dot(r->items[0].name));
	(void)buf_printf(out, " %s: ", record_type_name(r->items[0].type));
	text_add_state(out, &r->items[0]);
	(void)buf_add_char(out, '\n');
}

static void add_endpoint(struct buf *out, const struct rrset *r)
{
	const struct record *first = &r->items[0];
	(void)buf_add_text(out, "    - dnsName: ");
	text_add_quoted(out, without_dot(first->name));
	(void)buf_printf(out, "\n      recordTTL: %u\n      recordType: %s\n      targets:\n", (unsigned)first->ttl_s,
			 record_type_name(first->type));
	for (size_t i = 0; i < r->count; i++)
		add_target(out, &r->items[i]);
}

/* The label tells kubectl apply --prune which objects are ours. */
static void add_head(struct buf *out, struct span domain)
{
	(void)buf_printf(out,
			 "---\n"
			 "apiVersion: externaldns.k8s.io/v1alpha1\n"
			 "kind: DNSEndpoint\n"
			 "metadata:\n"
			 "  name: mta-sts.%.*s\n"
			 "  labels:\n"
			 "    app.kubernetes.io/managed-by: mta-sts-server\n"
			 "spec:\n",
			 SPAN_ARG(domain));
}

static bool is_anything_wanted(const struct record_set *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->items[i].state != RECORD_GONE)
			return true;
	return false;
}

/* An object without endpoints makes external-dns delete the records that it made for it. */
static int add(struct buf *out, const struct record_set *s, bool is_first)
{
	struct rrset r;
	(void)is_first;
	if (s->count == 0)
		return out->failed;
	add_head(out, s->domain);
	(void)buf_add_text(out, is_anything_wanted(s) ? "  endpoints:\n" : "  endpoints: []\n");
	for (size_t at = 0; rrset_next(s, &at, &r);) {
		if (r.items[0].state != RECORD_LIVE)
			add_comment(out, &r);
		if (r.items[0].state != RECORD_GONE)
			add_endpoint(out, &r);
	}
	return out->failed;
}

const struct format format_external_dns = {
	"external-dns", "Kubernetes objects for external-dns, one per domain", begin, add, begin, true, true};
