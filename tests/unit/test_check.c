/* Every code that needs neither network nor certificate: an input that has it, and a neighbour that has not. */
#include "../../base/clock.h"
#include "site.h"

static struct site s;

static int set_up(void **state)
{
	(void)state;
	site_open(&s);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	site_close(&s);
	return 0;
}

struct expected {
	const char *code; /* NULL: none */
	enum problem_severity severity;
	const char *file; /* NULL: the main file */
	uint32_t line, column;
};

static size_t count_code(const struct problem_list *l, const char *code)
{
	size_t n = 0;
	for (size_t i = 0; i < l->count; i++)
		n += strcmp(l->items[i].code, code) == 0;
	return n;
}

static void print_all(const struct problem_list *l)
{
	for (size_t i = 0; i < l->count && i < 20; i++) {
		struct buf b;
		buf_init(&b, 10000);
		problem_render(&l->items[i], &b);
		print_message("%s\n", buf_text(&b));
		buf_deinit(&b);
	}
}

/* Is the code there once, with that severity, at that place, with a sentence? */
static void expect_code(int line, const struct problem_list *l, const struct expected *e)
{
	char path[256];
	const struct problem *p = site_find_problem(l, e->code);
	site_path(&s, e->file ? e->file : SITE_MAIN, path);
	if (!p || count_code(l, e->code) != 1 || p->severity != e->severity || p->line != e->line ||
	    p->column != e->column || strcmp(p->file, path) != 0 || p->text[0] == '\0') {
		print_all(l);
		fail_msg("line %d: no %s at %u:%u", line, e->code, e->line, e->column);
	}
}

static void expect_not(int line, const struct problem_list *l, const char *code)
{
	if (site_find_problem(l, code)) {
		print_all(l);
		fail_msg("line %d: %s", line, code);
	}
}

#define GOOD "mode: enforce, max_age: 604800, mx: [mail.example.com]"
#define ONE(keys) "domains:\n  example.com: {" keys "}\n"
#define E PROBLEM_ERROR
#define W PROBLEM_WARNING
#define I PROBLEM_INFO
#define L63 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"

