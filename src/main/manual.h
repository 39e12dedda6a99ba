/*
 * manual: the manual page of the configuration file, from its rows.
 */
#ifndef MAIN_MANUAL_H
#define MAIN_MANUAL_H

#include <stdio.h>

#include "main/command.h"

/* Writes hauberk.conf(5) in mdoc(7). */
void manual_write(FILE *out);

#endif
