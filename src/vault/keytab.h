/*
 * keytab: the file in which Kerberos keeps services' keys (krb5 format 0x0502), read without a library.
 *
 *     if (!keytab_read(content, arena, &keytab, &error)) ...
 *     keytab_warn(&keytab, KEYTAB_RC4_NO, complain, context);
 *
 * main reads it to say what is wrong with it before any user meets it, auth to take the keys that the
 * administrator allows. Everything is borrowed from the content.
 */
#ifndef VAULT_KEYTAB_H
#define VAULT_KEYTAB_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

#define KEYTAB_MOST       (1u << 20) /* octets of a file */
#define KEYTAB_ENTRIES    4096
#define KEYTAB_COMPONENTS 4          /* of a principal's name */
#define KEYTAB_MEMORY     (4u << 20) /* an arena that holds what is read */

/* Encryption types (RFC 3961, RFC 3962, RFC 8009, RFC 4757). */
enum {
	ENCTYPE_AES128_SHA1 = 17,
	ENCTYPE_AES256_SHA1 = 18,
	ENCTYPE_AES128_SHA256 = 19,
	ENCTYPE_AES256_SHA384 = 20,
	ENCTYPE_RC4 = 23,
	ENCTYPE_CAMELLIA128 = 25,
	ENCTYPE_CAMELLIA256 = 26
};

/* What is done with keys of RC4, which AD makes for service accounts unless it is told otherwise. */
enum keytab_rc4 { KEYTAB_RC4_NO, KEYTAB_RC4_WARN, KEYTAB_RC4_YES };
/* "no", "warn", "yes" */
enum keytab_rc4 keytab_rc4_of(const char *word);

/* Services, by the names that tickets have for them (RFC 4752 §3.3). */
enum kerberos_service { KERBEROS_SMTP, KERBEROS_IMAP, KERBEROS_POP, KERBEROS_SERVICES };
const char *kerberos_service_name(enum kerberos_service service);

struct keytab_entry {
	slice realm;
	slice components[KEYTAB_COMPONENTS];
	int component_count;
	uint32_t name_type, kvno;
	int enctype;
	slice key;
};

struct keytab {
	struct keytab_entry *entries;
	size_t count;
	size_t end; /* octets up to the last key's end; what is behind has no meaning */
};

/* false: malformed, or without a key; error says where. */
bool keytab_read(slice content, struct arena *arena, struct keytab *out, struct error *error);
/* Is it a key of this service, on whatever host? Case is ignored, as AD does. */
bool keytab_serves(const struct keytab_entry *entry, enum kerberos_service service);
/* May keys of this type be used? */
bool keytab_enctype_allowed(int enctype, enum keytab_rc4 rc4);
/* "aes256-cts-hmac-sha1-96", or its number */
const char *keytab_enctype_name(int enctype, char out[20]);
/* Adds "imap/mx.example.org@EXAMPLE.ORG". */
void keytab_principal(const struct keytab_entry *entry, struct buf *out);
/* Says for each service what is wrong with its keys, and what mends it: none, or none that may be used. */
void keytab_warn(const struct keytab *keytab, enum keytab_rc4 rc4,
    void (*warn)(void *context, const char *text), void *context);

#endif