static const struct {
	int line;
	struct expected e;
	const char *with, *without;
} cases[] = {
	/* E01, A-P5 */
	{__LINE__, {"E01", E, NULL, 2, 23}, ONE("mode: Enforce, max_age: 604800, mx: [mail.example.com]"), ONE(GOOD)},
	{__LINE__, {"E01", E, NULL, 2, 23}, ONE("mode: ENFORCE, max_age: 604800, mx: [mail.example.com]"), ONE(GOOD)},
	{__LINE__, {"E01", E, NULL, 2, 23}, ONE("mode: enforced, max_age: 604800, mx: [mail.example.com]"), ONE(GOOD)},
	{__LINE__, {"E01", E, NULL, 2, 23}, ONE("mode: report, max_age: 604800, mx: [mail.example.com]"), ONE(GOOD)},
	{__LINE__, {"E01", E, NULL, 2, 23}, ONE("mode: \"\", max_age: 604800, mx: [mail.example.com]"), ONE(GOOD)},
	{__LINE__, {"E01", E, NULL, 2, 23}, ONE("mode: , max_age: 604800, mx: [mail.example.com]"), ONE(GOOD)},
	{__LINE__,
	 {"E01", E, NULL, 2, 3},
	 ONE("max_age: 604800, mx: [mail.example.com]"),
	 "defaults: {mode: testing}\n" ONE("max_age: 604800, mx: [mail.example.com]")},
	{__LINE__, {"E01", E, NULL, 2, 23}, ONE("mode: [enforce], max_age: 604800, mx: [mail.example.com]"), ONE(GOOD)},
	{__LINE__, {"E01", E, NULL, 1, 18}, "defaults: {mode: x}\n" ONE(GOOD), "defaults: {mode: none}\n" ONE(GOOD)},
	/* E02, A-P7, A-P9 */
	{__LINE__,
	 {"E02", E, NULL, 2, 41},
	 ONE("mode: enforce, max_age: 31557601, mx: [mail.example.com]"),
	 ONE("mode: enforce, max_age: 31557600, mx: [mail.example.com]")},
	{__LINE__,
	 {"E02", E, NULL, 2, 41},
	 ONE("mode: enforce, max_age: 99999999999999999999, mx: [mail.example.com]"),
	 ONE(GOOD)},
	{__LINE__, {"E02", E, NULL, 2, 41}, ONE("mode: enforce, max_age: -1, mx: [mail.example.com]"), ONE(GOOD)},
	{__LINE__, {"E02", E, NULL, 2, 41}, ONE("mode: enforce, max_age: 604800s, mx: [mail.example.com]"), ONE(GOOD)},
	{__LINE__, {"E02", E, NULL, 2, 41}, ONE("mode: enforce, max_age: 1e6, mx: [mail.example.com]"), ONE(GOOD)},
	{__LINE__, {"E02", E, NULL, 2, 41}, ONE("mode: enforce, max_age: 0x93A80, mx: [mail.example.com]"), ONE(GOOD)},
	{__LINE__, {"E02", E, NULL, 2, 41}, ONE("mode: enforce, max_age: 604_800, mx: [mail.example.com]"), ONE(GOOD)},
	{__LINE__, {"E02", E, NULL, 2, 41}, ONE("mode: enforce, max_age: 7:00:00, mx: [mail.example.com]"), ONE(GOOD)},
	{__LINE__, {"E02", E, NULL, 2, 41}, ONE("mode: enforce, max_age: 604800.0, mx: [mail.example.com]"), ONE(GOOD)},
	{__LINE__, {"E02", E, NULL, 2, 41}, ONE("mode: enforce, max_age: \"\", mx: [mail.example.com]"), ONE(GOOD)},
	{__LINE__,
	 {"E02", E, NULL, 2, 41},
	 ONE("mode: enforce, max_age: ' ', mx: [mail.example.com]"),
	 ONE("mode: enforce, max_age: '604800', mx: [mail.example.com]")},
	{__LINE__,
	 {"E02", E, NULL, 2, 3},
	 ONE("mode: enforce, mx: [mail.example.com]"),
	 "policies: {p: {max_age: 604800}}\n" ONE("policy: p, mode: enforce, mx: [mail.example.com]")},
	/* E03, A-P10 */
	{__LINE__, {"E03", E, NULL, 2, 3}, ONE("mode: enforce, max_age: 604800"), ONE("mode: none, max_age: 604800")},
	{__LINE__,
	 {"E03", E, NULL, 2, 3},
	 ONE("mode: testing, max_age: 604800, mx: []"),
	 ONE("mode: none, max_age: 604800, mx: []")},
	{__LINE__,
	 {"E03", E, NULL, 1, 12},
	 "policies: {1: {mode: enforce, max_age: 604800, mx: []}, p: {}}\ndomains: {a.example: 1}\n",
	 "policies: {1: {mode: enforce, max_age: 604800, mx: []}}\ndomains: {a.example: {policy: 1, mx: m.example}}\n"},
	/* E04, A-P15, A-P16 */
	{__LINE__, {"E04", E, NULL, 2, 54}, ONE("mode: enforce, max_age: 604800, mx: [192.0.2.1]"), ONE(GOOD)},
	{__LINE__,
	 {"E04", E, NULL, 2, 71},
	 ONE("mode: enforce, max_age: 604800, mx: [mx1.example.com, 10 mx2.example.com]"),
	 ONE("mode: enforce, max_age: 604800, mx: [mx1.example.com, mx2.example.com]")},
	{__LINE__,
	 {"E04", E, NULL, 2, 53},
	 ONE("mode: enforce, max_age: 604800, mx: a_b.example"),
	 ONE("mode: enforce, max_age: 604800, mx: a-b.example")},
	{__LINE__,
	 {"E04", E, NULL, 2, 54},
	 ONE("mode: enforce, max_age: 604800, mx: [\"mx*.example.com\"]"),
	 ONE("mode: enforce, max_age: 604800, mx: [\"*.example.com\"]")},
	/* E05: an error for the form of a label, a warning for a name that has only one */
	{__LINE__,
	 {"E05", E, NULL, 2, 54},
	 ONE("mode: enforce, max_age: 604800, mx: [a..example]"),
	 ONE("mode: enforce, max_age: 604800, mx: [a.example]")},
	{__LINE__,
	 {"E05", E, NULL, 2, 54},
	 ONE("mode: enforce, max_age: 604800, mx: [" L63 "x.example]"),
	 ONE("mode: enforce, max_age: 604800, mx: [" L63 ".example]")},
	{__LINE__, {"E05", W, NULL, 2, 54}, ONE("mode: enforce, max_age: 604800, mx: [mail]"), ONE(GOOD)},
	/* E06, A-C2 */
	{__LINE__,
	 {"E06", E, NULL, 2, 54},
	 ONE("mode: enforce, max_age: 604800, mx: [\"a.example\\r\\nmode: none\"]"),
	 ONE(GOOD)},
	{__LINE__, {"E06", E, NULL, 2, 54}, ONE("mode: enforce, max_age: 604800, mx: [\"a\\0.example\"]"), ONE(GOOD)},
	{__LINE__, {"E06", E, NULL, 2, 77}, ONE(GOOD ", id: \"1\\n\""), ONE(GOOD ", id: \"1\"")},
	{__LINE__,
	 {"E06", E, NULL, 2, 82},
	 ONE(GOOD ", tls_rpt: \"mailto:a@b.example\\r\\nx\""),
	 ONE(GOOD ", tls_rpt: \"mailto:a@b.example\"")},
	{__LINE__,
	 {"E06", E, NULL, 2, 23},
	 ONE("mode: \"enforce\\n\", max_age: 604800, mx: [mail.example.com]"),
	 ONE(GOOD)},
	{__LINE__, {"E06", E, NULL, 1, 7}, "user: \"a\\nb\"\n" ONE(GOOD), "user: ab\n" ONE(GOOD)},
	{__LINE__,
	 {"E06", E, NULL, 2, 3},
	 "domains:\n  \"a.example\\n\": {" GOOD "}\n",
	 "domains:\n  \"a.example\": {" GOOD "}\n"},
	/* E07, A-C5, A-C6 */
	{__LINE__, {"E07", E, NULL, 2, 3}, "domains:\n  mta-sts.example.com: {" GOOD "}\n", ONE(GOOD)},
	{__LINE__, {"E07", E, NULL, 2, 3}, "domains:\n  _mta-sts.example.com: {" GOOD "}\n", ONE(GOOD)},
	{__LINE__, {"E07", E, NULL, 2, 3}, "domains:\n  _smtp._tls.example.com: {" GOOD "}\n", ONE(GOOD)},
	{__LINE__, {"E07", E, NULL, 2, 3}, "domains:\n  \"*.example.com\": {" GOOD "}\n", ONE(GOOD)},
	{__LINE__, {"E07", E, NULL, 2, 3}, "domains:\n  example: {" GOOD "}\n", ONE(GOOD)},
	{__LINE__, {"E07", E, NULL, 2, 3}, "domains:\n  192.0.2.1: {" GOOD "}\n", ONE(GOOD)},
	{__LINE__,
	 {"E07", E, NULL, 3, 3},
	 ONE(GOOD) "  EXAMPLE.com.: {" GOOD "}\n",
	 ONE(GOOD) "  mail.example.com: {" GOOD "}\n"},
	/* E09, A-T3 */
	{__LINE__, {"E09", E, NULL, 2, 77}, ONE(GOOD ", id: 2026-02-05"), ONE(GOOD ", id: 20260205")},
	{__LINE__, {"E09", E, NULL, 2, 77}, ONE(GOOD ", id: a_b"), ONE(GOOD ", id: ab")},
	{__LINE__, {"E09", E, NULL, 2, 77}, ONE(GOOD ", id: \"\""), ONE(GOOD)},
	{__LINE__, {"E09", E, NULL, 2, 77}, ONE(GOOD ", id: "), ONE(GOOD)},
	{__LINE__,
	 {"E09", E, NULL, 2, 77},
	 ONE(GOOD ", id: abcdefghijklmnopqrstuvwxyzABCDEFG"),
	 ONE(GOOD ", id: abcdefghijklmnopqrstuvwxyzABCDEF")},
	/* E10, A-R3 */
	{__LINE__,
	 {"E10", E, NULL, 2, 83},
	 ONE(GOOD ", tls_rpt: [tls@example.com]"),
	 ONE(GOOD ", tls_rpt: [\"mailto:tls@example.com\"]")},
	{__LINE__,
	 {"E10", E, NULL, 2, 83},
	 ONE(GOOD ", tls_rpt: [\"http://r.example\"]"),
	 ONE(GOOD ", tls_rpt: [\"https://r.example\"]")},
	{__LINE__, {"E10", E, NULL, 2, 73}, ONE(GOOD ", tls_rpt: []"), ONE(GOOD)},
	{__LINE__,
	 {"E10", E, NULL, 1, 16},
	 "dns: {tls_rpt: x}\n" ONE(GOOD),
	 "dns: {tls_rpt: \"mailto:a@b.example\"}\n" ONE(GOOD)},
	/* E11, A-C3 */
	{__LINE__, {"E11", E, NULL, 2, 32}, ONE("mode: enforce, max-age: 604800, mx: [mail.example.com]"), ONE(GOOD)},
	{__LINE__, {"E11", E, NULL, 2, 49}, ONE("mode: enforce, max_age: 604800, mxs: [mail.example.com]"), ONE(GOOD)},
	{__LINE__, {"E11", E, NULL, 2, 49}, ONE("mode: enforce, max_age: 604800, nmx: [mail.example.com]"), ONE(GOOD)},
	{__LINE__, {"E11", E, NULL, 1, 1}, "lisen: 127.0.0.1:1\n" ONE(GOOD), "listen: 127.0.0.1:1\n" ONE(GOOD)},
	{__LINE__, {"E11", E, NULL, 1, 7}, "dns: {tll: 5}\n" ONE(GOOD), "dns: {ttl: 5}\n" ONE(GOOD)},
	{__LINE__,
	 {"E11", E, NULL, 1, 16},
	 "policies: {p: {policy: q}}\n" ONE(GOOD),
	 "policies: {p: {mode: none}}\n" ONE(GOOD)},
	{__LINE__, {"E11", E, NULL, 1, 12}, "defaults: {id: x}\n" ONE(GOOD), "defaults: {ttl: 5}\n" ONE(GOOD)},
	/* E12, A-C1, A-C4 */
	{__LINE__,
	 {"E12", E, NULL, 2, 54},
	 ONE("mode: enforce, max_age: 604800, mx: [*.example.com]"),
	 ONE("mode: enforce, max_age: 604800, mx: [\"*.example.com\"]")},
	{__LINE__, {"E12", E, NULL, 2, 73}, ONE(GOOD ", mode: testing"), ONE(GOOD)},
	{__LINE__, {"E12", E, NULL, 2, 73}, ONE(GOOD ", <<: {}"), ONE(GOOD)},
	{__LINE__, {"E12", E, NULL, 2, 16}, "domains:\n  example.com: &x {" GOOD "}\n", ONE(GOOD)},
	{__LINE__, {"E12", E, NULL, 3, 1}, ONE(GOOD) "---\n", ONE(GOOD) "...\n"},
	{__LINE__, {"E12", E, NULL, 2, 1}, "workers: 1\nworkers: 2\n" ONE(GOOD), "workers: 1\n" ONE(GOOD)},
	{__LINE__, {"E12", E, NULL, 1, 15}, "dns: {ttl: 1, ttl: 2}\n" ONE(GOOD), "dns: {ttl: 1}\n" ONE(GOOD)},
	{__LINE__, {"E12", E, NULL, 3, 1}, ONE(GOOD) "domains: {}\n", ONE(GOOD)},
	{__LINE__,
	 {"E12", E, NULL, 1, 19},
	 "policies: {p: {}, p: {}}\n" ONE(GOOD),
	 "policies: {p: {}, q: {}}\n" ONE(GOOD)},
	/* E16, A-C7 */
	{__LINE__, {"E16", E, NULL, 1, 1}, "", "domains: {}\n"},
	{__LINE__, {"E16", E, NULL, 1, 9}, "domains:\n", "domains: {}\n"},
	{__LINE__, {"E16", E, NULL, 1, 10}, "domains: []\n", "domains: {}\n"},
	{__LINE__, {"E16", E, NULL, 1, 9}, "include:\ndomains: {}\n", "domains: {}\n"},
	{__LINE__, {"E16", E, NULL, 2, 16}, "domains:\n  example.com: [p]\n", ONE(GOOD)},
	{__LINE__, {"E16", E, NULL, 2, 53}, ONE("mode: enforce, max_age: 604800, mx: "), ONE(GOOD)},
	{__LINE__, {"E16", E, NULL, 1, 10}, "workers: [1]\n" ONE(GOOD), "workers: 1\n" ONE(GOOD)},
	{__LINE__, {"E16", E, NULL, 1, 6}, "dns: x\n" ONE(GOOD), "dns:\n" ONE(GOOD)},
	/* E17 */
	{__LINE__, {"E17", E, NULL, 1, 9}, "listen: 127.0.0.1\n" ONE(GOOD), "listen: 127.0.0.1:443\n" ONE(GOOD)},
	{__LINE__, {"E17", E, NULL, 1, 10}, "workers: 257\n" ONE(GOOD), "workers: 256\n" ONE(GOOD)},
	{__LINE__, {"E17", E, NULL, 1, 9}, "workers:\n" ONE(GOOD), ONE(GOOD)},
	{__LINE__, {"E17", E, NULL, 2, 78}, ONE(GOOD ", ttl: 0"), ONE(GOOD ", ttl: 1")},
	{__LINE__, {"E17", E, NULL, 1, 12}, "policies: {'': {}}\n" ONE(GOOD), "policies: {' ': {}}\n" ONE(GOOD)},
	{__LINE__,
	 {"E17", E, NULL, 0, 0},
	 "dns: {host: h.example, addresses: 192.0.2.1}\n" ONE(GOOD),
	 "dns: {host: h.example}\n" ONE(GOOD)},
	/* E18 */
	{__LINE__,
	 {"E18", E, NULL, 1, 11},
	 "include: [nowhere.yaml]\n" ONE(GOOD),
	 "include: [nothing*.yaml]\n" ONE(GOOD)},
	{__LINE__, {"E18", E, NULL, 1, 10}, "include: nowhere/*.yaml\n" ONE(GOOD), ONE(GOOD)},
	/* E19 */
	{__LINE__,
	 {"E19", E, NULL, 2, 3},
	 "domains:\n  example.com: p\n",
	 "policies: {p: {" GOOD "}}\ndomains:\n  example.com: p\n"},
	{__LINE__,
	 {"E19", E, NULL, 1, 1},
	 "defaults: {policy: p}\ndomains:\n  a.example:\n  b.example:\n",
	 "defaults: {policy: p}\npolicies: {p: {" GOOD "}}\ndomains:\n  a.example:\n  b.example:\n"},
	/* E20 */
	{__LINE__,
	 {"E20", E, NULL, 4, 3},
	 "dns: {delegate: sts.example}\npolicies: {p: {" GOOD "}}\ndomains:\n  a.example: {policy: p, mode: none}\n",
	 "dns: {delegate: sts.example}\npolicies: {p: {" GOOD "}}\ndomains:\n  a.example: {policy: p, ttl: 60}\n"},
	{__LINE__,
	 {"E20", E, NULL, 2, 12},
	 "dns: {delegate: sts.example}\npolicies: {P: {" GOOD "}}\ndomains: {a.example: P, b.example: P}\n",
	 "dns: {delegate: sts.example}\npolicies: {p-1: {" GOOD "}}\ndomains: {a.example: p-1, b.example: p-1}\n"},
	{__LINE__,
	 {"E20", E, NULL, 2, 12},
	 "dns: {delegate: sts.example}\npolicies: {p: {id: x, " GOOD "}}\ndomains: {a.example: p, b.example: p}\n",
	 "policies: {p: {id: x, " GOOD "}}\ndomains: {a.example: p, b.example: p}\n"},
	/* W01, A-P8 */
	{__LINE__, {"W01", W, NULL, 2, 3}, ONE("mode: enforce, max_age: 604799, mx: [mail.example.com]"), ONE(GOOD)},
	{__LINE__,
	 {"W01", W, NULL, 2, 3},
	 ONE("mode: testing, max_age: 86399, mx: [mail.example.com]"),
	 ONE("mode: testing, max_age: 86400, mx: [mail.example.com]")},
	{__LINE__,
	 {"W01", W, NULL, 1, 12},
	 "policies: {p: {mode: enforce, max_age: 3600, mx: m.example}}\ndomains: {a.example: p, b.example: p}\n",
	 "policies: {p: {mode: none, max_age: 3600, mx: m.example}}\ndomains: {a.example: p, b.example: p}\n"},
	{__LINE__,
	 {"W01", W, NULL, 1, 1},
	 "defaults: {mode: enforce, max_age: 3600}\ndomains: {a.example: {mx: m.example}, b.example: {mx: "
	 "m.example}}\n",
	 "defaults: {mode: none, max_age: 3600}\ndomains: {a.example: {mx: m.example}, b.example: {mx: m.example}}\n"},
	{__LINE__,
	 {"W01", W, NULL, 2, 12},
	 "defaults: {max_age: 3600}\npolicies: {p: {mode: enforce, mx: m.example}}\ndomains: {a.example: p, b.example: "
	 "p}\n",
	 "defaults: {max_age: 604800}\npolicies: {p: {mode: enforce, mx: m.example}}\ndomains: {a.example: p, "
	 "b.example: p}\n"},
	/* W02 */
	{__LINE__,
	 {"W02", W, NULL, 2, 3},
	 ONE("mode: none, max_age: 0, mx: [mail.example.com]"),
	 ONE("mode: none, max_age: 1, mx: [mail.example.com]")},
	/* W03, A-P6 */
	{__LINE__,
	 {"W03", W, NULL, 2, 3},
	 ONE("mode: enforce, max_age: 31557600, mx: [mail.example.com]"),
	 ONE("mode: enforce, max_age: 31557599, mx: [mail.example.com]")},
	/* W04 */
	{__LINE__,
	 {"W04", W, NULL, 2, 3},
	 ONE("mode: none, max_age: 86400"),
	 ONE("mode: none, max_age: 86400, mx: [mail.example.com]")},
	/* W06 */
	{__LINE__,
	 {"W06", W, NULL, 2, 3},
	 ONE("mode: enforce, max_age: 604800, mx: [\"*.com\"]"),
	 ONE("mode: enforce, max_age: 604800, mx: [\"*.a.com\"]")},
	{__LINE__,
	 {"W06", W, NULL, 2, 3},
	 ONE("mode: enforce, max_age: 604800, mx: [\"*.co.uk\"]"),
	 ONE("mode: enforce, max_age: 604800, mx: [\"*.example.uk\"]")},
	/* W07 */
	{__LINE__,
	 {"W07", W, NULL, 2, 3},
	 ONE("mode: enforce, max_age: 604800, mx: [aspmx.l.google.com, \"*.google.com\"]"),
	 ONE("mode: enforce, max_age: 604800, mx: [aspmx.l.google.com, \"*.google.com\", \"*.aspmx.l.google.com\"]")},
	{__LINE__,
	 {"W07", W, NULL, 2, 3},
	 ONE("mode: enforce, max_age: 604800, mx: [mail.protection.outlook.com]"),
	 ONE("mode: enforce, max_age: 604800, mx: [\"*.mail.protection.outlook.com\"]")},
	{__LINE__,
	 {"W07", W, NULL, 2, 3},
	 ONE("mode: enforce, max_age: 604800, mx: [\"*.mx.microsoft\"]"),
	 ONE("mode: enforce, max_age: 604800, mx: [\"*.h-v1.mx.microsoft\"]")},
	/* W08, A-R6 */
	{__LINE__, {"W08", W, NULL, 2, 3}, ONE(GOOD), ONE(GOOD ", tls_rpt: \"mailto:a@b.example\"")},
	{__LINE__,
	 {"W08", W, NULL, 2, 3},
	 ONE("mode: testing, max_age: 604800, mx: m.example"),
	 ONE("mode: none, max_age: 604800, mx: m.example")},
	{__LINE__, {"W08", W, NULL, 2, 3}, ONE(GOOD), "dns: {tls_rpt: \"mailto:a@b.example\"}\n" ONE(GOOD)},
	{__LINE__,
	 {"W08", W, NULL, 1, 1},
	 "defaults: {" GOOD "}\ndomains: {a.example: , b.example: }\n",
	 "defaults: {" GOOD ", tls_rpt: \"mailto:a@b.example\"}\ndomains: {a.example: , b.example: }\n"},
	/* W10, A-P11, A-P12 */
	{__LINE__, {"W10", W, NULL, 2, 54}, ONE("mode: enforce, max_age: 604800, mx: [mail.example.com.]"), ONE(GOOD)},
	{__LINE__, {"W10", W, NULL, 2, 54}, ONE("mode: enforce, max_age: 604800, mx: [MAIL.Example.COM]"), ONE(GOOD)},
	/* W11, A-P19 */
	{__LINE__,
	 {"W11", W, NULL, 2, 72},
	 ONE("mode: enforce, max_age: 604800, mx: [mail.example.com, MAIL.example.com]"),
	 ONE("mode: enforce, max_age: 604800, mx: [mail.example.com, MAIL.example.net]")},
	/* W13 */
	{__LINE__, {"W13", W, NULL, 2, 3}, ONE(GOOD ", ttl: 86401"), ONE(GOOD ", ttl: 86400")},
	/* I01 */
	{__LINE__,
	 {"I01", I, NULL, 2, 3},
	 ONE("mode: enforce, max_age: 604800, mx: [mx1.example.com, \"*.example.com\"]"),
	 ONE("mode: enforce, max_age: 604800, mx: [mx1.mx.example.com, \"*.example.com\"]")},
};

