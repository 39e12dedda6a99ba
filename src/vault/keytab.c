#include "vault/keytab.h"

#include <stdio.h>

#include "base/cursor.h"

static const struct {
	int number;
	const char *name;
} enctypes[] = {
	{ 1, "des-cbc-crc" },
	{ 3, "des-cbc-md5" },
	{ 16, "des3-cbc-sha1" },
	{ ENCTYPE_AES128_SHA1, "aes128-cts-hmac-sha1-96" },
	{ ENCTYPE_AES256_SHA1, "aes256-cts-hmac-sha1-96" },
	{ ENCTYPE_AES128_SHA256, "aes128-cts-hmac-sha256-128" },
	{ ENCTYPE_AES256_SHA384, "aes256-cts-hmac-sha384-192" },
	{ ENCTYPE_RC4, "arcfour-hmac" },
	{ ENCTYPE_CAMELLIA128, "camellia128-cts-cmac" },
	{ ENCTYPE_CAMELLIA256, "camellia256-cts-cmac" },
};

enum keytab_rc4 keytab_rc4_of(const char *word)
{
	return strcmp(word, "yes") == 0 ? KEYTAB_RC4_YES
	    : strcmp(word, "warn") == 0 ? KEYTAB_RC4_WARN
					: KEYTAB_RC4_NO;
}

const char *kerberos_service_name(enum kerberos_service service)
{
	static const char *const names[] = { "smtp", "imap", "pop" };

	return names[service];
}

const char *keytab_enctype_name(int enctype, char out[20])
{
	for (size_t i = 0; i < sizeof enctypes / sizeof enctypes[0]; i++)
		if (enctypes[i].number == enctype)
			return enctypes[i].name;
	snprintf(out, 20, "enctype %d", enctype);
	return out;
}

/* DES and triple DES are gone for good (RFC 6649, RFC 8429). */
bool keytab_enctype_allowed(int enctype, enum keytab_rc4 rc4)
{
	return (enctype >= ENCTYPE_AES128_SHA1 && enctype <= ENCTYPE_AES256_SHA384) ||
	    enctype == ENCTYPE_CAMELLIA128 || enctype == ENCTYPE_CAMELLIA256 ||
	    (enctype == ENCTYPE_RC4 && rc4 != KEYTAB_RC4_NO);
}

bool keytab_serves(const struct keytab_entry *entry, enum kerberos_service service)
{
	return entry->component_count == 2 &&
	    slice_eq_nocase(entry->components[0], slice_of(kerberos_service_name(service)));
}

void keytab_principal(const struct keytab_entry *entry, struct buf *out)
{
	for (int i = 0; i < entry->component_count; i++)
		buf_addf(out, "%s%.*s", i ? "/" : "", SLICE_ARG(entry->components[i]));
	buf_addf(out, "@%.*s", SLICE_ARG(entry->realm));
}

/* ---- reading ---- */

/* Most significant octet first. */
static uint32_t number(struct cursor *c, size_t octets)
{
	slice text = cursor_take(c, octets, "a number");
	uint32_t n = 0;

	for (size_t i = 0; i < text.n; i++)
		n = n << 8 | (unsigned char)text.p[i];
	return n;
}

static slice counted(struct cursor *c, const char *expected)
{
	return cursor_take(c, number(c, 2), expected);
}

/*
 * entry = count realm *component name-type timestamp vno8 enctype key [vno]
 * where realm, component and key are counted by 16 bits; vno stands for vno8, which is too short, when it is
 * there and not 0.
 */
static bool read_entry(slice record, struct keytab_entry *e)
{
	struct cursor c = cursor_of(record);
	uint32_t count = number(&c, 2), kvno;

	*e = (struct keytab_entry){ .realm = counted(&c, "a realm") };
	if (count == 0 || count > KEYTAB_COMPONENTS)
		return false;
	for (uint32_t i = 0; i < count; i++)
		e->components[e->component_count++] = counted(&c, "a name");
	e->name_type = number(&c, 4);
	number(&c, 4); /* when it was written */
	e->kvno = number(&c, 1);
	e->enctype = (int)number(&c, 2);
	e->key = counted(&c, "a key");
	if (c.rest.n >= 4 && (kvno = number(&c, 4)) != 0)
		e->kvno = kvno;
	return !c.expected && e->key.n > 0;
}

