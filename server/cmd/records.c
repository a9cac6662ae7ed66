/* records: the DNS records of all domains, or of some; a _mta-sts record only when it is safe to publish. */
#include "../../base/clock.h"
#include "../../base/db.h"
#include "../../base/err.h"
#include "../../base/name.h"
#include "../../config/domains.h"
#include "../../config/formats.h"
#include "../../config/gone.h"
#include "../../config/outbox.h"
#include "../../config/trouble.h"
#include "../keeper/offer.h"
#include "cmd.h"
#include "context.h"

#include <stdio.h>

enum { CHUNK_BYTES = 1 << 20, OUT_MAX_BYTES = 1 << 30, REASONS_MAX = 20 };

struct printing {
	const struct context *context;
	const struct format *format;
	bool is_changed; /* only what is owed */
	struct offer_world world;
	struct offer offer;
	struct buf out;
	size_t printed_count, withheld_count;
	int status; /* EXIT_DONE, or why to stop */
};

static void withhold(struct printing *p, struct span domain, const char *reason)
{
	/* one reason a tenant would drown the first ones when there is no certificate at all */
	if (p->withheld_count++ < REASONS_MAX)
		cmd_say("%.*s: withheld: %s", SPAN_ARG(domain), reason);
}

static void flush_if(struct printing *p, size_t more_than_bytes)
{
	if (p->out.failed) {
		cmd_say("out of memory");
		p->status = EXIT_SYSTEM;
	} else if (p->out.len > more_than_bytes) {
		p->status = cmd_print(p->out.p, p->out.len);
		buf_reset(&p->out);
	}
}

static bool has_failed(struct printing *p, int rc)
{
	if (rc == 0)
		return false;
	cmd_say(rc == ERR_IO ? "the store cannot be read" : "out of memory");
	p->status = EXIT_SYSTEM;
	return true;
}

static void print_offer(struct printing *p)
{
	if (!p->offer.gate.is_open)
		withhold(p, p->offer.set.domain, p->offer.gate.reason);
	if (p->offer.set.count == 0)
		return;
	(void)p->format->add(&p->out, &p->offer.set, p->printed_count == 0);
	p->printed_count += p->offer.set.count;
	flush_if(p, CHUNK_BYTES);
}

static void print_domain(struct printing *p, struct span domain, const struct domain_row *row, enum record_state state)
{
	if (!has_failed(p, offer_make(&p->offer, &p->world, domain, row, state)))
		print_offer(p);
}

/* print_policies: of dns.delegate; false when there is nothing to say. */
static bool print_policies(struct printing *p)
{
	bool is_anything = true;
	if (has_failed(p, offer_make_policies(&p->offer, &p->world, &is_anything)))
		return true;
	if (p->offer.policies_held_count)
		withhold(p, p->offer.set.domain, p->offer.policies_gate.reason);
	print_offer(p);
	return is_anything;
}

static void print_everything(struct printing *p)
{
	struct db_cursor *cur;
	struct span domain, value;
	struct domain_row row;
	struct err err = {0};
	int rc = db_cursor_open(p->context->txn, DB_DOMAINS, &cur, &err);
	if (rc == 0) {
		rc = db_seek(cur, (struct span){NULL, 0}, &domain, &value);
		while (rc == 0 && p->status == EXIT_DONE) {
			rc = domains_decode(value, &row);
			if (rc)
				break;
			if (!offer_is_delegate(&p->world, domain))
				print_domain(p, domain, &row, record_state_of(&row, p->world.now_unix_s));
			rc = db_next(cur, &domain, &value);
		}
		db_cursor_close(cur);
	}
	if (rc && rc != ERR_NOENT) {
		cmd_say("the store cannot be read");
		p->status = EXIT_SYSTEM;
	}
}

static int on_gone(void *ctx, struct span domain, const struct domain_row *row)
{
	struct printing *p = ctx;
	if (!offer_is_delegate(&p->world, domain))
		print_domain(p, domain, row, RECORD_GONE);
	return p->status;
}

static void print_gone(struct printing *p)
{
	struct err err = {0};
	if (gone_each(p->context->txn, on_gone, p, &err) == 0 || p->status != EXIT_DONE)
		return;
	cmd_say("%s", err.text);
	p->status = EXIT_SYSTEM;
}

/* Domains that are refused and were never served have no row to print: say so. */
static int on_trouble(void *ctx, const struct trouble *t)
{
	struct printing *p = ctx;
	struct domain_row row;
	char reason[GATE_REASON_BYTES];
	if (t->domain.len == 0 || domains_get(p->context->txn, t->domain, &row) == 0)
		return 0;
	(void)snprintf(reason, sizeof reason, "refused: %.300s", t->text.p); /* texts in the store end with a NUL */
	withhold(p, t->domain, reason);
	return 0;
}

/* print_found: false when the domain has no records. */
static bool print_found(struct printing *p, struct span domain)
{
	struct domain_row row;
	enum record_state state;
	if (offer_is_delegate(&p->world, domain))
		return print_policies(p);
	bool is_there = offer_find_row(&p->world, domain, &row, &state) == 0;
	if (is_there)
		print_domain(p, domain, &row, state);
	return is_there;
}

