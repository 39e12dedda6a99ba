/* record: a trace in a file: this head, then its notes. */
#ifndef TRACE_RECORD_H
#define TRACE_RECORD_H

#include "trace/trace.h"

#define TRACE_MAGIC     0x31545248u /* "HRT1" */
#define TRACE_FORGOTTEN 0x30545248u /* the same, and nothing in it is meant to be read any more */

struct trace_head {
	uint32_t magic;
	uint32_t crc;    /* crc32c of the rest of the head, and of what is behind it */
	uint32_t octets; /* behind the head */
	int64_t began_us;
	uint64_t segment, place;
	char session[24];
	uint32_t number;
	uint32_t cut; /* 1: something was left out */
	uint32_t unused;
};

uint32_t trace_crc(const struct trace_head *head, slice notes);

/* Notes: this, then for each text its length in two octets, and itself. */
struct trace_note_head {
	uint8_t kind, texts;
	uint16_t unused;
	uint32_t after_ms;
	int64_t number;
};

#define TRACE_TEXTS 4
#define TRACE_TEXT  1000 /* octets */

struct trace_noted {
	enum trace_kind kind;
	int64_t number, at_us;
	slice texts[TRACE_TEXTS];
};

/* Takes the next note off *rest; false: there is none, or it is damaged. */
bool trace_next(slice *rest, int64_t began_us, struct trace_noted *out);

#endif
