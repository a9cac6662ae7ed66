/* notify: tells systemd how far we are (sd_notify(3), Type=notify). Nothing to do where nobody asked. */
#ifndef KEEPER_NOTIFY_H
#define KEEPER_NOTIFY_H

/* notify_send: "READY=1", "STOPPING=1". Best effort: a manager that does not listen is its own affair. */
void notify_send(const char *state);

#endif
