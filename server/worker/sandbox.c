#include "sandbox.h"

#include "../../base/err.h"
#include "../../base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef __has_feature /* clang's */
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
static const bool is_sanitized = true;
#else
static const bool is_sanitized = false;
#endif

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* --- system calls --- */

struct rule {
	const char *name; /* one that this architecture or this libseccomp does not know is left out */
	unsigned arg_count;
	struct scmp_arg_cmp args[2];
};

/* Conditions on the n-th argument, from 0. ONLY looks at 32 bits, as the kernel does with an int. */
#define ONLY(n, value) n, SCMP_CMP_MASKED_EQ, UINT32_MAX, (uint32_t)(value)
#define NOTHING(n) n, SCMP_CMP_EQ, 0, 0 /* a null pointer */
#define WITH(n, bit) n, SCMP_CMP_MASKED_EQ, bit, bit
#define WITHOUT(n, bit) n, SCMP_CMP_MASKED_EQ, bit, 0
#define LOCK_OP(op) 1, SCMP_CMP_MASKED_EQ, (uint32_t)FUTEX_CMD_MASK, op

/* What a worker does once it serves, with any C library and any libuv. */
static const struct rule allowed[] = {
	/* connections, the loop's own descriptors, the log */
	{.name = "accept4"},
	{.name = "read"},
	{.name = "recvfrom"},
	{"sendto", 1, {{NOTHING(4)}}}, /* to whom the socket is connected, and nobody else */
	{.name = "write"},
	{.name = "writev"},
	{.name = "shutdown"},
	{.name = "close"},
	{"ioctl", 1, {{ONLY(1, FIONBIO)}}}, /* how libuv makes a descriptor non-blocking */
	{.name = "epoll_ctl"},
	{.name = "epoll_wait"},
	{.name = "epoll_pwait"},
	/* memory: never executable, never a file */
	{.name = "brk"},
	{"mmap", 2, {{WITHOUT(2, PROT_EXEC)}, {WITH(3, MAP_ANONYMOUS)}}},
	{"mprotect", 1, {{WITHOUT(2, PROT_EXEC)}}},
	{.name = "mremap"},
	{.name = "munmap"},
	{.name = "madvise"},
	/* keys and nonces */
	{.name = "getrandom"},
	/* the clock, where the kernel does not lend it out without a call */
	{.name = "clock_gettime"},
	{.name = "gettimeofday"},
	{.name = "time"},
	/* signals, the end */
	{.name = "rt_sigaction"},
	{.name = "rt_sigprocmask"},
	{.name = "rt_sigreturn"},
	{.name = "restart_syscall"},
	{.name = "exit"},
	{.name = "exit_group"},
	{.name = "getpid"},
	{.name = "gettid"}, /* with tgkill, below: abort(3) */
	/* locks of the C library; LMDB's table of readers after one of them died */
	{"futex", 1, {{LOCK_OP(FUTEX_WAIT)}}},
	{"futex", 1, {{LOCK_OP(FUTEX_WAKE)}}},
	{"fcntl", 1, {{ONLY(1, F_GETLK)}}},
};

/* What no library tries on its own account. Not on the list above either, but here silence would be wrong. */
static const struct rule fatal[] = {
	/* another program, another process */
	{.name = "execve"},
	{.name = "execveat"},
	{.name = "fork"},
	{.name = "vfork"},
	{.name = "clone"},
	{.name = "clone3"},
	{.name = "ptrace"},
	{.name = "process_vm_readv"},
	{.name = "process_vm_writev"},
	{.name = "pidfd_getfd"},
	{.name = "pidfd_send_signal"},
	{.name = "kill"},
	{.name = "rt_sigqueueinfo"},
	{.name = "rt_tgsigqueueinfo"},
	/* code that was not there */
	{"mmap", 1, {{WITH(2, PROT_EXEC)}}},
	{"mprotect", 1, {{WITH(2, PROT_EXEC)}}},
	{.name = "pkey_mprotect"},
	{.name = "personality"},
	/* the kernel's favourite holes, and what is root's */
	{.name = "add_key"},
	{.name = "bpf"},
	{.name = "capset"},
	{.name = "chroot"},
	{.name = "delete_module"},
	{.name = "finit_module"},
	{.name = "fsopen"},
	{.name = "init_module"},
	{.name = "kexec_file_load"},
	{.name = "kexec_load"},
	{.name = "keyctl"},
	{.name = "mount"},
	{.name = "open_by_handle_at"},
	{.name = "open_tree"},
	{.name = "perf_event_open"},
	{.name = "pivot_root"},
	{.name = "request_key"},
	{.name = "setns"},
	{.name = "setgid"},
	{.name = "setregid"},
	{.name = "setresgid"},
	{.name = "setresuid"},
	{.name = "setreuid"},
	{.name = "setuid"},
	{.name = "umount2"},
	{.name = "unshare"},
	{.name = "userfaultfd"},
};

