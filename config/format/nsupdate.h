/* nsupdate: records as dynamic updates (RFC 2136) in the words of BIND's nsupdate, one transaction per domain. */
#ifndef FORMAT_NSUPDATE_H
#define FORMAT_NSUPDATE_H

struct format;
extern const struct format format_nsupdate;

#endif
