/* wire: a connected socket and one deadline in the loop: libuv's side of a connection.
 *
 * Reads into memory that its owner lends, writes at once what the socket takes, keeps the rest until it does.
 * It knows nothing of what the bytes mean. Its owner contains it, and must stay until on_gone. */
#ifndef WORKER_WIRE_H
#define WORKER_WIRE_H

#include "../../base/span.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct wire;

/* What the owner is told: always from the loop, never from within a wire_ function but wire_look. */
struct wire_events {
	void (*on_bytes)(struct wire *w, struct span bytes); /* valid until it returns */
	void (*on_end)(struct wire *w, bool is_error);       /* closed or reset by the peer; else an error */
	void (*on_written)(struct wire *w, bool is_ok);      /* after WIRE_PENDING */
	void (*on_deadline)(struct wire *w);
	void (*on_gone)(struct wire *w); /* after wire_close: free it now */
};

struct wire {
	uint32_t magic;
	bool is_closing, is_half_closed;
	uint8_t handle_count; /* of tcp and timer, those that the loop still knows */
	uint64_t deadline_ms; /* on the loop's clock */
	const struct wire_events *events;
	uv_buf_t read_into;
	char *rest; /* what the socket did not take at once */
	uv_write_t write;
	uv_tcp_t tcp;
	uv_timer_t timer;
};

/* wire_open: begins to read fd, a connected non-blocking socket. read_into is lent by all wires of a loop,
 * which runs one callback at a time. false: fd is closed, and the wire must be given to wire_close all the
 * same. */
bool wire_open(struct wire *w, uv_loop_t *loop, int take_fd, const struct wire_events *events, uv_buf_t read_into);

/* wire_start_deadline: on_deadline in so many ms, instead of any deadline before. */
void wire_start_deadline(struct wire *w, uint64_t timeout_ms);

enum wire_result { WIRE_DONE, WIRE_PENDING, WIRE_FAILED, WIRE_NOMEM };

/* wire_write: WIRE_PENDING: a copy of what is left will be written, nothing is read meanwhile, and nothing
 * may be written before on_written.
 * is_last  wire_half_close follows, at once where it is WIRE_DONE: the last bytes may leave no sooner */
enum wire_result wire_write(struct wire *w, struct span bytes, bool is_last);

/* wire_has_bytes: has the peer sent anything that on_bytes has not seen yet? */
bool wire_has_bytes(const struct wire *w);

bool wire_is_pending(const struct wire *w);

/* wire_half_close: no more from us. What the peer sends, and its end, are told of later, with those of all other
 * half-closed wires, so that they cost the loop no wake-up each: tenths of a second later, and no later than the
 * deadline, which has to be started next. Only if nothing is pending. false: the peer has gone. */
bool wire_half_close(struct wire *w);

/* wire_look: tell now what a half-closed wire would be told later; it may be closed afterwards. */
void wire_look(struct wire *w);

/* wire_close: the descriptor at once, the memory with on_gone. Only once. */
void wire_close(struct wire *w);

#endif
