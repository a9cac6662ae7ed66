#include "glance.h"

#include "../base/buf.h"
#include "../base/err.h"
#include "../base/file.h"
#include "settings_table.h"
#include "source.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
	NOTE_MAX_BYTES = 8192,
	SETTINGS_MAX_BYTES = 1 << 20,
	LINE_MAX_BYTES = 1 << 20,
	EXCERPT_MAX_BYTES = 1 << 26,
};

/* --- the excerpt ------------------------------------------------------------------------------------------------- */

/* Has the line nothing but the key? */
static bool is_head(struct span line, struct span key)
{
	if (line.len < key.len || memcmp(line.p, key.p, key.len) != 0)
		return false;
	size_t i = key.len;
	while (i < line.len && (line.p[i] == ' ' || line.p[i] == '\r' || line.p[i] == '\n'))
		i++;
	return i == line.len || (line.p[i] == '#' && i > key.len);
}

static bool is_below(struct span line)
{
	return line.p[0] == ' ' || line.p[0] == '#' || line.p[0] == '\n' || line.p[0] == '\r';
}

static int add_line(struct glance_excerpt *x, struct span line)
{
	static const struct span heads[] = {{"domains:", 8}, {"policies:", 9}};
	if (x->is_inside && is_below(line))
		return 0;
	x->is_inside = false;
	for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
		if (!is_head(line, heads[i]))
			continue;
		x->is_inside = true;
		(void)buf_add_span(x->out, heads[i]);
		return buf_add_text(x->out, " {}\n");
	}
	return buf_add_span(x->out, line);
}

/* Sixteen bytes that are compared at once, by whatever the processor has for it (GCC's and clang's own notation). */
typedef signed char bytes16 __attribute__((vector_size(16)));

enum { BLOCK_BYTES = 64 };

/* Is there a line that is_below does not hold, among those that begin at p[1] to p[BLOCK_BYTES]? A restart with 10^6
 * domains waits until 40 MB have been looked at. */
static bool has_end(const char *p)
{
	bytes16 at, next, hits = {0};
	uint64_t any[2];
	for (size_t i = 0; i < BLOCK_BYTES; i += sizeof at) {
		memcpy(&at, p + i, sizeof at);
		memcpy(&next, p + i + 1, sizeof next);
		hits |= (at == '\n') & (next != ' ') & (next != '#') & (next != '\n') & (next != '\r');
	}
	memcpy(any, &hits, sizeof any);
	return any[0] | any[1];
}

/* How much of a piece, which begins with a line, is of whole lines below a head? */
static size_t count_below(struct span piece)
{
	const char *last = piece.len ? memrchr(piece.p, '\n', piece.len) : NULL;
	size_t end = last ? (size_t)(last - piece.p) : 0, i = 0;
	if (!last || !is_below(piece))
		return 0;
	while (i + BLOCK_BYTES <= end && !has_end(piece.p + i))
		i += BLOCK_BYTES;
	for (; i < end; i++)
		if (piece.p[i] == '\n' && !is_below((struct span){piece.p + i + 1, 1}))
			break;
	return i + 1;
}

void glance_excerpt_begin(struct glance_excerpt *x, struct buf *out)
{
	*x = (struct glance_excerpt){.out = out};
	buf_init(&x->line, LINE_MAX_BYTES);
}

int glance_excerpt_add(struct glance_excerpt *x, struct span piece)
{
	int rc = 0;
	while (rc == 0 && piece.len) {
		size_t skipped = x->is_inside && x->line.len == 0 ? count_below(piece) : 0;
		piece = (struct span){piece.p + skipped, piece.len - skipped};
		if (piece.len == 0)
			break;
		const char *end = memchr(piece.p, '\n', piece.len);
		struct span line = {piece.p, end ? (size_t)(end - piece.p) + 1 : piece.len};
		piece = (struct span){piece.p + line.len, piece.len - line.len};
		if (end && x->line.len == 0) {
			rc = add_line(x, line);
			continue;
		}
		rc = buf_add_span(&x->line, line);
		if (rc == 0 && end) {
			rc = add_line(x, buf_span(&x->line));
			buf_reset(&x->line);
		}
	}
	return rc;
}

int glance_excerpt_end(struct glance_excerpt *x)
{
	int rc = x->line.failed ? x->line.failed : x->line.len ? add_line(x, buf_span(&x->line)) : 0;
	buf_deinit(&x->line);
	return rc ? rc : x->out->failed;
}

/* --- the note ---------------------------------------------------------------------------------------------------- */