/* libuv from 1.46 on opens a ring with its loop, whatever the environment says, and aborts where it may not use it
 * afterwards; but what goes through a ring passes no filter. Refused from the start, it does without. */
static const struct rule no_ring[] = {
	{.name = "io_uring_setup"},
};

static int add_rules(scmp_filter_ctx filter, uint32_t action, const struct rule *rules, size_t count)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < count; i++) {
		int number = seccomp_syscall_resolve_name(rules[i].name);
		if (number >= 0)
			rc = seccomp_rule_add_array(filter, action, number, rules[i].arg_count, rules[i].args);
	}
	return rc;
}

/* abort(3) and raise(3): a signal to oneself is no more than an end; to anybody else it is an attack. */
static int add_own_signals(scmp_filter_ctx filter)
{
	static const char *const names[] = {"tgkill", "tkill" /* musl's raise */};
	const uint32_t self = (uint32_t)getpid();
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < COUNT(names); i++) {
		const struct scmp_arg_cmp to_self = {ONLY(0, self)};
		const struct scmp_arg_cmp to_other = {0, SCMP_CMP_NE, self, 0};
		int number = seccomp_syscall_resolve_name(names[i]);
		rc = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, 1, &to_self);
		if (rc == 0)
			rc = seccomp_rule_add_array(filter, SCMP_ACT_KILL_PROCESS, number, 1, &to_other);
	}
	return rc;
}

