#include "vault/kerberos.h"

#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <krb5.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/rand.h>

#include "base/log.h"
#include "base/memory.h"
#include "proc/stats.h"
#include "net/layer.h"
#include "vault/ap_req.h"
#include "vault/seal.h"

/* A context holds what the domain controller says of the user (the PAC) twice; it must fit a message. */
#define STATE_MOST  (160u << 10)
#define CHOICE_MOST 4096 /* octets of the client's second answer */
#define FINISH_S    300  /* within which it must come */

/* The keys of one keytab. */
struct keys {
	int users; /* logins that use them, and `current` */
	gss_cred_id_t credentials[KERBEROS_SERVICES];
	struct arena *arena;
	struct keytab keytab; /* whose they are, without the keys themselves */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct keys *current;
static krb5_context library;
static enum keytab_rc4 rc4_policy;
static char replay_cache[4200];

/* ---- keys ---- */

static void keys_drop(struct keys *keys)
{
	OM_uint32 minor;

	pthread_mutex_lock(&lock);
	bool last = keys && --keys->users == 0;
	pthread_mutex_unlock(&lock);
	if (!last)
		return;
	for (int i = 0; i < KERBEROS_SERVICES; i++)
		gss_release_cred(&minor, &keys->credentials[i]);
	arena_free(keys->arena);
	free(keys);
}

static struct keys *keys_use(void)
{
	pthread_mutex_lock(&lock);
	struct keys *keys = current;
	if (keys)
		keys->users++;
	pthread_mutex_unlock(&lock);
	return keys;
}

static bool add_key(krb5_keytab into, const struct keytab_entry *e, struct error *error)
{
	krb5_keytab_entry entry = { .vno = e->kvno };
	krb5_data components[KEYTAB_COMPONENTS];
	krb5_principal_data principal = { .realm = { .length = (unsigned)e->realm.n,
					      .data = (char *)e->realm.p },
		.data = components,
		.length = e->component_count,
		.type = (krb5_int32)e->name_type };

	for (int i = 0; i < e->component_count; i++)
		components[i] = (krb5_data){ .length = (unsigned)e->components[i].n,
			.data = (char *)e->components[i].p };
	entry.principal = &principal;
	entry.key = (krb5_keyblock){ .enctype = e->enctype,
		.length = (unsigned)e->key.n,
		.contents = (krb5_octet *)e->key.p };
	krb5_error_code failed = krb5_kt_add_entry(library, into, &entry);
	return !failed || error_local(error, "keytab: the library refuses a key: %d", (int)failed);
}

/* A keytab in memory with one service's keys only: so a ticket for another service finds no key. */
static bool make_credentials(struct keys *keys, enum kerberos_service service, struct error *error)
{
	static unsigned serial;
	gss_OID_set_desc kerberos = { 1, (gss_OID)gss_mech_krb5 };
	krb5_keytab into;
	OM_uint32 minor, failed = 0;
	char name[60];
	bool ok = true, any = false;

	snprintf(name, sizeof name, "MEMORY:hauberk.%u", serial++);
	if (krb5_kt_resolve(library, name, &into))
		return error_local(error, "keytab: no keytab in memory");
	for (size_t i = 0; ok && i < keys->keytab.count; i++) {
		const struct keytab_entry *e = &keys->keytab.entries[i];

		if (!keytab_serves(e, service) || !keytab_enctype_allowed(e->enctype, rc4_policy))
			continue;
		ok = add_key(into, e, error);
		any = true;
	}
	if (ok && any) {
		gss_key_value_element_desc elements[] = { { "keytab", name },
			{ "rcache", replay_cache } };
		gss_key_value_set_desc store = { 2, elements };

		failed = gss_acquire_cred_from(&minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, &kerberos,
		    GSS_C_ACCEPT, &store, &keys->credentials[service], NULL, NULL);
	}
	krb5_kt_close(library, into);
	if (!ok)
		return false;
	return !failed ||
	    error_local(error, "keytab: no credentials of %s: %u.%u",
		kerberos_service_name(service), failed, minor);
}

/* What diagnosis needs outlives the content; the keys do not. */
static void keep_names(struct keys *keys)
{
	for (size_t i = 0; i < keys->keytab.count; i++) {
		struct keytab_entry *e = &keys->keytab.entries[i];

		e->realm = arena_copy(keys->arena, e->realm);
		for (int j = 0; j < e->component_count; j++)
			e->components[j] = arena_copy(keys->arena, e->components[j]);
		e->key = (slice){ 0 };
	}
}

static void replace(struct keys *keys)
{
	int64_t services = 0;

	pthread_mutex_lock(&lock);
	struct keys *before = current;
	current = keys;
	pthread_mutex_unlock(&lock);
	keys_drop(before);
	for (int i = 0; keys && i < KERBEROS_SERVICES; i++)
		if (keys->credentials[i])
			services |= 1 << i;
	stats_set(STAT_KERBEROS, services);
}

bool kerberos_load(slice content, struct error *error)
{
	if (content.n == 0) {
		replace(NULL);
		return true;
	}
	struct keys *keys = NEW(struct keys);
	keys->users = 1;
	keys->arena = arena_new(KEYTAB_MEMORY + KEYTAB_MOST);
	bool ok = keytab_read(content, keys->arena, &keys->keytab, error);
	for (int i = 0; ok && i < KERBEROS_SERVICES; i++)
		ok = make_credentials(keys, (enum kerberos_service)i, error);
	if (!ok) {
		keys_drop(keys);
		return false;
	}
	keep_names(keys);
	replace(keys);
	return true;
}

bool kerberos_open(const char *folder, enum keytab_rc4 rc4, struct error *error)
{
	/* What the library would open later, or load: the site's files say nothing that an acceptor must
	 * know, and a module of theirs has no place in this process. */
	static const char *const unset[] = { "KRB5_TRACE", "KRB5_KTNAME", "KRB5RCACHENAME",
		"KRB5RCACHETYPE", "KRB5RCACHEDIR", "KRB5CCNAME", "KRB5_CLIENT_KTNAME" };

	for (size_t i = 0; i < sizeof unset / sizeof unset[0]; i++)
		unsetenv(unset[i]);
	setenv("KRB5_CONFIG", "/dev/null", 1);
	setenv("GSS_MECH_CONFIG", "/dev/null", 1);
	rc4_policy = rc4;
	snprintf(replay_cache, sizeof replay_cache, "file2:%s/replay", folder);
	krb5_error_code failed = krb5_init_context(&library);
	if (failed)
		return error_local(error, "Kerberos does not start: %d", (int)failed);
	return seal_start() || error_local(error, "no randomness for a key");
}

/* ---- diagnosis ---- */

static void refuse(struct kerberos_answer *out, const char *code, const char *why)
{
	out->result = KERBEROS_REFUSED;
	out->code = code;
	snprintf(out->why, sizeof out->why, "%s", why);
}

/* "imap/mx.example.org@EXAMPLE.ORG, kvno 3, aes256-cts-hmac-sha1-96" */
static void ticket_text(const struct ap_req *ticket, struct buf *out)
{
	char name[20];

	for (int i = 0; i < ticket->component_count; i++)
		buf_addf(
		    out, "%s%.*s", i ? "/" : "", SLICE_ARG(slice_head(ticket->components[i], 100)));
	buf_addf(out, "@%.*s", SLICE_ARG(slice_head(ticket->realm, 100)));
	if (ticket->has_kvno)
		buf_addf(out, ", kvno %u", ticket->kvno);
	buf_addf(out, ", %s", keytab_enctype_name(ticket->enctype, name));
}

static bool same_name(const struct keytab_entry *e, const struct ap_req *ticket)
{
	bool same = e->component_count == ticket->component_count &&
	    slice_eq_nocase(e->realm, ticket->realm);

	for (int i = 0; same && i < e->component_count; i++)
		same = slice_eq_nocase(e->components[i], ticket->components[i]);
	return same;
}

/* Why no key opens the ticket: what the keytab has for that name. */
static void explain_key(
    const struct keys *keys, const struct ap_req *ticket, struct kerberos_answer *out)
{
	bool name = false, version = false, type = false;
	struct buf text;

	for (size_t i = 0; i < keys->keytab.count; i++) {
		const struct keytab_entry *e = &keys->keytab.entries[i];

		if (!same_name(e, ticket))
			continue;
		name = true;
		if (ticket->has_kvno && e->kvno != ticket->kvno)
			continue;
		version = true;
		type |= e->enctype == ticket->enctype;
	}
	buf_init(&text, sizeof out->why - 1);
	buf_adds(&text, "the ticket is for ");
	ticket_text(ticket, &text);
	buf_adds(&text,
	    !name          ? "; the keytab has no key of that name"
		: !version ? "; the keytab has that name with another kvno: export it again, and "
			     "merge it beside the old one"
		: !type    ? "; the keytab has that kvno, but no key of that type: export it again"
			: "; the keytab's key does not open it: it was changed on its way, or the "
			  "account's password was set again with the same kvno");
	refuse(out,
	    !name          ? "no-key"
		: !version ? "old-key"
		: !type    ? "no-enctype"
			   : "bad-ticket",
	    text.p ? text.p : "");
	buf_free(&text);
}

/* The library tries every key that it has, also when the ticket is for another name that the same account has. */
static bool has_name(const struct keys *keys, const struct ap_req *ticket)
{
	for (size_t i = 0; i < keys->keytab.count; i++)
		if (same_name(&keys->keytab.entries[i], ticket))
			return true;
	return false;
}

/* What is refused before the library sees the ticket. */
static bool allowed(
    const struct ap_req *ticket, enum kerberos_service service, struct kerberos_answer *out)
{
	bool wrong = ticket->component_count != 2 ||
	    !slice_eq_nocase(ticket->components[0], slice_of(kerberos_service_name(service)));
	bool rc4 = ticket->enctype == ENCTYPE_RC4;
	struct buf text;

	if (!wrong && (!rc4 || rc4_policy == KEYTAB_RC4_YES))
		return true;
	buf_init(&text, sizeof out->why - 1);
	buf_adds(&text, "the ticket is for ");
	ticket_text(ticket, &text);
	if (wrong)
		buf_addf(&text, ", not for %s/HOST: the client asked for another service",
		    kerberos_service_name(service));
	else
		buf_adds(&text,
		    ": RC4; export the keys again with AES (ktpass -crypto AES256-SHA1) after setting "
		    "the account's msDS-SupportedEncryptionTypes to 24");
	if (wrong || rc4_policy == KEYTAB_RC4_NO)
		refuse(out, wrong ? "wrong-service" : "rc4-refused", text.p ? text.p : "");
	else
		snprintf(out->why, sizeof out->why, "%s", text.p ? text.p : "");
	buf_free(&text);
	return !wrong && rc4_policy != KEYTAB_RC4_NO;
}

static const struct {
	krb5_error_code number;
	const char *code, *why;
} refusals[] = {
	{ KRB5KRB_AP_ERR_TKT_EXPIRED, "ticket-expired", "the ticket has expired: log on again" },
	{ KRB5KRB_AP_ERR_TKT_NYV, "ticket-not-yet",
	    "the ticket begins later: compare the clocks of this host and the domain controller" },
	{ KRB5KRB_AP_ERR_SKEW, "clock-skew",
	    "the clocks of client and server differ by more than five minutes: set them by NTP" },
	{ KRB5KRB_AP_ERR_REPEAT, "replay", "the same token was used before" },
	{ KRB5KRB_AP_ERR_MODIFIED, "tampered", "the token was changed on its way" },
};

/* Errors that say no more than that no key opened it. */
static bool is_about_keys(krb5_error_code number)
{
	return number == KRB5KRB_AP_WRONG_PRINC || number == KRB5_KT_NOTFOUND ||
	    number == KRB5_KT_KVNONOTFOUND || number == KRB5KRB_AP_ERR_NOT_US ||
	    number == KRB5KRB_AP_ERR_NOKEY || number == KRB5KRB_AP_ERR_BADKEYVER ||
	    number == KRB5_NO_TKT_IN_RLM;
}

static void explain(OM_uint32 major, OM_uint32 minor, const struct keys *keys,
    const struct ap_req *ticket, struct kerberos_answer *out)
{
	krb5_error_code number = (krb5_error_code)minor;
	char why[100];

	for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++)
		if (refusals[i].number == number) {
			refuse(out, refusals[i].code, refusals[i].why);
			return;
		}
	if (is_about_keys(number) || number == KRB5KRB_AP_ERR_BAD_INTEGRITY) {
		explain_key(keys, ticket, out);
		return;
	}
	if (GSS_ROUTINE_ERROR(major) == GSS_S_DEFECTIVE_TOKEN) {
		refuse(out, "malformed", "the token is malformed");
		out->result = KERBEROS_MALFORMED;
		return;
	}
	snprintf(why, sizeof why, "the library refuses the token: %u.%u", major, minor);
	refuse(out, "refused", why);
}

