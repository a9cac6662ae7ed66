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
#include "diff.h"
#include "recheck.h"

#include <stdio.h>

enum { CHUNK_BYTES = 1 << 20, OUT_MAX_BYTES = 1 << 30, REASONS_MAX = 20 };

struct printing {
	struct context *context;
	const struct format *format;
	bool is_changed; /* only what is owed */
	struct offer_world world;
	struct offer offer;
	struct buf out;
	size_t printed_count, withheld_count;
	struct diff *diff; /* NULL: all are printed */
	struct recheck recheck;
	int status; /* EXIT_DONE, or why to stop */
};

static void withhold(struct printing *p, struct span domain, const char *reason)
{
	/* one reason a tenant would drown the first ones when there is no certificate at all */
	if (p->withheld_count++ >= REASONS_MAX)
		return;
	if (p->diff)
		diff_clear_line(p->diff);
	cmd_say("%.*s: withheld: %s", SPAN_ARG(domain), reason);
}

static void stop(struct printing *p, const char *why)
{
	if (p->diff)
		diff_clear_line(p->diff);
	cmd_say("%s", why);
	p->status = EXIT_SYSTEM;
}

static void flush_if(struct printing *p, size_t more_than_bytes)
{
	if (p->out.failed) {
		stop(p, "out of memory");
	} else if (p->out.len > more_than_bytes) {
		p->status = cmd_print(p->out.p, p->out.len);
		buf_reset(&p->out);
	}
}

static bool has_failed(struct printing *p, int rc)
{
	if (rc == 0)
		return false;
	stop(p, rc == ERR_IO ? "the store cannot be read" : "out of memory");
	return true;
}

static void print_set(struct printing *p, const struct record_set *s)
{
	if (s->count == 0)
		return;
	(void)p->format->add(&p->out, s, p->printed_count == 0);
	p->printed_count += s->count;
	flush_if(p, CHUNK_BYTES);
}

/* What waited for its answers, minutes perhaps; out at once, not in a buffer while more is awaited. */
static int print_difference(void *ctx, const struct record_set *s, const struct record_set *differing, struct err *err)
{
	struct printing *p = ctx;
	int rc = recheck_renew(&p->recheck, &p->world, err);
	if (rc == 0)
		rc = recheck_set(&p->recheck, &p->world, s, err);
	db_reset(p->world.txn);
	if (rc)
		return rc;
	print_set(p, differing);
	flush_if(p, 0);
	(void)fflush(stdout); /* what fails is noticed at the end, as ever */
	return p->status == EXIT_DONE ? 0 : ERR_IO;
}

/* What is one piece would without a record take away the one that is out; the others go on record by record. */
static bool is_held_back(const struct printing *p)
{
	bool is_withheld = !p->offer.gate.is_open || p->offer.policies_held_count;
	return p->format->is_one_piece && is_withheld && !p->world.wants_withheld;
}

static void print_offer(struct printing *p)
{
	struct err err = {0};
	if (!p->offer.gate.is_open)
		withhold(p, p->offer.set.domain, p->offer.gate.reason);
	if (!p->diff)
		print_set(p, &p->offer.set);
	else if (!is_held_back(p) && diff_add(p->diff, &p->offer.set, &err) != 0)
		stop(p, err.text);
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

/* Waits for the DNS. Not in a snapshot of the store: one that is held for minutes keeps the pages of all that has been
 * replaced since, and the store grows. */
static void wait_for_diff(struct printing *p)
{
	struct err err = {0};
	db_reset(p->world.txn);
	int rc = diff_wait(p->diff, &err);
	if (rc == 0)
		rc = recheck_renew(&p->recheck, &p->world, &err);
	if (rc && p->status == EXIT_DONE)
		stop(p, err.text);
}

static int print_row(struct printing *p, enum db_table table, struct span domain, struct span value)
{
	struct domain_row row;
	if (offer_is_delegate(&p->world, domain))
		return 0; /* it was the first */
	if (table == DB_OUTBOX) {
		(void)print_found(p, domain); /* those that were forgotten have nothing to print */
		return 0;
	}
	int rc = domains_decode(value, &row);
	int64_t now_unix_s = p->world.is_keepers ? 0 : p->world.now_unix_s; /* as offer_find_row */
	if (rc == 0)
		print_domain(p, domain, &row, table == DB_GONE ? RECORD_GONE : record_state_of(&row, now_unix_s));
	return rc;
}

/* The rows from a domain on, at most max_count; then from is the one that follows. ERR_NOENT: there is none. */
static int print_rows(struct printing *p, enum db_table table, struct name *from, size_t max_count)
{
	struct db_cursor *cur;
	struct span domain, value;
	int rc = db_cursor_open(p->world.txn, table, &cur, NULL);
	if (rc)
		return rc;
	rc = db_seek(cur, name_span(from), &domain, &value);
	for (size_t i = 0; rc == 0 && p->status == EXIT_DONE && i < max_count; i++) {
		rc = print_row(p, table, domain, value);
		if (rc == 0)
			rc = db_next(cur, &domain, &value);
	}
	if (rc == 0 && domain.len <= NAME_MAX_BYTES) {
		memcpy(from->text, domain.p, domain.len);
		from->len = domain.len;
	}
	db_cursor_close(cur);
	return rc;
}

/* In one snapshot, or in several with waiting between them. */
static void print_table(struct printing *p, enum db_table table)
{
	struct name from = {.len = 0};
	int rc = 0;
	while (rc == 0 && p->status == EXIT_DONE) {
		rc = print_rows(p, table, &from, p->diff ? DIFF_TURN_COUNT : SIZE_MAX);
		if (rc == 0 && p->status == EXIT_DONE)
			wait_for_diff(p);
	}
	if (rc && rc != ERR_NOENT)
		stop(p, "the store cannot be read");
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
		stop(p, err.text);
		p->status = EXIT_USAGE;
	} else if (p->is_changed && !is_owed(p, name_span(&name))) {
		return;
	} else if (!print_found(p, name_span(&name))) {
		withhold(p, name_span(&name), "it is not served; `mta-sts-server status` says more");
	}
}