static void test_check_each_code_where_it_belongs_and_not_beside_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct problem_list l;
		site_write(&s, SITE_MAIN, cases[i].with);
		site_check(&s, false, &l);
		expect_code(cases[i].line, &l, &cases[i].e);
		if ((cases[i].e.severity == PROBLEM_ERROR) != (l.error_count > 0))
			fail_msg("line %d: %zu errors", cases[i].line, l.error_count);
		problem_list_deinit(&l);
		site_write(&s, SITE_MAIN, cases[i].without);
		site_check(&s, false, &l);
		expect_not(cases[i].line, &l, cases[i].e.code);
		if (l.error_count) {
			print_all(&l);
			fail_msg("line %d: the neighbour has errors", cases[i].line);
		}
		problem_list_deinit(&l);
	}
}

static void test_check_problem_in_an_included_file_names_that_file(void **state)
{
	(void)state;
	static const struct {
		int line;
		struct expected e;
		const char *text;
	} included[] = {
		{__LINE__,
		 {"E01", E, "d/a.yaml", 2, 21},
		 "domains:\n  a.example: {mode: Enforce, max_age: 1, mx: m.example}\n"},
		{__LINE__, {"E11", E, "d/a.yaml", 1, 1}, "listen: 127.0.0.1:1\ndomains: {}\n"},
		{__LINE__, {"E11", E, "d/a.yaml", 1, 1}, "include: x\ndomains: {}\n"},
		{__LINE__, {"E11", E, "d/a.yaml", 1, 1}, "defaults: {}\ndomains: {}\n"},
		{__LINE__, {"E11", E, "d/a.yaml", 1, 1}, "domain: {}\n"},
		{__LINE__, {"E16", E, "d/a.yaml", 1, 1}, "# empty\n"},
		{__LINE__, {"E07", E, "d/a.yaml", 2, 3}, "domains:\n  Main.example: {" GOOD "}\n"},
		{__LINE__, {"E12", E, "d/a.yaml", 1, 12}, "policies: {shared: {}}\n"},
		{__LINE__, {"E19", E, "d/a.yaml", 1, 11}, "domains: {a.example: nowhere}\n"},
		{__LINE__, {"W01", W, "d/a.yaml", 1, 11}, "domains: {a.example: {policy: shared, max_age: 1}}\n"},
	};
	site_make_folder(&s, "d");
	site_write(&s, SITE_MAIN,
		   "policies: {shared: {" GOOD "}}\ndomains: {main.example: shared}\ninclude: [d/*.yaml]\n");
	for (size_t i = 0; i < COUNT(included); i++) {
		struct problem_list l;
		site_write(&s, "d/a.yaml", included[i].text);
		site_check(&s, false, &l);
		expect_code(included[i].line, &l, &included[i].e);
		problem_list_deinit(&l);
	}
}

