/* Each deed is done by a child that entered the sandbox, and ends in success, an errno or a signal. */
#include "../../server/worker/sandbox.h"

#include "unit.h"

#include "../../base/err.h"
#include "../../base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
enum { IS_SANITIZED = 1 };
#else
enum { IS_SANITIZED = 0 };
#endif

enum {
	KILLED = -SIGSYS,
	ABORTED = -SIGABRT,
	NOT_ENTERED = 250, /* no errno is so large */
	PAGE = 4096,
};

static struct {
	int file, listener, connected, far, epoll, null;
	char folder[32]; /* where we are: names below are relative to it */
	char *page;
	void *large;
} t;

typedef long deed_fn(void); /* -1 with errno, or anything else */

struct deed {
	int line;
	const char *name;
	deed_fn *run;
	int want;
};

#define DEED(name, want) \
	{ \
		__LINE__, #name, name, want \
	}

static int open_listener(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static int set_up(void **state)
{
	(void)state;
	int pair[2];
	(void)snprintf(t.folder, sizeof t.folder, "/tmp/test_sandbox.XXXXXX");
	assert_non_null(mkdtemp(t.folder));
	assert_int_equal(chdir(t.folder), 0);
	t.file = open("file", O_RDWR | O_CREAT, 0600);
	assert_true(t.file >= 0);
	assert_int_equal(ftruncate(t.file, PAGE), 0);
	t.listener = open_listener();
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	t.connected = pair[0];
	t.far = pair[1];
	t.epoll = epoll_create1(0);
	t.null = open("/dev/null", O_WRONLY);
	t.page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	t.large = malloc(1 << 20);
	assert_true(t.epoll >= 0 && t.null >= 0 && t.page != MAP_FAILED && t.large);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	const int fds[] = {t.file, t.listener, t.connected, t.far, t.epoll, t.null};
	for (size_t i = 0; i < COUNT(fds); i++)
		(void)close(fds[i]);
	free(t.large);
	static const char *const left[] = {"file", "new", "moved", "link", "folder"};
	for (size_t i = 0; i < COUNT(left); i++) /* the others, where the sandbox failed */
		(void)remove(left[i]);
	return munmap(t.page, PAGE) + chdir("/") + rmdir(t.folder);
}

/* --- what a worker does --- */

static long reads_and_writes(void)
{
	char byte = 'x';
	struct iovec v[2] = {{&byte, 1}, {&byte, 1}};
	if (write(t.connected, &byte, 1) != 1 || writev(t.connected, v, 2) != 2 || send(t.connected, &byte, 1, 0) != 1)
		return -1;
	return read(t.far, &byte, 1) == 1 ? shutdown(t.connected, SHUT_WR) + close(t.connected) : -1;
}

static long accepts(void)
{
	return accept4(t.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static long makes_nonblocking(void)
{
	int on = 1;
	return ioctl(t.connected, FIONBIO, &on);
}

static long polls(void)
{
	struct epoll_event e = {.events = EPOLLIN, .data.fd = t.listener};
	if (epoll_ctl(t.epoll, EPOLL_CTL_ADD, t.listener, &e) != 0)
		return -1;
	return epoll_wait(t.epoll, &e, 1, 0) == 0 ? epoll_pwait(t.epoll, &e, 1, 0, NULL) : -1;
}

static long grows_and_shrinks(void)
{
	void *held[64];
	for (size_t i = 0; i < COUNT(held); i++) {
		held[i] = malloc((size_t)1 << (i % 22));
		if (!held[i])
			return -1;
		memset(held[i], 1, (size_t)1 << (i % 22));
	}
	void *moved = realloc(t.large, (size_t)64 << 20);
	if (!moved)
		return -1;
	free(moved);
	for (size_t i = 0; i < COUNT(held); i++)
		free(held[i]);
	return mprotect(t.page, PAGE, PROT_NONE) + madvise(t.page, PAGE, MADV_DONTNEED);
}

static long asks_for_random_bytes(void)
{
	char bytes[32];
	return syscall(SYS_getrandom, bytes, sizeof bytes, 0) == sizeof bytes ? 0 : -1;
}

static long asks_the_kernel_for_the_time(void)
{
	struct timespec ts;
	return syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &ts) | syscall(SYS_clock_gettime, CLOCK_REALTIME, &ts);
}

static long logs(void)
{
	(void)dup2(t.null, STDERR_FILENO); /* in vain */
	log_info("test.sandbox", "number=%d", 1);
	return 0;
}

static void on_signal(int signum)
{
	(void)signum;
}

static long handles_signals(void)
{
	struct sigaction a = {.sa_handler = on_signal};
	if (sigaction(SIGUSR1, &a, NULL) != 0 || raise(SIGUSR1) != 0)
		return -1;
	sigset_t none;
	(void)sigemptyset(&none);
	return sigprocmask(SIG_SETMASK, &none, NULL);
}

static long aborts(void)
{
	abort();
}

static long exits(void)
{
	exit(0);
}

static long asks_who_holds_a_lock(void)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
	return fcntl(t.file, F_GETLK, &lock);
}

static long wakes_a_waiter(void)
{
	static uint32_t word;
	return syscall(SYS_futex, &word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, NULL, NULL, 0);
}

static const struct deed done[] = {
	DEED(reads_and_writes, 0),
	DEED(accepts, EAGAIN),
	DEED(makes_nonblocking, 0),
	DEED(polls, 0),
	DEED(grows_and_shrinks, 0),
	DEED(asks_for_random_bytes, 0),
	DEED(asks_the_kernel_for_the_time, 0),
	DEED(logs, 0),
	DEED(handles_signals, 0),
	DEED(aborts, ABORTED),
	DEED(exits, 0),
	DEED(asks_who_holds_a_lock, 0),
	DEED(wakes_a_waiter, 0),
};

/* --- what fails --- */

#define CALL(name, call) \
	static long name(void) \
	{ \
		return (call); \
	}

static struct sockaddr_in loopback = {.sin_family = AF_INET};
static int one = 1;
static struct rlimit no_limit = {RLIM_INFINITY, RLIM_INFINITY};

CALL(opens, open("/etc/passwd", O_RDONLY))
CALL(opens_itself, open("/proc/self/mem", O_RDWR))
CALL(creates, open("new", O_WRONLY | O_CREAT, 0600))
CALL(opens_anew, syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", NULL, 0))
CALL(stats, access("/etc/passwd", R_OK))
CALL(unlinks, unlink("file"))
CALL(renames, rename("file", "moved"))
CALL(links, symlink("/etc", "link"))
CALL(makes_folders, mkdir("folder", 0700))
CALL(changes_modes, fchmod(t.file, 0777))
CALL(truncates, ftruncate(t.file, 0))
CALL(writes_anywhere, pwrite(t.file, "x", 1, 0))
CALL(reads_anywhere, pread(t.file, loopback.sin_zero, 1, 0))
CALL(locks, flock(t.file, LOCK_EX))
CALL(takes_record_locks, fcntl(t.file, F_SETLK, &(struct flock){.l_type = F_WRLCK}))
CALL(duplicates, dup(t.file))
CALL(duplicates_by_fcntl, fcntl(t.file, F_DUPFD, 10))
CALL(asks_for_a_tcp_socket, socket(AF_INET, SOCK_STREAM, 0))
CALL(asks_for_a_udp_socket, socket(AF_INET6, SOCK_DGRAM, 0))
CALL(asks_for_a_unix_socket, socket(AF_UNIX, SOCK_STREAM, 0))
CALL(asks_for_a_netlink_socket, socket(AF_NETLINK, SOCK_RAW, 0))
CALL(asks_for_a_packet_socket, socket(AF_PACKET, SOCK_RAW, 0))
CALL(makes_socket_pairs, socketpair(AF_UNIX, SOCK_STREAM, 0, (int[2]){0}))
CALL(connects, connect(t.listener, (struct sockaddr *)&loopback, sizeof loopback))
CALL(binds, bind(t.listener, (struct sockaddr *)&loopback, sizeof loopback))
CALL(listens, listen(t.listener, 5))
CALL(tunes_sockets, setsockopt(t.listener, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one))
CALL(sends_to_others, sendto(t.connected, "x", 1, 0, (struct sockaddr *)&loopback, sizeof loopback))
CALL(passes_descriptors, sendmsg(t.connected, &(struct msghdr){0}, 0))
CALL(takes_descriptors, recvmsg(t.far, &(struct msghdr){0}, MSG_DONTWAIT))
CALL(makes_pipes, pipe2((int[2]){0}, 0))
CALL(makes_loops, epoll_create1(0))
CALL(makes_events, eventfd(0, 0))
CALL(watches, inotify_init1(0))
CALL(makes_memory_files, memfd_create("x", 0))
CALL(makes_rings, syscall(SYS_io_uring_setup, 8, NULL))
CALL(enters_rings, syscall(SYS_io_uring_enter, 3, 1, 1, 0, NULL, 0))
CALL(maps_files, (long)mmap(NULL, PAGE, PROT_READ, MAP_SHARED, t.file, 0))
CALL(shares_memory, shmget(IPC_PRIVATE, PAGE, 0600))
CALL(becomes_dumpable, prctl(PR_SET_DUMPABLE, 1, 0, 0, 0))
CALL(raises_limits, setrlimit(RLIMIT_CORE, &no_limit))
CALL(types_for_others, ioctl(t.file, TIOCSTI, "x"))
CALL(requeues_waiters, syscall(SYS_futex, &one, FUTEX_CMP_REQUEUE_PI, 1, 1, &one, 1))
CALL(changes_folders, chdir("/"))
CALL(adds_filters, syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL))
CALL(tries_a_call_of_the_future, syscall(1000))

static const struct deed refused[] = {
	DEED(opens, ENOSYS),
	DEED(opens_itself, ENOSYS),
	DEED(creates, ENOSYS),
	DEED(opens_anew, ENOSYS),
	DEED(stats, ENOSYS),
	DEED(unlinks, ENOSYS),
	DEED(renames, ENOSYS),
	DEED(links, ENOSYS),
	DEED(makes_folders, ENOSYS),
	DEED(changes_modes, ENOSYS),
	DEED(truncates, ENOSYS),
	DEED(writes_anywhere, ENOSYS),
	DEED(reads_anywhere, ENOSYS),
	DEED(locks, ENOSYS),
	DEED(takes_record_locks, ENOSYS),
	DEED(duplicates, ENOSYS),
	DEED(duplicates_by_fcntl, ENOSYS),
	DEED(asks_for_a_tcp_socket, ENOSYS),
	DEED(asks_for_a_udp_socket, ENOSYS),
	DEED(asks_for_a_unix_socket, ENOSYS),
	DEED(asks_for_a_netlink_socket, ENOSYS),
	DEED(asks_for_a_packet_socket, ENOSYS),
	DEED(makes_socket_pairs, ENOSYS),
	DEED(connects, ENOSYS),
	DEED(binds, ENOSYS),
	DEED(listens, ENOSYS),
	DEED(tunes_sockets, ENOSYS),
	DEED(sends_to_others, ENOSYS),
	DEED(passes_descriptors, ENOSYS),
	DEED(takes_descriptors, ENOSYS),
	DEED(makes_pipes, ENOSYS),
	DEED(makes_loops, ENOSYS),
	DEED(makes_events, ENOSYS),
	DEED(watches, ENOSYS),
	DEED(makes_memory_files, ENOSYS),
	DEED(makes_rings, ENOSYS),
	DEED(enters_rings, ENOSYS),
	DEED(maps_files, ENOSYS),
	DEED(shares_memory, ENOSYS),
	DEED(becomes_dumpable, ENOSYS),
	DEED(raises_limits, ENOSYS),
	DEED(types_for_others, ENOSYS),
	DEED(requeues_waiters, ENOSYS),
	DEED(changes_folders, ENOSYS),
	DEED(adds_filters, ENOSYS),
	DEED(tries_a_call_of_the_future, ENOSYS),
};

/* --- what kills --- */

static char *const no_args[] = {"true", NULL};

CALL(runs_a_program, execve("/bin/true", no_args, NULL))
CALL(runs_a_descriptor, syscall(SYS_execveat, t.file, "", no_args, NULL, AT_EMPTY_PATH))
CALL(forks, fork())
CALL(starts_a_thread, syscall(SYS_clone, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD, NULL))
CALL(forks_anew, syscall(SYS_clone3, NULL, 0))
CALL(asks_to_be_traced, ptrace(PTRACE_TRACEME, 0, NULL, NULL))
CALL(traces_another, ptrace(PTRACE_SEIZE, 1, NULL, NULL))
CALL(reads_another_process, process_vm_readv(getpid(), NULL, 0, NULL, 0, 0))
CALL(writes_another_process, process_vm_writev(getpid(), NULL, 0, NULL, 0, 0))
CALL(steals_descriptors, syscall(SYS_pidfd_getfd, 3, 3, 0))
CALL(signals_another, kill(1, 0))
CALL(signals_its_group, kill(0, SIGTERM))
CALL(signals_another_thread, syscall(SYS_tgkill, 1, 1, 0))
CALL(signals_another_thread_the_old_way, syscall(SYS_tkill, 1, 0))
CALL(queues_signals, syscall(SYS_rt_sigqueueinfo, 1, 0, NULL))
CALL(maps_code, (long)mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
CALL(maps_writable_code, (long)mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
CALL(maps_code_of_files, (long)mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, t.file, 0))
CALL(turns_data_into_code, mprotect(t.page, PAGE, PROT_READ | PROT_EXEC))
CALL(turns_data_into_code_with_a_key, pkey_mprotect(t.page, PAGE, PROT_READ | PROT_EXEC, -1))
CALL(changes_personality, syscall(SYS_personality, 0x0400000)) /* READ_IMPLIES_EXEC */
CALL(becomes_root, setuid(0))
CALL(becomes_root_in_all_ways, setresuid(0, 0, 0))
CALL(changes_group, setgid(0))
CALL(takes_capabilities, syscall(SYS_capset, NULL, NULL))
CALL(makes_namespaces, unshare(CLONE_NEWUSER))
CALL(enters_namespaces, setns(3, 0))
CALL(mounts, mount("none", "/mnt", "tmpfs", 0, NULL))
CALL(changes_root, chroot("/"))
CALL(loads_modules, syscall(SYS_init_module, NULL, 0, ""))
CALL(loads_bpf, syscall(SYS_bpf, 0, NULL, 0))
CALL(watches_performance, syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0))
CALL(handles_faults, syscall(SYS_userfaultfd, 0))
CALL(uses_the_kernels_keys, syscall(SYS_keyctl, 0, 0, 0, 0, 0))
CALL(opens_by_handle, syscall(SYS_open_by_handle_at, 3, NULL, 0))

#ifdef __x86_64__
/* Numbers of other tables, which mean other calls there. */
CALL(calls_by_the_x32_table, syscall(0x40000000 | 39))
#endif

static const struct deed killed[] = {
	DEED(runs_a_program, KILLED),
	DEED(runs_a_descriptor, KILLED),
	DEED(forks, KILLED),
	DEED(starts_a_thread, KILLED),
	DEED(forks_anew, KILLED),
	DEED(asks_to_be_traced, KILLED),
	DEED(traces_another, KILLED),
	DEED(reads_another_process, KILLED),
	DEED(writes_another_process, KILLED),
	DEED(steals_descriptors, KILLED),
	DEED(signals_another, KILLED),
	DEED(signals_its_group, KILLED),
	DEED(signals_another_thread, KILLED),
	DEED(signals_another_thread_the_old_way, KILLED),
	DEED(queues_signals, KILLED),
	DEED(maps_code, KILLED),
	DEED(maps_writable_code, KILLED),
	DEED(maps_code_of_files, KILLED),
	DEED(turns_data_into_code, KILLED),
	DEED(turns_data_into_code_with_a_key, KILLED),
	DEED(changes_personality, KILLED),
	DEED(becomes_root, KILLED),
	DEED(becomes_root_in_all_ways, KILLED),
	DEED(changes_group, KILLED),
	DEED(takes_capabilities, KILLED),
	DEED(makes_namespaces, KILLED),
	DEED(enters_namespaces, KILLED),
	DEED(mounts, KILLED),
	DEED(changes_root, KILLED),
	DEED(loads_modules, KILLED),
	DEED(loads_bpf, KILLED),
	DEED(watches_performance, KILLED),
	DEED(handles_faults, KILLED),
	DEED(uses_the_kernels_keys, KILLED),
	DEED(opens_by_handle, KILLED),
#ifdef __x86_64__
	DEED(calls_by_the_x32_table, KILLED),
#endif
};

/* --- doing it --- */

static void enter(void)
{
	struct err err;
	(void)dup2(t.null, STDERR_FILENO);
	if (sandbox_prepare(&err) != 0 || sandbox_enter(&err) != 0)
		_exit(NOT_ENTERED);
}

static int outcome_of(pid_t pid)
{
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* before: what the child does to itself first, or NULL. */
static int outcome(deed_fn *run, void (*before)(void))
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (before)
			before();
		enter();
		errno = 0;
		long rc = run();
		_exit(rc == -1 ? errno : 0);
	}
	return outcome_of(pid);
}

