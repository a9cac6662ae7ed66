/* Any words as a command line, one a line: what args.h promises of the command and options that come out. */
#include "../../server/cmd/args.h"
#include "fuzz.h"

#include <stdio.h>
#include <string.h>

enum { WORDS_MAX_COUNT = 256, TEXT_MAX_BYTES = 1 << 16 };

static char text[TEXT_MAX_BYTES + 1];

static bool is_ours(const char *p)
{
	return p >= text && p <= text + TEXT_MAX_BYTES;
}

static int split(const uint8_t *data, size_t size, char **argv)
{
	int argc = 1;
	size_t len = size < TEXT_MAX_BYTES ? size : TEXT_MAX_BYTES;
	if (len)
		memcpy(text, data, len);
	text[len] = '\0';
	for (char *word = text, *end = text; end && argc <= WORDS_MAX_COUNT; word = end) {
		argv[argc++] = word;
		end = memchr(word, '\n', (size_t)(text + len - word));
		if (end)
			*end++ = '\0';
	}
	argv[argc] = NULL;
	return argc;
}

static void check_run(const struct args *a, int argc)
{
	const struct cmd *c = a->cmd;
	const struct cmd_options *o = &a->options;
	insist(c && c->run && o->word_count >= c->min_words && o->word_count <= c->max_words);
	insist(o->word_count < (size_t)argc && o->listen_count < (size_t)argc);
	for (size_t i = 0; i < o->word_count; i++)
		insist(is_ours(o->words[i]));
	insist(!o->words[o->word_count]);
	for (size_t i = 0; i < o->listen_count; i++)
		insist(is_ours(o->listen[i]));
	insist(o->resolver_count < (size_t)argc);
	for (size_t i = 0; i < o->resolver_count; i++)
		insist(is_ours(o->resolvers[i]));
	insist(is_ours(o->config_path) || strcmp(o->config_path, ARGS_DEFAULT_CONFIG) == 0);
	insist((!o->format || is_ours(o->format)) && (!o->state_dir || is_ours(o->state_dir)));
	/* a command gets only what it asked for */
	insist(!o->is_json || strchr(c->options, 'j'));
	insist(!o->is_dev || strchr(c->options, 'd'));
	insist(!o->is_all || strchr(c->options, 'a'));
	insist(!o->is_changed || strchr(c->options, 'C'));
	insist(!o->format || strchr(c->options, 'f'));
	insist(o->listen_count == 0 || strchr(c->options, 'l'));
	insist(!o->is_diff || strchr(c->options, 'D'));
	insist(o->resolver_count == 0 || strchr(c->options, 'r'));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static FILE *nowhere;
	static char name[] = "mta-sts-server";
	char *argv[WORDS_MAX_COUNT + 2] = {name};
	struct args a;
	FILE *messages = stderr;
	if (!nowhere)
		nowhere = fopen("/dev/null", "w");
	insist(nowhere);
	int argc = split(data, size, argv);
	stderr = nowhere; /* what is said about mistakes; the sanitizers write to the descriptor */
	enum args_wish wish = args_parse(argc, argv, &a);
	stderr = messages;
	if (wish == ARGS_RUN)
		check_run(&a, argc);
	insist(wish == ARGS_RUN || wish == ARGS_HELP || wish == ARGS_VERSION || wish == ARGS_WRONG);
	args_deinit(&a);
	return 0;
}
