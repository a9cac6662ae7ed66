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

int vanish_count(struct vanish *v, struct db_txn *txn, const struct known *known, const struct load *l, struct err *err)
{
	size_t read = 0;
	v->gone_count = 0;
	v->all_count = db_count(txn, DB_SPECS);
	for (size_t i = 0; i < known->count; i++) {
		int rc = vanish_has(l, &known->files[i]) ? count_domains(txn, known->files[i].no, &v->gone_count, err)
							 : 0;
		if (rc)
			return rc;
	}
	for (size_t i = 0; i < l->count; i++)
		read += l->files[i].source.domains.count;
	v->net_count = v->gone_count > read ? v->gone_count - read : 0;
	size_t all = v->all_before > v->all_count ? v->all_before : v->all_count;
	size_t total = v->net_count + v->before_count;
	v->are_most = v->net_count && total >= VANISH_MANY && total > all / 2;
	return 0;
}