static void check_all(const struct deed *deeds, size_t count, void (*before)(void))
{
	int wrong = 0;
	if (IS_SANITIZED)
		skip();
	for (size_t i = 0; i < count; i++) {
		int got = outcome(deeds[i].run, before);
		if (got == deeds[i].want)
			continue;
		print_error("line %d: %s: outcome %d, not %d\n", deeds[i].line, deeds[i].name, got, deeds[i].want);
		wrong++;
	}
	assert_int_equal(wrong, 0);
}

static void test_sandbox_lets_a_worker_do_its_work(void **state)
{
	(void)state;
	check_all(done, COUNT(done), NULL);
}

static void test_sandbox_refuses_what_no_worker_does(void **state)
{
	(void)state;
	check_all(refused, COUNT(refused), NULL);
}

static void test_sandbox_kills_who_acts_like_an_intruder(void **state)
{
	(void)state;
	check_all(killed, COUNT(killed), NULL);
}

/* --- kernels that lack something --- */

static void pretend(int errnum, const char *call, unsigned count, struct scmp_arg_cmp arg)
{
	scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
	int number = seccomp_syscall_resolve_name(call);
	if (!f || seccomp_rule_add(f, SCMP_ACT_ERRNO((unsigned)errnum), number, count, arg) != 0 ||
	    seccomp_load(f) != 0)
		_exit(NOT_ENTERED);
	seccomp_release(f);
}

