#include "vault/layer.h"

#include <gssapi/gssapi.h>
#include <gssapi/gssapi_krb5.h>
#include <krb5.h>
#include <stdlib.h>

#include "base/memory.h"

struct protection {
	gss_ctx_id_t context;
	bool confidential;
};

static void take_buffer(gss_buffer_t from, struct buf *out)
{
	OM_uint32 minor;

	buf_add(out, (slice){ from->value, from->length });
	gss_release_buffer(&minor, from);
}

static bool open_piece(void *context, slice piece, struct buf *out)
{
	struct protection *p = context;
	gss_buffer_desc input = { piece.n, (void *)piece.p }, output = GSS_C_EMPTY_BUFFER;
	int confidential = 0;
	OM_uint32 minor;
	OM_uint32 major = gss_unwrap(&minor, p->context, &input, &output, &confidential, NULL);

	take_buffer(&output, out);
	/* Also no replay, and nothing left out: then it is not complete. */
	return major == GSS_S_COMPLETE && (confidential || !p->confidential);
}

static bool close_piece(void *context, slice octets, struct buf *out)
{
	struct protection *p = context;
	gss_buffer_desc input = { octets.n, (void *)octets.p }, output = GSS_C_EMPTY_BUFFER;
	int confidential = 0;
	OM_uint32 minor;
	OM_uint32 major = gss_wrap(
	    &minor, p->context, p->confidential, GSS_C_QOP_DEFAULT, &input, &confidential, &output);

	take_buffer(&output, out);
	return major == GSS_S_COMPLETE && (confidential || !p->confidential);
}

static void free_protection(void *context)
{
	struct protection *p = context;
	OM_uint32 minor;

	gss_delete_sec_context(&minor, &p->context, GSS_C_NO_BUFFER);
	free(p);
}

bool layer_warm_up(struct error *error)
{
	gss_OID_set mechanisms = GSS_C_NO_OID_SET;
	krb5_context library;
	OM_uint32 minor;

	/* As in kerberos.c: the site's files say nothing that is wanted here. */
	setenv("KRB5_CONFIG", "/dev/null", 1);
	setenv("GSS_MECH_CONFIG", "/dev/null", 1);
	unsetenv("KRB5_TRACE");
	krb5_error_code failed = krb5_init_context(&library);
	if (failed)
		return error_local(error, "Kerberos does not start: %d", (int)failed);
	krb5_free_context(library);
	OM_uint32 major = gss_indicate_mechs(&minor, &mechanisms);
	gss_release_oid_set(&minor, &mechanisms);
	return !GSS_ERROR(major) || error_local(error, "GSSAPI does not start: %u", major);
}

bool layer_make(
    slice exported, bool confidential, size_t most, struct session_layer *out, struct error *error)
{
	gss_buffer_desc token = { exported.n, (void *)exported.p };
	struct protection *p = NEW(struct protection);
	OM_uint32 minor, holds = 0;
	OM_uint32 major = gss_import_sec_context(&minor, &token, &p->context);

	p->confidential = confidential;
	if (!GSS_ERROR(major))
		major = gss_wrap_size_limit(&minor, p->context, confidential, GSS_C_QOP_DEFAULT,
		    (OM_uint32)(most < LAYER_PIECE ? most : LAYER_PIECE), &holds);
	if (GSS_ERROR(major) || holds == 0) {
		free_protection(p);
		return error_local(error, "no security layer: %u.%u", major, minor);
	}
	*out = (struct session_layer){ open_piece, close_piece, free_protection, holds, p };
	return true;
}