static void test_check_shared_mistake_is_told_once_and_not_per_tenant(void **state)
{
	(void)state;
	struct problem_list l;
	struct buf text;
	buf_init(&text, 100000);
	(void)buf_add_text(
		&text,
		"defaults: {mode: testing, max_age: 60}\npolicies:\n  p: {mx: [\"*.com\", mx1.com, a.l.google.com]}\n"
		"  q: {mode: enforce, mx: []}\ndomains:\n");
	for (int i = 0; i < 100; i++)
		(void)buf_printf(&text, "  d%d.example: %s\n", i, i % 2 ? "p" : "q");
	site_write(&s, SITE_MAIN, buf_text(&text));
	site_check(&s, false, &l);
	if (l.count > 8) {
		print_all(&l);
		fail_msg("%zu problems", l.count);
	}
	problem_list_deinit(&l);
	buf_deinit(&text);
}

static size_t body_of_many(size_t count, struct problem_list *l)
{
	struct buf text;
	struct load load;
	struct whole w;
	struct outcome v;
	size_t len = 0;
	buf_init(&text, 1 << 20);
	(void)buf_add_text(&text, "domains:\n  example.com:\n    mode: enforce\n    max_age: 604800\n    mx:\n");
	for (size_t i = 0; i < count; i++)
		(void)buf_printf(&text, "    - mx%05zu.mail.example.com\n", i);
	site_write(&s, SITE_MAIN, buf_text(&text));
	outcome_init(&v);
	assert_int_equal(load_run(&load, s.main_path, NULL, NULL, NULL, NULL), 0);
	assert_int_equal(whole_init(&w, &load, NULL, s.now_unix_s, l), 0);
	assert_int_equal(whole_outcome(&w, 0, &v, l), 0);
	if (v.is_good)
		len = v.body.len;
	whole_deinit(&w);
	outcome_deinit(&v);
	load_deinit(&load);
	buf_deinit(&text);
	return len;
}