static void have_no_seccomp(void)
{
	pretend(EINVAL, "seccomp", 1, SCMP_A0(SCMP_CMP_EQ, SECCOMP_GET_ACTION_AVAIL));
}

static void have_no_landlock(void)
{
	pretend(EOPNOTSUPP, "landlock_create_ruleset", 0, SCMP_A0(SCMP_CMP_EQ, 0));
}

static bool has_landlock(void)
{
	return !IS_SANITIZED && syscall(444, NULL, 0, 1) > 0;
}

static const struct deed without_seccomp[] = {
	DEED(opens, EACCES),         DEED(creates, EACCES),        DEED(unlinks, EACCES),
	DEED(makes_folders, EACCES), DEED(runs_a_program, EACCES),
};

static void test_sandbox_without_seccomp_landlock_still_forbids_files(void **state)
{
	(void)state;
	if (!has_landlock())
		skip();
	check_all(without_seccomp, COUNT(without_seccomp), have_no_seccomp);
}

static void test_sandbox_without_landlock_the_list_still_holds(void **state)
{
	(void)state;
	check_all(done, COUNT(done), have_no_landlock);
	check_all(refused, 3, have_no_landlock);
	check_all(killed, 3, have_no_landlock);
}

/* --- seen from outside --- */

static long read_status(pid_t pid, const char *key)
{
	char path[64], line[256];
	long value = -1;
	(void)snprintf(path, sizeof path, "/proc/%ld/status", (long)pid);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	while (value < 0 && fgets(line, sizeof line, f))
		if (strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == ':')
			value = strtol(line + strlen(key) + 1, NULL, strncmp(key, "Cap", 3) == 0 ? 16 : 10);
	(void)fclose(f);
	assert_true(value >= 0);
	return value;
}