/* ---- the two steps ---- */

static void begin_answer(struct kerberos_answer *out)
{
	*out = (struct kerberos_answer){ .code = "" };
	buf_init(&out->principal, 1024);
	buf_init(&out->token, KERBEROS_TOKEN);
	buf_init(&out->challenge, 1024);
	buf_init(&out->state, STATE_MOST);
	buf_init(&out->authorize_as, 1024);
}

void kerberos_answer_free(struct kerberos_answer *answer)
{
	if (answer->state.p)
		explicit_bzero(answer->state.p, answer->state.cap);
	buf_free(&answer->principal);
	buf_free(&answer->token);
	buf_free(&answer->challenge);
	buf_free(&answer->state);
	buf_free(&answer->authorize_as);
}

static void failed(struct kerberos_answer *out, const char *what, OM_uint32 major, OM_uint32 minor)
{
	out->result = KERBEROS_FAILED;
	out->code = "failed";
	snprintf(out->why, sizeof out->why, "%s: %u.%u", what, major, minor);
}

/* Adds what the library made, and gives it back. */
static void take_buffer(gss_buffer_t from, struct buf *out)
{
	OM_uint32 minor;

	buf_add(out, (slice){ from->value, from->length });
	gss_release_buffer(&minor, from);
}

/* What the context can do of what may be offered. Without a sequence the library takes a piece twice (RFC 4752 §3.1 has
 * clients ask for it who want a layer). */