static void test_check_size_is_warned_about_and_then_refused(void **state)
{
	(void)state; /* A-P17; E08 */
	static const struct {
		int line;
		size_t count, len; /* 0: refused */
		bool is_told;
	} sizes[] = {
		{__LINE__, 339, 10218, false},
		{__LINE__, 340, 10248, true},
		{__LINE__, 2131, 63978, true},
		{__LINE__, 2132, 0, true},
	};
	for (size_t i = 0; i < COUNT(sizes); i++) {
		struct problem_list l = {0};
		size_t len = body_of_many(sizes[i].count, &l);
		const struct problem *p = site_find_problem(&l, "E08");
		if (len != sizes[i].len || !p != !sizes[i].is_told ||
		    (p && (p->severity == PROBLEM_ERROR) != (len == 0)))
			fail_msg("line %d: %zu bytes", sizes[i].line, len);
		problem_list_deinit(&l);
	}
}

/* --- codes that need a past ------------------------------------------------------------------------------------------
 */

static void expect_now(int line, const char *yaml, const char *code, bool is_there)
{
	struct problem_list l;
	site_write(&s, SITE_MAIN, yaml);
	site_check(&s, true, &l);
	if ((site_find_problem(&l, code) != NULL) != is_there) {
		print_all(&l);
		fail_msg("line %d: %s", line, code);
	}
	problem_list_deinit(&l);
}

