#include "state_dir.h"

#include "../../base/err.h"
#include "../../base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DIR_MODE = 0750, KEYRING_MODE = 0700 };

static int give(const char *path, uid_t uid, gid_t gid, struct err *err)
{
	struct stat st;
	if (geteuid() != 0)
		return 0;
	if (lstat(path, &st) != 0)
		return errno == ENOENT ? 0 : err_errno(err, errno, "%s", path);
	if ((st.st_uid == uid && st.st_gid == gid) || S_ISLNK(st.st_mode))
		return 0;
	return lchown(path, uid, gid) == 0 ? 0 : err_errno(err, errno, "cannot give %s to the server's user", path);
}

static int make_below(const char *base, const char *name, mode_t mode, uid_t uid, gid_t gid, struct err *err)
{
	static const char *const files[] = {"data.mdb", "lock.mdb"};
	char *path = file_join(base, name);
	int rc = path ? file_make_dirs(path, mode, err) : err_set(err, ERR_NOMEM, "out of memory");
	if (rc == 0)
		rc = give(path, uid, gid, err);
	for (size_t i = 0; rc == 0 && i < 2; i++) { /* left by a server that ran as another user */
		char *file = file_join(path, files[i]);
		rc = file ? give(file, uid, gid, err) : err_set(err, ERR_NOMEM, "out of memory");
		free(file);
	}
	free(path);
	return rc;
}

static int give_below(const char *base, const char *name, uid_t uid, gid_t gid, struct err *err)
{
	char *path = file_join(base, name);
	int rc = path ? give(path, uid, gid, err) : err_set(err, ERR_NOMEM, "out of memory");
	free(path);
	return rc;
}

int state_dir_prepare(const char *path, uid_t uid, gid_t gid, struct err *err)
{
	int rc = file_make_dirs(path, DIR_MODE, err);
	if (rc == 0)
		rc = make_below(path, "store", DIR_MODE, uid, gid, err);
	if (rc == 0)
		rc = make_below(path, "keyring", KEYRING_MODE, uid, gid, err);
	if (rc == 0)
		rc = give_below(path, "lock", uid, gid, err);
	if (rc == 0)
		rc = give_below(path, "metrics", uid, gid, err);
	if (rc == 0)
		rc = give_below(path, "hook.lock", uid, gid, err);
	/* last: root without CAP_DAC_OVERRIDE cannot make anything in what is another's */
	if (rc == 0)
		rc = give(path, uid, gid, err);
	if (rc == 0 && geteuid() == uid && access(path, W_OK | X_OK) != 0)
		rc = err_errno(err, errno, "cannot write to %s", path);
	if (rc)
		(void)err_wrap(err, "state_dir: give it to the server's user, or set state_dir to another folder");
	return rc;
}

int state_dir_lock(const char *path, int *out_fd, struct err *err)
{
	char *file = file_join(path, "lock");
	if (!file)
		return err_set(err, ERR_NOMEM, "out of memory");
	int rc = 0;
	int fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	if (fd < 0) {
		rc = err_errno(err, errno, "cannot open %s", file);
	} else if (fcntl(fd, F_SETLK, &lock) != 0) {
		bool is_taken = errno == EACCES || errno == EAGAIN;
		rc = is_taken ? err_set(err, ERR_CONFLICT, "another server runs on state_dir %s; stop it first", path)
			      : err_errno(err, errno, "cannot lock %s", file);
	}
	if (rc && fd >= 0)
		(void)close(fd);
	else
		*out_fd = fd;
	free(file);
	return rc;
}

bool state_dir_is_locked(const char *path)
{
	char *file = file_join(path, "lock");
	int fd = file ? open(file, O_RDONLY | O_CLOEXEC) : -1;
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	bool is_locked = fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
	if (fd >= 0)
		(void)close(fd);
	free(file);
	return is_locked;
}
