/*
 * kerberos_guide: the text of `hauberk kerberos guide`: every step for a given host and realm.
 */
#ifndef MAIN_KERBEROS_GUIDE_H
#define MAIN_KERBEROS_GUIDE_H

/* Prints it. */
void kerberos_guide(const char *host, const char *realm);

#endif