#define ENFORCE(mx) "domains: {example.com: {mode: enforce, max_age: 604800, mx: " mx "}}\n"
#define TESTING(mx) "domains: {example.com: {mode: testing, max_age: 604800, mx: " mx "}}\n"
#define NONE(mx) "domains: {example.com: {mode: none, max_age: 604800, mx: " mx "}}\n"

static void test_check_manual_id_that_stays_while_the_bytes_change(void **state)
{
	(void)state; /* E14 */
	site_apply_main(&s, "domains: {example.com: {" GOOD ", id: x1}}\n");
	expect_now(__LINE__, "domains: {example.com: {" GOOD ", id: x1}}\n", "E14", false);
	expect_now(__LINE__, "domains: {example.com: {" GOOD ", id: x1, ttl: 5}}\n", "E14", false);
	expect_now(__LINE__, "domains: {example.com: {mode: none, max_age: 604800, mx: mail.example.com, id: x1}}\n",
		   "E14", true);
	expect_now(__LINE__, "domains: {example.com: {mode: none, max_age: 604800, mx: mail.example.com, id: x2}}\n",
		   "E14", false);
	expect_now(__LINE__, "domains: {example.com: {mode: none, max_age: 604800, mx: mail.example.com}}\n", "E14",
		   false);
}

