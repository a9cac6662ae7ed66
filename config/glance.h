/* glance: the server settings of a large main file without parsing its domains, so that a restart serves at once.
 *
 * Cut out of the bytes is what stands under `domains` and `policies`; the rest is parsed. That this gives the settings
 * of the whole file is not believed but proved, when the whole file has been parsed anyway: glance_note then leaves a
 * note with the file's identity in the state folder. Settings always come from the file itself, never from the note:
 * the state folder belongs to the server's user, and `user` is obeyed as root. */
#ifndef CONFIG_GLANCE_H
#define CONFIG_GLANCE_H

#include "../base/buf.h"
#include "../base/span.h"

#include <stdbool.h>

struct err;
struct file_id;
struct settings;

enum { GLANCE_MIN_BYTES = 65536 }; /* a smaller file is parsed in 2 ms */

/* glance_settings: path absolute. state_dir: where the note is; NULL: where these settings say.
 * returns  0; ERR_NOENT: no note says so of this file; ERR_NOMEM. out and out_id are filled in only with 0 */
int glance_settings(const char *path, const char *state_dir, struct settings *out, struct file_id *out_id);

/* glance_note: the file of that identity was parsed as a whole, without errors in its settings, to these. Writes the
 * note when a glance finds the same; otherwise there is none and the next start parses all. Small files need none. */
int glance_note(const char *path, const struct file_id *id, const char *state_dir, const struct settings *settings,
		struct err *err);

/* What is cut: the lines below `domains:` and `policies:`, which become empty. piece by piece as they are read. */
struct glance_excerpt {
	struct buf *out;
	struct buf line; /* the one whose end was not seen yet */
	bool is_inside;
};

void glance_excerpt_begin(struct glance_excerpt *x, struct buf *out);
int glance_excerpt_add(struct glance_excerpt *x, struct span piece); /* 0, ERR_NOMEM; ERR_RANGE: too long a line */
int glance_excerpt_end(struct glance_excerpt *x);                    /* once, also after a failure */

#endif
