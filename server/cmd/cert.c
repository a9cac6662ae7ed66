/* cert: the certificates in the store. */
#include "../../base/clock.h"
#include "../../base/db.h"
#include "../../base/err.h"
#include "../../base/json.h"
#include "../../certs/pairs.h"
#include "cmd.h"
#include "context.h"

#include <stdio.h>
#include <string.h>

enum { OUT_MAX_BYTES = 1 << 28, CHUNK_BYTES = 1 << 20 };

struct listing {
	struct buf out;
	struct json json;
	size_t name_count;
	int64_t now_unix_s;
};

static void add_name_text(void *ctx, struct span name)
{
	struct listing *l = ctx;
	(void)buf_printf(&l->out, "%s%.*s", l->name_count++ ? " " : "", SPAN_ARG(name));
}

static void add_name_json(void *ctx, struct span name)
{
	json_text(&((struct listing *)ctx)->json, name);
}

static const char *validity(const struct pair *p, int64_t now_unix_s)
{
	return p->not_after_unix_s < now_unix_s    ? "expired"
	       : p->not_before_unix_s > now_unix_s ? "not yet valid"
						   : "valid";
}

static void add_text(struct listing *l, const struct pair *p)
{
	char date[CLOCK_ISO_BYTES];
	struct span source = p->source.len ? p->source : SPAN_LIT("this server itself");
	bool is_early = p->not_before_unix_s > l->now_unix_s;
	clock_render_iso(is_early ? p->not_before_unix_s : p->not_after_unix_s, date);
	l->name_count = 0;
	pairs_name_each(p->names, add_name_text, l);
	(void)buf_printf(&l->out,
			 "\n  %s %s, %s %u bit, %zu certificate%s in the chain%s\n  issuer %.*s\n  from   %.*s\n",
			 is_early                              ? "valid only from"
			 : p->not_after_unix_s < l->now_unix_s ? "expired on"
							       : "valid until",
			 date, pkey_type_name(p->key_type), p->key_bits, p->cert_count, p->cert_count == 1 ? "" : "s",
			 p->is_self_signed ? ", self-signed" : "", SPAN_ARG(p->issuer), SPAN_ARG(source));
}

static void add_json(struct listing *l, const struct pair *p)
{
	struct json *j = &l->json;
	char id[2 * SHA256_BYTES + 1];
	sha256_hex(p->id, id);
	json_open(j, '{');
	json_put_text(j, "id", span_of(id));
	json_key(j, "names");
	json_open(j, '[');
	pairs_name_each(p->names, add_name_json, l);
	json_close(j, ']');
	json_put_text(j, "state", span_of(validity(p, l->now_unix_s)));
	json_put_time(j, "not_before", p->not_before_unix_s);
	json_put_time(j, "not_after", p->not_after_unix_s);
	json_put_text(j, "key_type", span_of(pkey_type_name(p->key_type)));
	json_put_number(j, "key_bits", p->key_bits);
	json_put_number(j, "chain_count", (int64_t)p->cert_count);
	json_put_bool(j, "self_signed", p->is_self_signed);
	json_put_text(j, "issuer", p->issuer);
	json_put_text(j, "source", p->source);
	json_close(j, '}');
	(void)buf_add_char(&l->out, '\n');
}

static int list(const struct context *c, bool is_json)
{
	struct listing l = {.now_unix_s = clock_unix_s()};
	struct pair p;
	uint8_t last[SHA256_BYTES];
	const uint8_t *after = NULL;
	size_t count = 0;
	int status = EXIT_DONE, rc;
	buf_init(&l.out, OUT_MAX_BYTES);
	json_begin(&l.json, &l.out);
	if (is_json)
		json_open(&l.json, '[');
	while ((rc = pairs_next(c->txn, after, &p)) == 0 && status == EXIT_DONE) {
		memcpy(last, p.id, sizeof last);
		after = last;
		count++;
		if (is_json)
			add_json(&l, &p);
		else
			add_text(&l, &p);
		if (l.out.len > CHUNK_BYTES) {
			status = cmd_print(l.out.p, l.out.len);
			buf_reset(&l.out);
		}
	}
	if (is_json)
		json_close(&l.json, ']');
	if (is_json)
		(void)buf_add_char(&l.out, '\n');
	if (status == EXIT_DONE && (l.out.failed || (rc && rc != ERR_NOENT))) {
		cmd_say("the store cannot be read");
		status = EXIT_SYSTEM;
	}
	if (status == EXIT_DONE)
		status = cmd_print(l.out.p, l.out.len);
	if (count == 0)
		cmd_say("there are no certificates; `certs.paths` says where to look");
	buf_deinit(&l.out);
	return status;
}

static int run(const struct cmd_options *o)
{
	struct context c;
	if (strcmp(o->words[0], "list") != 0) {
		cmd_say("there is no command `cert %s`; there is `cert list`", o->words[0]);
		return EXIT_USAGE;
	}
	int status = context_open(&c, o);
	if (status == EXIT_DONE && !c.txn) {
		cmd_say("nothing was ever served from %s", c.state_dir);
		status = EXIT_PROBLEMS;
	} else if (status == EXIT_DONE) {
		status = list(&c, o->is_json);
	}
	context_close(&c);
	return status;
}

const struct cmd cmd_cert = {
	.name = "cert",
	.usage = "list [--json]",
	.options = "j",
	.summary = "lists the certificates that the server has taken in",
	.min_words = 1,
	.max_words = 1,
	.run = run,
};