static void test_check_mx_that_vanishes_from_an_enforced_policy(void **state)
{
	(void)state; /* E15 */
	site_apply_main(&s, ENFORCE("[mx1.a.example, mx2.a.example]"));
	expect_now(__LINE__, ENFORCE("[mx1.a.example, mx2.a.example]"), "E15", false);
	expect_now(__LINE__, ENFORCE("[mx2.a.example, mx1.a.example]"), "E15", false);
	expect_now(__LINE__, ENFORCE("[mx1.a.example, mx2.a.example, mx3.a.example]"), "E15", false);
	expect_now(__LINE__, ENFORCE("[mx1.a.example]"), "E15", true);
	expect_now(__LINE__, ENFORCE("[mx3.a.example]"), "E15", true);
	expect_now(__LINE__, TESTING("[mx1.a.example]"), "E15", false);
	expect_now(__LINE__, ENFORCE("[\"*.a.example\"]"), "E15", false); /* still named */
}

static void test_check_first_publication_straight_in_enforce(void **state)
{
	(void)state; /* W05 */
	expect_now(__LINE__, ENFORCE("m.example"), "W05", true);
	expect_now(__LINE__, TESTING("m.example"), "W05", false);
	site_apply_main(&s, TESTING("m.example"));
	expect_now(__LINE__, ENFORCE("m.example"), "W05", false);
	site_apply_main(&s, NONE("m.example"));
	expect_now(__LINE__, ENFORCE("m.example"), "W05", true);
	site_apply_main(&s, ENFORCE("m.example"));
	expect_now(__LINE__, ENFORCE("m.example"), "W05", false); /* it is out */
	site_apply_main(&s, "domains: {}\n");
	expect_now(__LINE__, ENFORCE("m.example"), "W05", true);
}

static void test_check_testing_for_more_than_90_days(void **state)
{
	(void)state; /* W12 */
	site_apply_main(&s, TESTING("m.example"));
	s.now_unix_s += 90 * 86400;
	expect_now(__LINE__, TESTING("m.example"), "W12", false);
	s.now_unix_s++;
	expect_now(__LINE__, TESTING("m.example"), "W12", true);
	s.now_unix_s -= 2 * 365 * 86400; /* a clock that was set back: no date lies in the future of a rule */
	expect_now(__LINE__, TESTING("m.example"), "W12", false);
	s.now_unix_s += 2 * 365 * 86400;
	expect_now(__LINE__, ENFORCE("m.example"), "W12", false);
	site_apply_main(&s, TESTING("other.example")); /* another body, the same mode */
	expect_now(__LINE__, TESTING("other.example"), "W12", true);
	site_apply_main(&s, ENFORCE("m.example"));
	site_apply_main(&s, TESTING("m.example"));
	expect_now(__LINE__, TESTING("m.example"), "W12", false);
}

/* The one problem of that code says each of the texts; NULL ends them. */
static void expect_said(int line, const char *yaml, const char *code, const char *const texts[])
{
	struct problem_list l;
	site_write(&s, SITE_MAIN, yaml);
	site_check(&s, true, &l);
	const struct problem *p = site_find_problem(&l, code);
	if (!p || count_code(&l, code) != 1) {
		print_all(&l);
		fail_msg("line %d: not one %s", line, code);
	}
	for (; *texts; texts++)
		if (!strstr(p->text, *texts) && !strstr(p->hint, *texts)) {
			print_all(&l);
			fail_msg("line %d: it does not say %s", line, *texts);
		}
	problem_list_deinit(&l);
}
#define SAID(yaml, code, ...) expect_said(__LINE__, yaml, code, (const char *const[]){__VA_ARGS__, NULL})

#define ENFORCE_FOR(max_age) "domains: {example.com: {mode: enforce, max_age: " max_age ", mx: m.example}}\n"
#define IN_DAYS(n) (SITE_NOW + (n)*INT64_C(86400))

static void test_check_straight_to_enforce_says_since_when_it_was_none(void **state)
{
	(void)state; /* W05 */
	site_apply_main(&s, NONE("m.example"));
	s.now_unix_s = IN_DAYS(10);
	SAID(ENFORCE("m.example"), "W05", "since 2026-06-01T00:00:00Z");
	site_apply_main(&s, TESTING("m.example"));
	site_apply_main(&s, "domains: {}\n"); /* withdrawn, on the 11th */
	s.now_unix_s = IN_DAYS(11);
	SAID(ENFORCE("m.example"), "W05", "since 2026-06-11T00:00:00Z");
}