bool keytab_read(slice content, struct arena *arena, struct keytab *out, struct error *error)
{
	struct cursor c = cursor_of(content);

	*out =
	    (struct keytab){ .entries = ARENA_ARRAY(arena, struct keytab_entry, KEYTAB_ENTRIES) };
	if (number(&c, 2) != 0x0502)
		return error_local(error, "it is no keytab: it does not begin with 05 02");
	while (!cursor_end(&c)) {
		size_t at = cursor_offset(&c);
		int32_t length = (int32_t)number(&c, 4);

		/* A negative length is the room of an entry that was deleted. */
		uint32_t octets = length < 0 ? 0u - (uint32_t)length : (uint32_t)length;
		slice record = cursor_take(&c, octets, "an entry");
		if (c.expected)
			return error_local(error, "the entry at octet %zu goes beyond its end", at);
		if (length == 0)
			break;
		out->end = cursor_offset(&c);
		if (length < 0)
			continue;
		if (out->count == KEYTAB_ENTRIES)
			return error_local(error, "it has more than %d keys", KEYTAB_ENTRIES);
		if (!read_entry(record, &out->entries[out->count++]))
			return error_local(error, "the entry at octet %zu is malformed", at);
	}
	return out->count > 0 || error_local(error, "there is no key in it");
}

/* ---- what is wrong with it ---- */

#define WARNING 700

/* The keys of a service, as "imap/h@R kvno 2 arcfour-hmac". */
static void list_keys(const struct keytab *keytab, enum kerberos_service service, struct buf *out)
{
	const char *before = "";
	char name[20];

	for (size_t i = 0; i < keytab->count; i++) {
		const struct keytab_entry *e = &keytab->entries[i];

		if (!keytab_serves(e, service) || out->n > WARNING / 2)
			continue;
		buf_adds(out, before);
		keytab_principal(e, out);
		buf_addf(out, " kvno %u %s", e->kvno, keytab_enctype_name(e->enctype, name));
		before = ", ";
	}
}

static void warn_service(const struct keytab *keytab, enum keytab_rc4 rc4,
    enum kerberos_service service, void (*warn)(void *context, const char *text), void *context)
{
	const char *name = kerberos_service_name(service);
	bool usable = false, strong = false, any = false;
	struct buf keys, text;

	for (size_t i = 0; i < keytab->count; i++) {
		const struct keytab_entry *e = &keytab->entries[i];

		if (!keytab_serves(e, service))
			continue;
		any = true;
		usable |= keytab_enctype_allowed(e->enctype, rc4);
		strong |= keytab_enctype_allowed(e->enctype, KEYTAB_RC4_NO);
	}
	if (strong || (usable && rc4 == KEYTAB_RC4_YES))
		return;
	buf_init(&keys, WARNING);
	buf_init(&text, 2 * WARNING);
	list_keys(keytab, service, &keys);
	if (!any)
		buf_addf(&text,
		    "no key of %s/HOST: no tickets are taken there; export one (ktpass, samba-tool domain "
		    "exportkeytab, ktadd) and merge it with ktutil",
		    name);
	else
		buf_addf(&text,
		    "%s keys of %s only: %.*s; export them again with AES (ktpass -crypto AES256-SHA1) "
		    "after setting the account's msDS-SupportedEncryptionTypes to 24",
		    usable ? "RC4" : "outdated, refused", name, SLICE_ARG(buf_slice(&keys)));
	warn(context, text.p ? text.p : "");
	buf_free(&keys);
	buf_free(&text);
}

void keytab_warn(const struct keytab *keytab, enum keytab_rc4 rc4,
    void (*warn)(void *context, const char *text), void *context)
{
	for (int i = 0; i < KERBEROS_SERVICES; i++)
		warn_service(keytab, rc4, (enum kerberos_service)i, warn, context);
}
