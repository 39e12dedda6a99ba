/*
 * schedule: what the role queue knows: every item of every segment, and when it is tried.
 *
 * An item is one accepted record. The role learns of it from the smtp process, or from the segment
 * itself after a start, hands it to deliver, and removes a segment when all its items are done and its
 * process appends to another. What cannot be delivered is tried again with growing pauses; what needs
 * a person is held, and never dropped.
 *
 * Everything here runs in the thread of peers_run.
 */
#ifndef QUEUE_SCHEDULE_H
#define QUEUE_SCHEDULE_H

#include "proc/peers.h"

/* Reads all segments below the spool folder. After the sandbox is locked it goes on reading there. */
bool schedule_open(const char *spool_folder, struct peers *peers, struct error *error);
/* Pauses between tries: the first, and the longest to which they grow. Tests set shorter ones. */
void schedule_set_pauses(int64_t least_us, int64_t most_us);
/* Events of the role: peers come and go, time passes. */
void schedule_added(enum role role, int instance);
void schedule_tick(void);

/* What the role answers. */
extern const struct service schedule_services[];
extern const size_t schedule_service_count;

/* What deliver says of one recipient. */
enum outcome { OUTCOME_DONE, OUTCOME_LATER, OUTCOME_HOLD };

#endif