static unsigned layers_of(unsigned layers, OM_uint32 flags)
{
	const OM_uint32 wanted = GSS_C_INTEG_FLAG | GSS_C_SEQUENCE_FLAG | GSS_C_MUTUAL_FLAG;

	if ((flags & wanted) != wanted)
		layers &= KERBEROS_NO_LAYER;
	if (!(flags & GSS_C_CONF_FLAG))
		layers &= ~(unsigned)KERBEROS_CONFIDENTIALITY;
	return layers;
}

/* The challenge: layers, and the longest piece that is taken, which is nothing where there can be no layer (RFC 4752
 * §3.1). The context goes into the state, behind what was offered. */
static void keep_context(gss_ctx_id_t *context, unsigned layers, struct kerberos_answer *out)
{
	unsigned most = layers & ~(unsigned)KERBEROS_NO_LAYER ? LAYER_PIECE : 0;
	unsigned char offer[4] = { (unsigned char)layers, (unsigned char)(most >> 16),
		(unsigned char)(most >> 8), (unsigned char)most };
	gss_buffer_desc plain = { sizeof offer, offer }, wrapped = GSS_C_EMPTY_BUFFER;
	gss_buffer_desc exported = GSS_C_EMPTY_BUFFER;
	OM_uint32 minor, major;
	struct buf state;

	major = gss_wrap(&minor, *context, 0, GSS_C_QOP_DEFAULT, &plain, NULL, &wrapped);
	take_buffer(&wrapped, &out->challenge);
	if (!GSS_ERROR(major))
		major = gss_export_sec_context(&minor, context, &exported);
	if (GSS_ERROR(major)) {
		failed(out, "the context cannot be kept", major, minor);
		return;
	}
	buf_init(&state, STATE_MOST);
	buf_room(&state, exported.length + 1);
	buf_addc(&state, (char)layers);
	buf_add(&state, (slice){ exported.value, exported.length });
	bool ok = !state.full && seal_close(buf_slice(&state), FINISH_S, &out->state);
	explicit_bzero(state.p, state.cap);
	buf_free(&state);
	explicit_bzero(exported.value, exported.length);
	gss_release_buffer(&minor, &exported);
	if (!ok || out->challenge.full || out->token.full)
		failed(out, "the context is too long", major, minor);
}

