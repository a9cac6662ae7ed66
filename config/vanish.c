#include "vanish.h"

#include "../base/db.h"
#include "../base/err.h"
#include "known.h"
#include "load.h"
#include "specs.h"

bool vanish_has(const struct load *l, const struct known_file *k)
{
	return !k->is_listed && !load_is_lost(l, k->path);
}

static int count_domains(struct db_txn *txn, uint32_t file_no, size_t *count, struct err *err)
{
	struct specs_lost w;
	struct span name;
	int rc = specs_lost_begin(&w, txn, DB_SPECS, file_no, NULL, err);
	while (rc == 0 && (rc = specs_lost_next(&w, &name)) == 0)
		(*count)++;
	specs_lost_end(&w);
	return rc == ERR_NOENT ? 0 : rc;
}

int vanish_count_most(struct db_txn *txn, const struct known *known, const struct load *l, size_t *out, struct err *err)
{
	size_t gone = 0, read = 0, all = db_count(txn, DB_SPECS);
	*out = 0;
	for (size_t i = 0; i < known->count; i++) {
		int rc = vanish_has(l, &known->files[i]) ? count_domains(txn, known->files[i].no, &gone, err) : 0;
		if (rc)
			return rc;
	}
	for (size_t i = 0; i < l->count; i++)
		read += l->files[i].source.domains.count;
	if (gone >= read + VANISH_MANY && gone - read > all / 2)
		*out = gone;
	return 0;
}