/* Another version may know other keys. */
static int render_note(const char *path, const struct file_id *id, struct buf *out)
{
	(void)buf_printf(out, "mta-sts-server %s\n%s\n", MTA_STS_VERSION, path);
	return buf_printf(out, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRId64 " %" PRId64 "\n", id->dev, id->ino,
			  id->size, id->mtime_ns, id->ctime_ns);
}

static bool has_note(const char *note_path, const struct buf *wanted)
{
	struct buf found;
	buf_init(&found, NOTE_MAX_BYTES);
	bool is_it = file_read(note_path, &found, NULL, NULL) == 0 && span_is(buf_span(&found), buf_span(wanted));
	buf_deinit(&found);
	return is_it;
}

static char *note_path_in(const char *state_dir)
{
	return state_dir ? file_join(state_dir, "main-file") : NULL;
}

static bool is_noted(const char *path, const struct file_id *id, const char *state_dir)
{
	struct buf note;
	char *note_path = note_path_in(state_dir);
	buf_init(&note, NOTE_MAX_BYTES);
	bool is_it = note_path && render_note(path, id, &note) == 0 && has_note(note_path, &note);
	buf_deinit(&note);
	free(note_path);
	return is_it;
}

/* --- settings ---------------------------------------------------------------------------------------------------- */

static int on_piece(void *ctx, struct span piece)
{
	return glance_excerpt_add(ctx, piece);
}

static int read_excerpt(const char *path, struct buf *out, struct file_id *out_id)
{
	struct glance_excerpt x;
	glance_excerpt_begin(&x, out);
	int rc = file_read_pieces(path, on_piece, &x, out_id, NULL);
	int end_rc = glance_excerpt_end(&x);
	return rc ? rc : end_rc;
}

/* s: source_deinit it whatever is returned. ERR_NOMEM, or another code: they cannot be had that way. */
static int parse_excerpt(const char *path, struct source *s, struct file_id *out_id)
{
	struct buf excerpt;
	buf_init(&excerpt, EXCERPT_MAX_BYTES);
	int rc = source_init(s, path, true);
	if (rc == 0)
		rc = read_excerpt(path, &excerpt, out_id);
	if (rc == 0)
		rc = source_parse(s, buf_span(&excerpt));
	if (rc == 0 && (s->is_broken || s->has_settings_errors))
		rc = ERR_PARSE;
	buf_deinit(&excerpt);
	return rc;
}

int glance_settings(const char *path, const char *state_dir, struct settings *out, struct file_id *out_id)
{
	struct source s;
	struct file_id id;
	if (file_identify(path, &id, NULL) != 0 || id.size < GLANCE_MIN_BYTES)
		return ERR_NOENT;
	int rc = parse_excerpt(path, &s, &id);
	if (rc == 0 && is_noted(path, &id, state_dir ? state_dir : s.settings.state_dir)) {
		*out = s.settings;
		*out_id = id;
		s.settings = (struct settings){0};
	} else if (rc != ERR_NOMEM) {
		rc = ERR_NOENT;
	}
	source_deinit(&s);
	return rc;
}

/* Do two settings say the same, key by key? */
static bool is_same(const struct settings *a, const struct settings *b)
{
	struct buf x, y;
	buf_init(&x, SETTINGS_MAX_BYTES);
	buf_init(&y, SETTINGS_MAX_BYTES);
	bool is_it = settings_encode(a, &x) == 0 && settings_encode(b, &y) == 0 && span_is(buf_span(&x), buf_span(&y));
	buf_deinit(&x);
	buf_deinit(&y);
	return is_it;
}

/* Does a glance at the file, which must still be the one of id, find those settings? */
static int prove(const char *path, const struct file_id *id, const struct settings *settings, bool *out,
		 struct err *err)
{
	struct file_id now;
	struct source s;
	int rc = parse_excerpt(path, &s, &now);
	*out = rc == 0 && file_id_is(&now, id) && is_same(&s.settings, settings);
	source_deinit(&s);
	return rc == ERR_NOMEM ? err_set(err, rc, "out of memory") : 0;
}

int glance_note(const char *path, const struct file_id *id, const char *state_dir, const struct settings *settings,
		struct err *err)
{
	struct buf note;
	bool is_proved;
	if (id->size < GLANCE_MIN_BYTES || is_noted(path, id, state_dir))
		return 0;
	int rc = prove(path, id, settings, &is_proved, err);
	if (rc || !is_proved)
		return rc;
	char *note_path = note_path_in(state_dir);
	buf_init(&note, NOTE_MAX_BYTES);
	if (!note_path || render_note(path, id, &note) != 0)
		rc = err_set(err, ERR_NOMEM, "out of memory");
	else
		rc = file_write(note_path, buf_span(&note), 0640, err);
	buf_deinit(&note);
	free(note_path);
	return rc;
}
