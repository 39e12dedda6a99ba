/*
 * smtp_settings: what SMTP is set to in unit tests and fuzz targets; each adds its sizes and times.
 *
 *     static struct smtp_conf conf = { SMTP_SETTINGS, .max_message = 5000, ... };
 */
#ifndef TESTS_SMTP_SETTINGS_H
#define TESTS_SMTP_SETTINGS_H

#include "smtp/smtp.h"

#define SMTP_SETTINGS                                                                              \
	.hostname = "mx.test", .check_sender = true, .vrfy = SMTP_USERS, .expn = SMTP_USERS,       \
	.max_errors = 20, .max_login_failures = 3, .max_header = 256 * 1024, .max_hops = 30,       \
	.data_rate = 1

#endif