static void assert_not_dumpable(pid_t pid)
{
	char path[64];
	struct stat st;
	struct rlimit core;
	(void)snprintf(path, sizeof path, "/proc/%ld/mem", (long)pid);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_uid, 0);
	if (geteuid() != 0)
		assert_true(open(path, O_RDONLY) < 0);
	assert_int_equal(prlimit(pid, RLIMIT_CORE, NULL, &core), 0);
	assert_true(core.rlim_cur == 0 && core.rlim_max == 0);
}

static long waits_for_the_end(void)
{
	char byte;
	return write(t.far, "!", 1) == 1 ? read(t.far, &byte, 1) : -1;
}

static pid_t start_waiting(void)
{
	char byte;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(t.connected); /* it ends with the test, however that ends */
		enter();
		_exit(waits_for_the_end() == 1 ? 0 : errno);
	}
	assert_int_equal(read(t.connected, &byte, 1), 1);
	return pid;
}

static void test_sandbox_leaves_no_privilege(void **state)
{
	(void)state;
	static const char *const sets[] = {"CapInh", "CapPrm", "CapEff", "CapAmb"};
	const bool may_drop_bounding_set = read_status(getpid(), "CapEff") & 1L << 8; /* CAP_SETPCAP */
	pid_t pid = start_waiting();
	for (size_t i = 0; i < COUNT(sets); i++)
		assert_int_equal(read_status(pid, sets[i]), 0);
	if (may_drop_bounding_set)
		assert_int_equal(read_status(pid, "CapBnd"), 0);
	assert_int_equal(read_status(pid, "NoNewPrivs"), 1);
	assert_int_equal(read_status(pid, "Seccomp"), IS_SANITIZED ? 0 : 2);
	assert_int_equal(read_status(pid, "Threads"), 1);
	assert_not_dumpable(pid);
	assert_int_equal(write(t.connected, "!", 1), 1);
	assert_int_equal(outcome_of(pid), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_sandbox_lets_a_worker_do_its_work),
		TEST(test_sandbox_refuses_what_no_worker_does),
		TEST(test_sandbox_kills_who_acts_like_an_intruder),
		TEST(test_sandbox_without_seccomp_landlock_still_forbids_files),
		TEST(test_sandbox_without_landlock_the_list_still_holds),
		TEST(test_sandbox_leaves_no_privilege),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
