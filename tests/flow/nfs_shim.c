/* nfs_shim: preloaded, it says that every folder under $NFS_SHIM_FOLDER lies on NFS. For test_network_fs.py. */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

int statfs(const char *path, struct statfs *out)
{
	int (*real)(const char *, struct statfs *) = (int (*)(const char *, struct statfs *))dlsym(RTLD_NEXT, "statfs");
	const char *folder = getenv("NFS_SHIM_FOLDER");
	int rc = real(path, out);
	if (rc == 0 && folder && strncmp(path, folder, strlen(folder)) == 0)
		out->f_type = 0x6969;
	return rc;
}
