/*
 * answer: what a command is answered, on the local socket; as many messages as it needs.
 *
 *     answer_send(fd, status, text, 10000);
 *     answer_receive(fd, 60000, print, NULL, &status);
 */
#ifndef MAIN_ANSWER_H
#define MAIN_ANSWER_H

#include <stdint.h>

#include "base/slice.h"

/* Text in one message; what is longer goes in several. */
#define ANSWER_PIECE (64 * 1024)

/* Sends all of it; false when the other side is gone, or takes nothing for `stall_ms`. */
bool answer_send(int fd, uint64_t status, slice text, int stall_ms);
/* Gives each piece to take() as it comes; false when the answer ends before its end, is malformed, or
 * nothing comes for `wait_ms`. */
bool answer_receive(int fd, int wait_ms, void (*take)(void *context, uint64_t status, slice text),
    void *context, uint64_t *status_out);

#endif
