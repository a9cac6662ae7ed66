/* priority: the keeper stands back where the processor is short. A reload then takes longer; an answer does not. */
#ifndef KEEPER_PRIORITY_H
#define KEEPER_PRIORITY_H

/* priority_permit: as root, before privileges_drop: lets us come back later to the priority that we have now. */
void priority_permit(void);

/* priority_lower: no effect where we could not come back. priority_restore: to what it was before, for as long as
 * something is started that shall have it. */
void priority_lower(void);
void priority_restore(void);

#endif