static void print_words(struct printing *p, const struct cmd_options *o)
{
	for (size_t i = 0; i < o->word_count && p->status == EXIT_DONE; i++) {
		print_one(p, o->words[i]);
		if (p->diff && p->status == EXIT_DONE && i % DIFF_TURN_COUNT == DIFF_TURN_COUNT - 1)
			wait_for_diff(p);
	}
}

static void print_changed(struct printing *p)
{
	const char *delegate = p->world.settings->dns_delegate;
	if (delegate && is_owed(p, span_of(delegate))) /* first: the others point to these */
		(void)print_policies(p);
	if (p->status == EXIT_DONE)
		print_table(p, DB_OUTBOX);
}

static void print_all(struct printing *p)
{
	if (p->world.settings->dns_delegate) /* first: the others point to these */
		(void)print_policies(p);
	if (p->status == EXIT_DONE)
		print_table(p, DB_DOMAINS);
	if (p->status == EXIT_DONE)
		print_table(p, DB_GONE);
	if (p->status == EXIT_DONE && trouble_each(p->world.txn, on_trouble, p, NULL) != 0)
		p->status = EXIT_SYSTEM;
}

static void print_asked(struct printing *p, const struct cmd_options *o)
{
	if (o->word_count)
		print_words(p, o);
	else if (o->is_changed)
		print_changed(p);
	else
		print_all(p);
}

static size_t count_asked(const struct printing *p, const struct cmd_options *o)
{
	struct db_txn *txn = p->world.txn;
	if (o->word_count)
		return o->word_count;
	return o->is_changed ? db_count(txn, DB_OUTBOX) : db_count(txn, DB_DOMAINS) + db_count(txn, DB_GONE);
}

static void print_differences(struct printing *p, const struct cmd_options *o, struct diff_result *out)
{
	struct diff_plan plan = {
		.resolvers = o->resolvers,
		.resolver_count = o->resolver_count,
		.is_one_piece = p->format->is_one_piece,
		.domain_count = count_asked(p, o),
		.delegate = p->world.settings->dns_delegate,
		.fn = print_difference,
		.ctx = p,
	};
	struct err err = {0};
	int rc = recheck_init(&p->recheck, p->context, &err);
	if (rc == 0)
		rc = diff_open(&p->diff, &plan, &err);
	if (rc == 0)
		print_asked(p, o);
	db_reset(p->world.txn); /* as in wait_for_diff: nothing more is read */
	if (rc == 0 && p->status == EXIT_DONE)
		rc = diff_finish(p->diff, out, &err);
	if (rc && p->status == EXIT_DONE)
		stop(p, err.text);
	if (rc == ERR_PARSE)
		p->status = EXIT_USAGE;
	diff_close(p->diff);
	recheck_deinit(&p->recheck);
	p->diff = NULL;
}

static int print(struct context *c, const struct cmd_options *o, const struct format *format)
{
	struct printing p = {.context = c, .format = format, .is_changed = o->is_changed};
	struct diff_result result = {0};
	p.world = (struct offer_world){.txn = c->txn,
				       .server = &c->server,
				       .settings = &c->settings,
				       .now_unix_s = clock_unix_s(),
				       .is_keepers = c->server.is_running && !clock_is_moved(),
				       .wants_withheld = o->is_all};
	offer_init(&p.offer);
	buf_init(&p.out, OUT_MAX_BYTES);
	(void)format->begin(&p.out);
	if (o->is_diff)
		print_differences(&p, o, &result);
	else
		print_asked(&p, o);
	(void)format->end(&p.out);
	if (p.status == EXIT_DONE)
		flush_if(&p, 0);
	if (p.withheld_count > REASONS_MAX)
		cmd_say("and %zu more are withheld", p.withheld_count - REASONS_MAX);
	if (p.status == EXIT_DONE && result.failed_count)
		p.status = EXIT_SYSTEM;
	else if (p.status == EXIT_DONE && (p.withheld_count || result.differing_count))
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
	if (o->resolver_count && !o->is_diff) {
		cmd_say("--resolver goes with --diff");
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
	.usage = "[DOMAIN…] [--format F] [--all] [--changed] [--diff [--resolver ADDR[:PORT]]…]",
	.options = "fjaCDr",
	.summary = "prints the DNS records that belong to the policies",
	.help = "A domain's _mta-sts record is printed only while the policy with that id is served under a "
		"certificate that is valid\n"
		"for its host; otherwise it is withheld, the reason goes to standard error, and the exit status is 1.\n"
		"With dns.delegate the records of policies come first; that name as DOMAIN prints them alone.\n"
		"  --format F   zone (default), json, nsupdate, octodns, dnscontrol, external-dns or powerdns\n"
		"  --all        prints withheld records as well\n"
		"  --changed    only of domains whose changes dns.publish.command has not published yet\n"
		"  --diff       asks the DNS, and prints only what differs there: the exit status is 0 when nothing "
		"does,\n"
		"               1 when something does or is withheld, 4 when something could not be found out\n"
		"  --resolver ADDR[:PORT]   asks this resolver, not the system's; may be given more than once",
	.max_words = 1000000,
	.run = run,
};
