/* sandbox: takes from this process for good whatever a worker does not need: capabilities, new privileges, core dumps,
 * files, new sockets, other processes, and every system call beyond a short list.
 *
 * What the list forbids fails with ENOSYS, so that a C library or libuv that tries something new falls back to the old
 * way and the service stays; what only an intruder would try (another program, another process, executable memory)
 * kills the process. A build with sanitizers, which need files and threads, goes without list and Landlock. */
#ifndef WORKER_SANDBOX_H
#define WORKER_SANDBOX_H

struct err;

/* sandbox_prepare: the part that must be there before the loop is opened and before any key is read: no new privileges,
 * no io_uring, no core dump, no look into this process by others of the same user.
 * returns  0, ERR_IO or ERR_NOMEM */
int sandbox_prepare(struct err *err);

/* sandbox_enter: everything else, once all is open; of one thread, which must be the only one. Logs `worker.sandbox`.
 * A kernel without seccomp or Landlock is no error: the log says what is missing.
 * returns  0, ERR_IO or ERR_NOMEM */
int sandbox_enter(struct err *err);

#endif