static int filter_new(scmp_filter_ctx *out, uint32_t default_action)
{
	*out = seccomp_init(default_action);
	if (!*out)
		return -ENOMEM;
	/* calls of another architecture's table */
	int rc = seccomp_attr_set(*out, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (rc == 0)
		rc = seccomp_attr_set(*out, SCMP_FLTATR_API_SYSRAWRC, 1);
	if (rc == 0)
		rc = seccomp_attr_set(*out, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a binary tree */
	/* Kernels before 5.16 slow a filtered process down, against code that it runs for strangers. We run none;
	 * a kernel that does not know the wish is asked in vain. */
	(void)seccomp_attr_set(*out, SCMP_FLTATR_CTL_SSB, 1);
	return rc;
}

static int install_no_ring(void)
{
	scmp_filter_ctx filter;
	int rc = filter_new(&filter, SCMP_ACT_ALLOW);
	if (rc == 0)
		rc = add_rules(filter, SCMP_ACT_ERRNO(ENOSYS), no_ring, COUNT(no_ring));
	if (rc == 0)
		rc = seccomp_load(filter);
	seccomp_release(filter);
	return rc;
}

static int install_list(void)
{
	scmp_filter_ctx filter;
	int rc = filter_new(&filter, SCMP_ACT_ERRNO(ENOSYS));
	if (rc == 0)
		rc = add_rules(filter, SCMP_ACT_ALLOW, allowed, COUNT(allowed));
	if (rc == 0)
		rc = add_rules(filter, SCMP_ACT_KILL_PROCESS, fatal, COUNT(fatal));
	if (rc == 0)
		rc = add_own_signals(filter);
	if (rc == 0)
		rc = seccomp_load(filter);
	seccomp_release(filter);
	return rc;
}

/* Kernels can be built without it, and emulators mostly are. */
static bool has_seccomp(void)
{
	const uint32_t action = SECCOMP_RET_KILL_PROCESS;
	return !is_sanitized && syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

/* --- files --- */

/* linux/landlock.h as of version 6, which older headers do not know; the numbers are the same everywhere. */
enum {
	LANDLOCK_CREATE = 444,
	LANDLOCK_RESTRICT = 446,
	LANDLOCK_ASK_VERSION = 1,
};

struct landlock_wish {
	uint64_t files, ports, scopes;
};

/* All that each version can forbid: version 2 adds links to other folders, 3 truncation, 4 TCP ports (bind, connect),
 * 5 ioctl on devices, 6 abstract sockets and signals to the outside. */
static const struct landlock_wish landlock_all[] = {
	{0x1fff, 0, 0}, {0x3fff, 0, 0}, {0x7fff, 0, 0}, {0x7fff, 3, 0}, {0xffff, 3, 0}, {0xffff, 3, 3},
};

/* forbid_paths: a rule set without any rule. Returns Landlock's version, or 0 where there is none: not built, switched
 * off, or hidden by a container. */
static int forbid_paths(void)
{
	if (is_sanitized)
		return 0;
	long version = syscall(LANDLOCK_CREATE, NULL, 0, LANDLOCK_ASK_VERSION);
	if (version < 1)
		return 0;
	size_t known = (size_t)version < COUNT(landlock_all) ? (size_t)version : COUNT(landlock_all);
	long fd = syscall(LANDLOCK_CREATE, &landlock_all[known - 1], sizeof *landlock_all, 0);
	if (fd < 0)
		return 0;
	long rc = syscall(LANDLOCK_RESTRICT, fd, 0);
	(void)close((int)fd);
	return rc == 0 ? (int)version : 0;
}

/* --- privileges --- */

/* drop_bounding_set: so that no program could bring any back, and root's name is worth nothing. Only root may give
 * these away; for anybody else no-new-privileges says the same. */
static void drop_bounding_set(void)
{
	(void)prctl(PR_SET_SECUREBITS,
		    SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP | SECBIT_NO_SETUID_FIXUP_LOCKED |
			    SECBIT_KEEP_CAPS_LOCKED | SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED,
		    0, 0, 0);
	for (int cap = 0; prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0; cap++)
		; /* up to the kernel's last, whichever that is */
}

static int drop_capabilities(struct err *err)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
	drop_bounding_set();
	/* the ambient set goes with the inheritable one: capabilities(7) */
	if (syscall(SYS_capset, &head, none) != 0) /* glibc has no wrapper, and libcap would be one more library */
		return err_errno(err, errno, "cannot give up capabilities");
	return 0;
}

int sandbox_prepare(struct err *err)
{
	const struct rlimit none = {0, 0};
	if (setrlimit(RLIMIT_CORE, &none) != 0)
		return err_errno(err, errno, "RLIMIT_CORE");
	/* no core either where they go to a pipe, which asks for no limit; no ptrace(2), no /proc/PID/mem by our user
	 */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
		return err_errno(err, errno, "PR_SET_DUMPABLE");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return err_errno(err, errno, "PR_SET_NO_NEW_PRIVS");
	int rc = has_seccomp() ? install_no_ring() : 0;
	return rc == 0 ? 0 : err_errno(err, -rc, "seccomp without io_uring");
}

int sandbox_enter(struct err *err)
{
	tzset(); /* else the first line of the log would look for the time zone's file */
	int rc = drop_capabilities(err);
	if (rc)
		return rc;
	const bool is_filtered = has_seccomp();
	const int landlock_version = forbid_paths();
	rc = is_filtered ? install_list() : 0;
	if (rc)
		return err_errno(err, -rc, "seccomp");
	log_write(is_filtered || is_sanitized ? LOG_LEVEL_INFO : LOG_LEVEL_WARN, "worker.sandbox",
		  "seccomp=%s landlock=%s landlock_version=%d%s", is_filtered ? "yes" : "no",
		  landlock_version ? "yes" : "no", landlock_version, is_sanitized ? " reason=sanitizers" : "");
	return 0;
}