static void accept_with(const struct keys *keys, gss_cred_id_t credentials,
    const struct ap_req *ticket, unsigned layers, slice token, struct kerberos_answer *out)
{
	gss_buffer_desc input = { token.n, (void *)token.p };
	gss_buffer_desc output = GSS_C_EMPTY_BUFFER, name = GSS_C_EMPTY_BUFFER;
	gss_ctx_id_t context = GSS_C_NO_CONTEXT;
	gss_name_t client = GSS_C_NO_NAME;
	OM_uint32 minor, ignored, major, flags = 0;

	major = gss_accept_sec_context(&minor, &context, credentials, &input,
	    GSS_C_NO_CHANNEL_BINDINGS, &client, NULL, &output, &flags, NULL, NULL);
	layers = layers_of(layers, flags);
	if (major == GSS_S_COMPLETE) {
		take_buffer(&output, &out->token);
		major = gss_display_name(&minor, client, &name, NULL);
		take_buffer(&name, &out->principal);
		if (GSS_ERROR(major) || out->principal.full)
			failed(out, "the client's name cannot be told", major, minor);
		else if (!layers)
			refuse(out, "no-layer",
			    "there is no TLS, and the client's context can do none of the layers that "
			    "kerberos.securityLayer wants");
		else
			keep_context(&context, layers, out);
	} else if (GSS_ERROR(major)) {
		explain(major, minor, keys, ticket, out);
	} else {
		/* Kerberos takes one token, unless it is in the style of DCE, which is not for mail. */
		refuse(out, "dce-style", "the client wants three tokens (DCE)");
	}
	/* An error's token too ends here: it would tell strangers about our keys. */
	gss_release_buffer(&ignored, &output);
	gss_release_name(&ignored, &client);
	gss_delete_sec_context(&ignored, &context, GSS_C_NO_BUFFER);
}

