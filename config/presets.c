#include "presets.h"

#include "../base/buf.h"
#include "keys.h"
#include "spec.h"

#include <assert.h>

/* Every MX host that the provider hands out has to match (RFC 8461 4.1: a wildcard is one label), and nothing that is
 * not the provider's own may. A host that is missing here loses mail in mode enforce; one too many does no harm. */

/* The zone below mx.microsoft is a letter that the domain is given and cannot choose: all of them, since
 * "*.mx.microsoft" does not reach two labels down. */
#define MX_MICROSOFT \
	"*.a-v1.mx.microsoft, *.b-v1.mx.microsoft, *.c-v1.mx.microsoft, *.d-v1.mx.microsoft, " \
	"*.e-v1.mx.microsoft, *.f-v1.mx.microsoft, *.g-v1.mx.microsoft, *.h-v1.mx.microsoft, " \
	"*.i-v1.mx.microsoft, *.j-v1.mx.microsoft, *.k-v1.mx.microsoft, *.l-v1.mx.microsoft, " \
	"*.m-v1.mx.microsoft, *.n-v1.mx.microsoft, *.o-v1.mx.microsoft, *.p-v1.mx.microsoft, " \
	"*.q-v1.mx.microsoft, *.r-v1.mx.microsoft, *.s-v1.mx.microsoft, *.t-v1.mx.microsoft, " \
	"*.u-v1.mx.microsoft, *.v-v1.mx.microsoft, *.w-v1.mx.microsoft, *.x-v1.mx.microsoft, " \
	"*.y-v1.mx.microsoft, *.z-v1.mx.microsoft"

const struct preset presets_table[] = {
	{"fastmail", "in1-smtp.messagingengine.com, in2-smtp.messagingengine.com", "Fastmail."},
	{"google-workspace",
	 "smtp.google.com, aspmx.l.google.com, *.aspmx.l.google.com, aspmx2.googlemail.com, aspmx3.googlemail.com, "
	 "aspmx4.googlemail.com, aspmx5.googlemail.com",
	 "Google Workspace: the single host of today, and the five or seven that older domains have."},
	{"microsoft-365", "*.mail.protection.outlook.com, " MX_MICROSOFT,
	 "Microsoft 365 and Exchange Online, with DNSSEC or without. Not the national clouds, whose hosts have other "
	 "names."},
	{"proton", "mail.protonmail.ch, mailsec.protonmail.ch", "Proton Mail."},
};
enum { COUNT = sizeof presets_table / sizeof *presets_table };
const size_t presets_count = COUNT;

static const struct preset *find(struct span name)
{
	for (size_t i = 0; i < COUNT; i++)
		if (span_is(name, span_of(presets_table[i].name)))
			return &presets_table[i];
	return NULL;
}

bool presets_has(struct span name)
{
	return find(name) != NULL;
}

/* The patterns as spec.h packs them. */
static struct span pack(const char *mx, char room[PRESET_MX_MAX_BYTES])
{
	size_t used = 0;
	while (*mx) {
		size_t len = strcspn(mx, ",");
		assert(len <= 255 && len < PRESET_MX_MAX_BYTES - used); /* the table is ours */
		room[used] = (char)len;
		memcpy(room + used + 1, mx, len);
		used += len + 1;
		mx += len;
		mx += strspn(mx, ", ");
	}
	return (struct span){room, used};
}

bool presets_fill(struct span name, struct spec *policy, char room[PRESET_MX_MAX_BYTES])
{
	const struct preset *p = find(name);
	if (!p)
		return false;
	if (!spec_has(policy, SPEC_MX)) {
		policy->mx = pack(p->mx, room);
		policy->set |= 1u << SPEC_MX;
	}
	return true;
}

const char *presets_suggest(struct span name)
{
	const char *names[COUNT + 1] = {NULL};
	for (size_t i = 0; i < COUNT; i++)
		names[i] = presets_table[i].name;
	return keys_suggest(name, "", 0, names);
}

int presets_encode(struct buf *out)
{
	for (size_t i = 0; i < COUNT; i++)
		(void)buf_printf(out, "%s %s\n", presets_table[i].name, presets_table[i].mx);
	return out->failed;
}

/* --- the manual and the README ------------------------------------------------------------------------------------ */

int presets_render_manual(struct buf *out)
{
	for (size_t i = 0; i < COUNT; i++) {
		(void)buf_printf(out, ".It Ic %s\n", presets_table[i].name);
		keys_render_prose(out, presets_table[i].help);
		(void)buf_add_text(out, ".br\n");
		keys_render_prose(out, presets_table[i].mx);
	}
	return out->failed;
}

int presets_render_readme(struct buf *out)
{
	(void)buf_add_text(out, "| policy | the MX hosts of |\n|---|---|\n");
	for (size_t i = 0; i < COUNT; i++)
		(void)buf_printf(out, "| `%s` | %s |\n", presets_table[i].name, presets_table[i].help);
	return out->failed;
}
