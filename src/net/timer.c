/* Timers as tails: one list per timeout value, added at the end, looked at from the front. */
#include "net/internal.h"

#include "base/log.h"

static struct timer_list *list_for(struct reactor *r, int ms)
{
	for (int i = 0; i < TIMER_LISTS; i++) {
		struct timer_list *l = &r->timers[i];

		if (l->ms == 0) {
			l->ms = ms;
			list_init(&l->sessions);
		}
		if (l->ms == ms)
			return l;
	}
	panic("more than %d different timeouts", TIMER_LISTS);
}

void timer_clear(struct session_private *p)
{
	list_remove(&p->timer);
	p->due_us = 0;
}

void timer_set(struct reactor *r, struct session_private *p, int ms)
{
	timer_clear(p);
	p->due_us = clock_us() + (int64_t)ms * 1000;
	list_push(&list_for(r, ms)->sessions, &p->timer);
}

int timer_run(struct reactor *r, void (*expire)(struct reactor *r, struct session_private *p))
{
	int64_t now = clock_us(), next = now + 1000000;

	for (int i = 0; i < TIMER_LISTS && r->timers[i].ms; i++) {
		struct link *node;

		while ((node = list_first(&r->timers[i].sessions))) {
			struct session_private *p = LIST_OF(node, struct session_private, timer);

			if (p->due_us > now) {
				next = p->due_us < next ? p->due_us : next;
				break;
			}
			timer_clear(p);
			expire(r, p);
		}
	}
	return (int)((next - now + 999) / 1000);
}