static bool is_owed(const struct printing *p, struct span domain)
{
	struct outbox_entry entry;
	return outbox_get(p->world.txn, domain, &entry) == 0;
}

static void print_one(struct printing *p, const char *word)
{
	struct name name;
	struct err err = {0};
	if (name_parse(span_of(word), &name, &err) != 0) {
		cmd_say("%s", err.text);
		p->status = EXIT_USAGE;
	} else if (p->is_changed && !is_owed(p, name_span(&name))) {
		return;
	} else if (!print_found(p, name_span(&name))) {
		withhold(p, name_span(&name), "it is not served; `mta-sts-server status` says more");
	}
}

/* What has not been published yet; those that were forgotten have nothing to print. */
static void print_changed(struct printing *p)
{
	struct db_cursor *cur;
	struct span domain, value;
	const char *delegate = p->world.settings->dns_delegate;
	if (delegate && is_owed(p, span_of(delegate))) /* first: the others point to these */
		(void)print_policies(p);
	int rc = db_cursor_open(p->world.txn, DB_OUTBOX, &cur, NULL);
	if (rc == 0) {
		for (rc = db_seek(cur, (struct span){NULL, 0}, &domain, &value); rc == 0 && p->status == EXIT_DONE;
		     rc = db_next(cur, &domain, &value))
			if (!offer_is_delegate(&p->world, domain))
				(void)print_found(p, domain);
		db_cursor_close(cur);
	}
	if (rc && rc != ERR_NOENT) {
		cmd_say("the store cannot be read");
		p->status = EXIT_SYSTEM;
	}
}

static void print_all(struct printing *p)
{
	if (p->world.settings->dns_delegate) /* first: the others point to these */
		(void)print_policies(p);
	if (p->status == EXIT_DONE)
		print_everything(p);
	if (p->status == EXIT_DONE)
		print_gone(p);
	if (p->status == EXIT_DONE && trouble_each(p->world.txn, on_trouble, p, NULL) != 0)
		p->status = EXIT_SYSTEM;
}

static int print(const struct context *c, const struct cmd_options *o, const struct format *format)
{
	struct printing p = {.context = c, .format = format, .is_changed = o->is_changed};
	p.world = (struct offer_world){.txn = c->txn,
				       .server = &c->server,
				       .settings = &c->settings,
				       .now_unix_s = clock_unix_s(),
				       .wants_withheld = o->is_all};
	offer_init(&p.offer);
	buf_init(&p.out, OUT_MAX_BYTES);
	(void)format->begin(&p.out);
	for (size_t i = 0; i < o->word_count && p.status == EXIT_DONE; i++)
		print_one(&p, o->words[i]);
	if (o->word_count == 0 && o->is_changed)
		print_changed(&p);
	else if (o->word_count == 0)
		print_all(&p);
	(void)format->end(&p.out);
	if (p.status == EXIT_DONE)
		flush_if(&p, 0);
	if (p.withheld_count > REASONS_MAX)
		cmd_say("and %zu more are withheld", p.withheld_count - REASONS_MAX);
	if (p.status == EXIT_DONE && p.withheld_count)
		p.status = EXIT_PROBLEMS;
	offer_deinit(&p.offer);
	buf_deinit(&p.out);
	return p.status;
}

static int run(const struct cmd_options *o)
{
	struct context c;
	const struct format *format = formats_find(span_of(o->is_json  ? "json"
							   : o->format ? o->format
								       : formats_table[0]->name));
	if (!format) {
		cmd_say("there is no format `%s`; there are:", o->format);
		for (size_t i = 0; formats_table[i]; i++)
			(void)fprintf(stderr, "  %-12s %s\n", formats_table[i]->name, formats_table[i]->help);
		return EXIT_USAGE;
	}
	int status = context_open(&c, o);
	if (status == EXIT_DONE && !c.txn) {
		cmd_say("nothing was ever served from %s: start the server first", c.state_dir);
		status = EXIT_PROBLEMS;
	} else if (status == EXIT_DONE && o->is_changed && !c.is_publishing) {
		cmd_say("without dns.publish.command nobody keeps count of what was published");
		status = EXIT_CONFIG;
	} else if (status == EXIT_DONE) {
		status = print(&c, o, format);
	}
	context_close(&c);
	return status;
}

const struct cmd cmd_records = {
	.name = "records",
	.usage = "[DOMAIN…] [--format F] [--all] [--changed]",
	.options = "fjaC",
	.summary = "prints the DNS records that belong to the policies",
	.help = "A domain's _mta-sts record is printed only while the policy with that id is served under a "
		"certificate that is valid\n"
		"for its host; otherwise it is withheld, the reason goes to standard error, and the exit status is 1.\n"
		"With dns.delegate the records of policies come first; that name as DOMAIN prints them alone.\n"
		"  --format F   zone (default), json, nsupdate, octodns, dnscontrol, external-dns or powerdns\n"
		"  --all        prints withheld records as well\n"
		"  --changed    only of domains whose changes dns.publish.command has not published yet",
	.max_words = 1000000,
	.run = run,
};
