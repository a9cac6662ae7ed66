/* keys: prints what is made from the key table: the sample configuration and the manual's section; and from that of
 * presets. For `make`. */
#include "../../config/keys.h"
#include "../../base/buf.h"
#include "../../base/span.h"
#include "../../config/presets.h"
#include "cmd.h"

static int run(const struct cmd_options *o)
{
	static const struct {
		const char *word;
		int (*render)(struct buf *out);
	} prints[] = {
		{"sample", keys_render_sample},
		{"manual", keys_render_manual},
		{"presets", presets_render_manual},
		{"readme-presets", presets_render_readme},
	};
	struct buf out;
	buf_init(&out, 1 << 20);
	int status = EXIT_USAGE;
	for (size_t i = 0; i < sizeof prints / sizeof *prints; i++)
		if (strcmp(o->words[0], prints[i].word) == 0 && prints[i].render(&out) == 0)
			status = cmd_print(out.p, out.len);
	if (status == EXIT_USAGE)
		cmd_say("keys: sample, manual, presets or readme-presets?");
	buf_deinit(&out);
	return status;
}

const struct cmd cmd_keys = {
	.name = "keys",
	.usage = "sample|manual|presets|readme-presets",
	.options = "",
	.summary = "what is printed from the key table",
	.min_words = 1,
	.max_words = 1,
	.run = run,
	.is_internal = true,
};