static void test_check_short_max_age_says_since_when_it_is_enforced(void **state)
{
	(void)state; /* W01 */
	static const char shared[] = "policies: {p: {mode: enforce, max_age: 86400, mx: m.example}}\n"
				     "domains: {a.example: p, b.example: p}\n";
	struct problem_list l;
	SAID(ENFORCE_FOR("86400"), "W01", "short for mode enforce");
	site_apply_main(&s, ENFORCE_FOR("86400"));
	s.now_unix_s = IN_DAYS(40);
	SAID(ENFORCE_FOR("86400"), "W01", "since 2026-06-01T00:00:00Z");
	SAID(ENFORCE_FOR("86401"), "W01", "since 2026-06-01T00:00:00Z");
	site_apply_main(&s, shared);
	site_check(&s, true, &l); /* what is shared is told once, and has no date */
	assert_int_equal(count_code(&l, "W01"), 1);
	assert_null(strstr(site_find_problem(&l, "W01")->text, "since"));
	problem_list_deinit(&l);
}

static void test_check_vanished_mx_spells_out_the_union_and_the_ledgers_date(void **state)
{
	(void)state; /* E15 */
	site_apply_main(&s, ENFORCE("[mx1.a.example, \"*.b.example\"]"));
	SAID(ENFORCE("[mx2.a.example]"), "E15", "2026-06-08T00:00:00Z",
	     "mx: [mx1.a.example, \"*.b.example\", mx2.a.example]");
	s.now_unix_s = IN_DAYS(1); /* a shorter max_age does not shorten what was handed out before */
	site_apply_main(&s, "domains: {example.com: {mode: enforce, max_age: 3600, mx: [mx1.a.example]}}\n");
	s.now_unix_s = IN_DAYS(2);
	SAID("domains: {example.com: {mode: enforce, max_age: 3600, mx: [mx2.a.example]}}\n", "E15",
	     "2026-06-09T00:00:00Z", "mx: [mx1.a.example, mx2.a.example]");
	s.now_unix_s = IN_DAYS(9);
	SAID("domains: {example.com: {mode: enforce, max_age: 3600, mx: [mx2.a.example]}}\n", "E15",
	     "2026-06-10T01:00:00Z");
}

static void test_check_union_that_is_too_long_is_not_cut_off(void **state)
{
	(void)state; /* E15 */
	struct buf text;
	buf_init(&text, 10000);
	(void)buf_add_text(&text, "domains: {example.com: {mode: enforce, max_age: 604800, mx: [gone.example");
	for (unsigned i = 0; i < 40; i++)
		(void)buf_printf(&text, ", mx%u.mail.example.com", i);
	(void)buf_add_text(&text, "]}}\n");
	site_apply_main(&s, buf_text(&text));
	buf_deinit(&text);
	SAID(ENFORCE("mx1.mail.example.com"), "E15", "gone.example", "keep old and new mx together");
}

static void test_check_older_policy_outlives_a_shorter_max_age(void **state)
{
	(void)state; /* I02 */
	site_apply_main(&s, ENFORCE_FOR("2592000"));
	expect_now(__LINE__, ENFORCE_FOR("2592000"), "I02", false);
	expect_now(__LINE__, ENFORCE_FOR("2592001"), "I02", false);
	SAID(ENFORCE_FOR("604800"), "I02", "604800", "2026-07-01T00:00:00Z");
	s.now_unix_s = IN_DAYS(3);
	site_apply_main(&s, ENFORCE_FOR("604800"));
	SAID(ENFORCE_FOR("604800"), "I02", "2026-07-04T00:00:00Z");
	s.now_unix_s = IN_DAYS(26);
	expect_now(__LINE__, ENFORCE_FOR("604800"), "I02", false); /* the newer one lasts as long */
	expect_now(__LINE__, NONE("m.example"), "I02", false);
}

static void test_check_long_ttl_of_the_old_record_delays_a_change(void **state)
{
	(void)state; /* W13 */
	site_apply_main(&s, "domains: {example.com: {" GOOD ", ttl: 172800}}\n");
	SAID("domains: {example.com: {mode: testing, max_age: 604800, mx: [mail.example.com], ttl: 300}}\n", "W13",
	     "172800", "2026-06-03T00:00:00Z");
	expect_now(__LINE__, "domains: {example.com: {" GOOD ", ttl: 300}}\n", "W13", false); /* the same policy */
	site_apply_main(&s, "domains: {example.com: {" GOOD ", ttl: 86400}}\n");
	expect_now(__LINE__, TESTING("m.example"), "W13", false);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_check_each_code_where_it_belongs_and_not_beside_it),
		TEST(test_check_problem_in_an_included_file_names_that_file),
		TEST(test_check_shared_mistake_is_told_once_and_not_per_tenant),
		TEST(test_check_size_is_warned_about_and_then_refused),
		TEST(test_check_manual_id_that_stays_while_the_bytes_change),
		TEST(test_check_mx_that_vanishes_from_an_enforced_policy),
		TEST(test_check_first_publication_straight_in_enforce),
		TEST(test_check_testing_for_more_than_90_days),
		TEST(test_check_straight_to_enforce_says_since_when_it_was_none),
		TEST(test_check_short_max_age_says_since_when_it_is_enforced),
		TEST(test_check_vanished_mx_spells_out_the_union_and_the_ledgers_date),
		TEST(test_check_union_that_is_too_long_is_not_cut_off),
		TEST(test_check_older_policy_outlives_a_shorter_max_age),
		TEST(test_check_long_ttl_of_the_old_record_delays_a_change),
	};
	return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
