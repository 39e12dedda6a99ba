/* print: a trace for people. */
#ifndef TRACE_PRINT_H
#define TRACE_PRINT_H

#include "trace/record.h"

/* Adds a line with the message's name, then one for each note. Control characters become '?'. */
void trace_print(const struct trace_head *head, slice notes, struct buf *out);

#endif
