/*
 * access_rules: the access rules of the directory as net/ takes them.
 */
#ifndef MAIN_ACCESS_RULES_H
#define MAIN_ACCESS_RULES_H

#include "directory/directory.h"
#include "main/role.h"
#include "net/access.h"

/* All of the directory's rules; NULL and error when it cannot be read. */
struct access *access_rules_read(struct directory *dir, struct error *error);

/* Roles with listeners: reads the rules now and whenever control says that they have changed. Without a
 * directory there are none yet: control says so as soon as there is one. */
void access_rules_start(struct role_start *start);
/* MESSAGE_ACCESS, for their services. */
void access_rules_take(struct call *call);

#endif
