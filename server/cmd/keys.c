/* keys: prints what is made from the key table: the sample configuration and the manual's section. For `make`. */
#include "../../config/keys.h"
#include "../../base/buf.h"
#include "../../base/span.h"
#include "cmd.h"

static int run(const struct cmd_options *o)
{
	struct buf out;
	struct span what = span_of(o->words[0]);
	buf_init(&out, 1 << 20);
	int status = EXIT_USAGE;
	if (span_is(what, SPAN_LIT("sample")) && keys_render_sample(&out) == 0)
		status = cmd_print(out.p, out.len);
	else if (span_is(what, SPAN_LIT("manual")) && keys_render_manual(&out) == 0)
		status = cmd_print(out.p, out.len);
	else
		cmd_say("keys: sample or manual?");
	buf_deinit(&out);
	return status;
}

const struct cmd cmd_keys = {
	.name = "keys",
	.usage = "sample|manual",
	.options = "",
	.summary = "what is printed from the key table",
	.min_words = 1,
	.max_words = 1,
	.run = run,
	.is_internal = true,
};
