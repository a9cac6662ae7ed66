/* cert_problems: what is wrong with certificate files, into the log: each sentence once as long as it stays true. */
#ifndef KEEPER_CERT_PROBLEMS_H
#define KEEPER_CERT_PROBLEMS_H

struct problem_list;

/* cert_problems_tell: logs those of take that are not in told, some of them where they are many.
 * take   what a pass found; empty afterwards
 * told   what the pass before found, sorted; becomes what take was */
void cert_problems_tell(struct problem_list *take, struct problem_list *told);

#endif
