#include "../base/buf.h"
#include "keys.h"

#include <inttypes.h>

/* --- the sample file
 * --------------------------------------------------------------------------------------------------- */

enum { WRAP_COLUMNS = 96 };

/* text as comment lines below indent. */
static void add_comment(struct buf *out, const char *indent, const char *text)
{
	size_t column = 0;
	while (*text) {
		size_t len = strcspn(text, " ");
		if (column && column + 1 + len > WRAP_COLUMNS) {
			(void)buf_add_char(out, '\n');
			column = 0;
		}
		(void)buf_printf(out, "%s%s%.*s", column ? "" : indent, column ? " " : "# ", (int)len, text);
		column += len + (column ? 1 : strlen(indent) + 2);
		text += len;
		text += *text == ' ';
	}
	(void)buf_add_char(out, '\n');
}

static void add_sample_key(struct buf *out, const struct key *k, const char *indent, const char *word)
{
	add_comment(out, indent, k->help);
	(void)buf_printf(out, "%s%s%s: %s\n", indent, k->is_sample_active ? "" : "#", word, k->sample);
}

/* The sections that begin with k: those of its path that the key before it was not in. Returns how many it is in. */
static int add_sections(struct buf *out, const struct key *k, const char *path_before)
{
	int depth = 0;
	const char *name = k->path;
	for (const char *dot; (dot = strchr(name, '.')) != NULL; name = dot + 1, depth++)
		if (strncmp(path_before, k->path, (size_t)(dot + 1 - k->path)) != 0)
			(void)buf_printf(out, "%*s%.*s:\n", 2 * depth, "", (int)(dot - name), name);
	return depth;
}

int keys_render_sample(struct buf *out)
{
	static const char indents[] = "    ";
	const char *path_before = "";
	(void)buf_add_text(
		out, "# mta-sts-server.yaml: a sample. `mta-sts-server check` says what is wrong with yours, the "
		     "manual page\n"
		     "# mta-sts-server.yaml(5) what each key means. Changes are live as soon as the file is saved.\n");
	for (size_t i = 0; i < keys_count; i++) {
		const struct key *k = &keys_table[i];
		if (!(k->scopes & KEY_SERVER))
			continue;
		(void)buf_add_char(out, '\n');
		int depth = add_sections(out, k, path_before);
		const char *dot = strrchr(k->path, '.');
		path_before = k->path;
		add_sample_key(out, k, indents + sizeof indents - 1 - 2 * (size_t)depth, dot ? dot + 1 : k->path);
	}
	return buf_add_text(out, "\n# For every domain that does not say otherwise. Begin in mode testing: senders "
				 "report, mail is not touched.\n"
				 "defaults:\n"
				 "  mode: testing\n"
				 "  max_age: 86400\n"
				 "\n# Named policies, shared by many domains.\n"
				 "policies:\n"
				 "  standard:\n"
				 "    mode: enforce\n"
				 "    max_age: 604800\n"
				 "    mx: [mx1.example.com, mx2.example.com, \"*.mx.example.com\"]\n"
				 "\n# The mail domains. A name alone takes a policy; own keys win over it; what is "
				 "still missing comes from\n"
				 "# defaults. Domain keys: policy mode max_age mx id ttl tls_rpt cert.\n"
				 "domains:\n"
				 "  example.com: standard\n"
				 "  example.net:\n"
				 "    policy: standard\n"
				 "    mode: testing\n"
				 "  example.org: {mode: enforce, max_age: 1209600, mx: [mail.example.org]}\n"
				 "\n# More files with `policies` and `domains`, relative to this one.\n"
				 "#include: [domains.d/*.yaml]\n");
}

/* --- the manual
 * ----------------------------------------------------------------------------------------------------------- */

enum { MANUAL_COLUMNS = 72 }; /* room for escapes */

static void add_scopes(struct buf *out, unsigned scopes)
{
	static const struct {
		unsigned scope;
		const char *name;
	} names[] = {{KEY_DEFAULTS, "defaults"}, {KEY_POLICY, "a policy"}, {KEY_DOMAIN, "a domain"}};
	const char *comma = "";
	for (size_t i = 0; i < 3; i++) {
		if (!(scopes & names[i].scope))
			continue;
		(void)buf_printf(out, "%s%s", comma, names[i].name);
		comma = ", ";
	}
}

/* A word that begins a line with "." or "'" would be a macro; none of ours does, but "\" starts an escape. */
static void add_escaped(struct buf *out, struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] == '\\')
			(void)buf_add_text(out, "\\e");
		else if (text.p[i] == '-')
			(void)buf_add_text(out, "\\-");
		else
			(void)buf_add_char(out, text.p[i]);
	}
}

void keys_render_prose(struct buf *out, const char *text)
{
	size_t column = 0;
	bool is_sentence_over = false;
	while (*text) {
		size_t len = strcspn(text, " ");
		if (column) {
			bool breaks = is_sentence_over || column + 1 + len > MANUAL_COLUMNS;
			(void)buf_add_char(out, breaks ? '\n' : ' ');
			column = breaks ? 0 : column + 1;
		}
		add_escaped(out, (struct span){text, len});
		column += len;
		is_sentence_over = len && text[len - 1] == '.';
		text += len;
		text += *text == ' ';
	}
	(void)buf_add_char(out, '\n');
}

static void add_manual_key(struct buf *out, const struct key *k)
{
	(void)buf_printf(out, ".It Ic %s\n", k->path);
	keys_render_prose(out, k->help);
	if (!(k->scopes & KEY_SERVER)) {
		(void)buf_add_text(out, "In ");
		add_scopes(out, k->scopes);
		(void)buf_add_text(out, ".\n");
	}
	if (k->type == KEY_NUMBER)
		(void)buf_printf(out, "A number from %" PRId64 " to %" PRId64 "%s%s.\n", k->min, k->max,
				 k->unit ? ", in " : "", k->unit ? k->unit : "");
	if (k->def) {
		(void)buf_add_text(out, "Default: ");
		add_escaped(out, span_of(k->def));
		(void)buf_add_text(out, ".\n");
	}
	if (k->reload == KEY_RESTART)
		(void)buf_add_text(out, "A change takes effect at the next start.\n");
}

static void add_manual_part(struct buf *out, const char *title, bool is_server)
{
	(void)buf_printf(out, ".Ss %s\n.Bl -tag -width indent\n", title);
	for (size_t i = 0; i < keys_count; i++)
		if (((keys_table[i].scopes & KEY_SERVER) != 0) == is_server)
			add_manual_key(out, &keys_table[i]);
	(void)buf_add_text(out, ".El\n");
}

int keys_render_manual(struct buf *out)
{
	add_manual_part(out, "Server keys", true);
	add_manual_part(out, "Keys of domains, policies and defaults", false);
	return out->failed;
}
