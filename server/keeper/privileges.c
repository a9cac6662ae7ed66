#include "privileges.h"

#include "../../base/err.h"
#include "priority.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ENTRY_BYTES = 16384 }; /* of a user: getpwnam_r(3) */

int privileges_find(const char *user, struct identity *out, struct err *err)
{
	*out = (struct identity){geteuid(), getegid()};
	if (geteuid() != 0)
		return 0;
	struct passwd entry, *found = NULL;
	char text[ENTRY_BYTES];
	int rc = getpwnam_r(user, &entry, text, sizeof text, &found);
	if (rc)
		return err_errno(err, rc, "user %s", user);
	if (!found)
		return err_set(err, ERR_NOENT,
			       "there is no user %s to run as; make it (`adduser --system --group --no-create-home "
			       "%s`) or set "
			       "`user`",
			       user, user);
	*out = (struct identity){entry.pw_uid, entry.pw_gid};
	return 0;
}

static int keep_only_read(struct err *err)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};
	data[0].permitted = data[0].effective = 1u << CAP_DAC_READ_SEARCH;
	if (syscall(SYS_capset, &head, data) != 0) /* glibc has no wrapper, and libcap would be one more library */
		return err_errno(err, errno, "cannot set capabilities");
	return 0;
}

/* Was CAP_DAC_READ_SEARCH ours to keep? A container may have taken it. */
static int has_read_search(void)
{
	return prctl(PR_CAPBSET_READ, CAP_DAC_READ_SEARCH, 0, 0, 0) == 1;
}

int privileges_drop(const char *user, const struct identity *id, struct err *err)
{
	static const struct rlimit none = {0};
	if (setrlimit(RLIMIT_CORE, &none) != 0)
		return err_errno(err, errno, "RLIMIT_CORE");
	priority_permit();
	if (geteuid() != 0 || id->uid == 0)
		return 0;
	int keeps = has_read_search();
	if (keeps && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0)
		return err_errno(err, errno, "cannot keep capabilities");
	if (initgroups(user, id->gid) != 0 || setresgid(id->gid, id->gid, id->gid) != 0 ||
	    setresuid(id->uid, id->uid, id->uid) != 0)
		return err_errno(err, errno, "cannot become user %s", user);
	if (keeps)
		return keep_only_read(err);
	return 0;
}