void kerberos_accept(
    enum kerberos_service service, unsigned layers, slice token, struct kerberos_answer *out)
{
	struct ap_req ticket;

	begin_answer(out);
	struct keys *keys = keys_use();
	if (!keys) {
		failed(out, "there is no keytab", 0, 0);
		return;
	}
	if (token.n > KERBEROS_TOKEN || !ap_req_read(token, &ticket)) {
		refuse(out, "malformed", "the token is none of Kerberos");
		out->result = KERBEROS_MALFORMED;
	} else if (allowed(&ticket, service, out)) {
		if (keys->credentials[service] && has_name(keys, &ticket))
			accept_with(keys, keys->credentials[service], &ticket, layers, token, out);
		else
			explain_key(keys, &ticket, out);
	}
	keys_drop(keys);
}

/* Which layer the client takes, how long its pieces may be, whom it wants to be (RFC 4752 §3.1). */
static void read_choice(slice choice, unsigned offered, struct kerberos_answer *out)
{
	const unsigned char *c = (const unsigned char *)choice.p;
	slice name = slice_from(choice, 4);

	if (choice.n < 4 || slice_find(name, '\0') < name.n) {
		refuse(out, "malformed", "the choice of a security layer is malformed");
		out->result = KERBEROS_MALFORMED;
	} else if (c[0] == 0 || (c[0] & (c[0] - 1)) || !(c[0] & offered)) {
		refuse(
		    out, "layer-refused", "the client wants a security layer that was not offered");
	} else {
		out->layer = c[0];
		out->layer_most = (size_t)c[1] << 16 | (size_t)c[2] << 8 | c[3];
		buf_add(&out->authorize_as, name);
		if (out->authorize_as.full)
			refuse(out, "malformed", "the authorization identity is too long");
	}
}

/* For the session's process, which wraps and unwraps from now on. */
static void hand_over(gss_ctx_id_t *context, struct kerberos_answer *out)
{
	gss_buffer_desc exported = GSS_C_EMPTY_BUFFER;
	OM_uint32 minor, major = gss_export_sec_context(&minor, context, &exported);

	buf_add(&out->state, (slice){ exported.value, exported.length });
	if (exported.value)
		explicit_bzero(exported.value, exported.length);
	gss_release_buffer(&minor, &exported);
	if (GSS_ERROR(major) || out->state.full)
		failed(out, "the context cannot be handed over", major, minor);
}

static void take_choice(
    slice exported, unsigned offered, slice response, struct kerberos_answer *out)
{
	gss_buffer_desc token = { exported.n, (void *)exported.p }, choice = GSS_C_EMPTY_BUFFER;
	gss_buffer_desc input = { response.n, (void *)response.p };
	gss_ctx_id_t context = GSS_C_NO_CONTEXT;
	OM_uint32 minor, major = gss_import_sec_context(&minor, &token, &context);

	if (GSS_ERROR(major)) {
		failed(out, "the context cannot be taken up", major, minor);
		return;
	}
	major = gss_unwrap(&minor, context, &input, &choice, NULL, NULL);
	if (major == GSS_S_COMPLETE)
		read_choice((slice){ choice.value, choice.length }, offered, out);
	else
		refuse(out, "bad-answer", "the answer to the security layers is not the client's");
	if (out->result == KERBEROS_ACCEPTED && out->layer != KERBEROS_NO_LAYER)
		hand_over(&context, out);
	gss_release_buffer(&minor, &choice);
	gss_delete_sec_context(&minor, &context, GSS_C_NO_BUFFER);
}

void kerberos_finish(slice state, slice response, struct kerberos_answer *out)
{
	struct buf kept;

	begin_answer(out);
	buf_init(&kept, STATE_MOST);
	if (response.n > CHOICE_MOST) {
		refuse(out, "malformed", "the choice of a security layer is too long");
		out->result = KERBEROS_MALFORMED;
	} else if (!seal_open(state, &kept) || kept.n == 0) {
		failed(out, "the login began too long ago, or before auth was started anew", 0, 0);
	} else {
		take_choice(
		    slice_from(buf_slice(&kept), 1), (unsigned char)kept.p[0], response, out);
	}
	if (kept.p)
		explicit_bzero(kept.p, kept.cap);
	buf_free(&kept);
}
