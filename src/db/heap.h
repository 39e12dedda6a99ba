/*
 * heap: SQLite's memory, apart from everybody else's.
 *
 * An account that is open takes some 150 KiB in small pieces, for a few seconds. Out of the common heap, these
 * pieces lie between those of sessions that last for hours, and when they are freed hardly a page is empty: idle
 * sessions would cost five times what they hold. Here what is freed goes back to the system in whole slabs.
 */
#ifndef DB_HEAP_H
#define DB_HEAP_H

#include <sqlite3.h>

/* Before SQLite is used in this process; later calls do nothing. Not under a sanitizer, which wants to see each
 * piece. */
void db_heap_use(void);
/* What it is made of, for its test: these after that. */
void db_heap_init(void);
extern const sqlite3_mem_methods db_heap_methods;

#endif
