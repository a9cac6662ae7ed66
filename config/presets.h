/* presets: the policies that are built in, each with the MX hosts of one mail provider.
 *
 * They say nothing but `mx`: mode and max_age are the domain's or the defaults'. A policy of the same name in the YAML
 * comes first, and a preset only fills in the `mx` that it lacks. */
#ifndef CONFIG_PRESETS_H
#define CONFIG_PRESETS_H

#include "../base/span.h"

#include <stdbool.h>
#include <stddef.h>

struct buf;
struct spec;

struct preset {
	const char *name;
	const char *mx;   /* patterns, ", " between two */
	const char *help; /* whose mail it is for, in one or two sentences */
};

extern const struct preset presets_table[]; /* sorted by name */
extern const size_t presets_count;

enum { PRESET_MX_MAX_BYTES = 1024 };

bool presets_has(struct span name);

/* presets_fill: the policy of that name as it counts: its own mx, or else the preset's.
 * policy   as written; a zeroed one where nothing is written
 * room     what policy->mx may point to from now on
 * returns  false when no preset has that name: nothing was changed */
bool presets_fill(struct span name, struct spec *policy, char room[PRESET_MX_MAX_BYTES]);

/* presets_suggest: the preset that a typing mistake most resembles; NULL when nothing is near. */
const char *presets_suggest(struct span name);

/* presets_encode: appends all of them; two versions with the same bytes mean the same by every name. */
int presets_encode(struct buf *out);

/* presets_render_manual: the items of the manual's list, in mdoc. presets_render_readme: a Markdown table. */
int presets_render_manual(struct buf *out);
int presets_render_readme(struct buf *out);

#endif
