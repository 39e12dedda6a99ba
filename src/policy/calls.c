/* What programs call: actions and functions here, checks in checks.c. */
#include "policy/internal.h"

#include <stdlib.h>

#include "base/log.h"
#include "mail/encoded_word.h"
#include "mail/header.h"

#define METHODS_MAX   256
#define HEADER_TEXT   8192 /* octets of one field that a policy sees */
#define HEADER_FIELDS 1000

static vm_builtin_fn *runs[METHODS_MAX];

/* ---- changes ---- */

static slice text_of(const struct value *args, unsigned count, unsigned i)
{
	return i < count && args[i].kind == VALUE_TEXT ? args[i].text : (slice){ 0 };
}

static const char *const change_words[] = { [EDIT_ADD] = "addHeader",
	[EDIT_ADD_MISSING] = "addIfNotExistsHeader",
	[EDIT_MODIFY] = "modifyHeader",
	[EDIT_MODIFY_THERE] = "modifyIfExistsHeader",
	[EDIT_REMOVE_FIRST] = "removeFirstHeader",
	[EDIT_REMOVE] = "removeHeader",
	[CHANGE_FOLDER] = "fileInto",
	[CHANGE_FLAG] = "setFlag" };

static bool change(struct vm *vm, uint64_t kind, slice name, slice value)
{
	const struct policy_run *run = vm->host;
	struct envelope_change c = { .kind = kind, .name = name, .value = value };
	struct error error;

	TRACE(run->trace, TRACE_CHANGE, 0, slice_of(change_words[kind]), name, value);
	return run->deeds->change(run->host, &c, &error) ||
	    vm_fault(vm, arena_str(run->turn, slice_of(error.why)));
}

/* Fields that only the server writes (policy language, section 6). */
static bool is_ours(slice name)
{
	return slice_eq_nocase(name, SLICE("Received")) ||
	    slice_eq_nocase(name, SLICE("Return-Path"));
}

static bool change_header(
    struct vm *vm, enum edit_kind kind, const struct value *args, unsigned count)
{
	slice name = text_of(args, count, 0), value = text_of(args, count, 1);
	const struct policy_run *run = vm->host;

	if (field_name_valid(name) && !is_ours(name))
		return change(vm, kind, name, value);
	log_warn("policy.header", kv_str("s", run->session), kv_text("name", name),
	    kv_str("why", "no field that a policy may change; nothing was done"));
	return true;
}

#define HEADER_CALL(function, kind)                                                                \
	static bool function(struct vm *vm, const struct vm_builtin *self,                         \
	    const struct value *args, unsigned count, struct value *out)                           \
	{                                                                                          \
		(void)self;                                                                        \
		(void)out;                                                                         \
		return change_header(vm, kind, args, count);                                       \
	}

HEADER_CALL(add_header, EDIT_ADD)
HEADER_CALL(add_missing, EDIT_ADD_MISSING)
HEADER_CALL(modify_header, EDIT_MODIFY)
HEADER_CALL(modify_there, EDIT_MODIFY_THERE)
HEADER_CALL(remove_first, EDIT_REMOVE_FIRST)
HEADER_CALL(remove_header, EDIT_REMOVE)

static bool file_into(struct vm *vm, const struct vm_builtin *self, const struct value *args,
    unsigned count, struct value *out)
{
	(void)self;
	(void)out;
	return change(vm, CHANGE_FOLDER, text_of(args, count, 0), SLICE(""));
}

static bool set_flag(struct vm *vm, const struct vm_builtin *self, const struct value *args,
    unsigned count, struct value *out)
{
	(void)self;
	(void)out;
	return change(vm, CHANGE_FLAG, text_of(args, count, 0), SLICE(""));
}

/* ---- recipients ---- */

static bool recipient(
    struct vm *vm, enum policy_recipient what, const struct value *args, unsigned count)
{
	const struct policy_run *run = vm->host;
	slice address = text_of(args, count, 0);
	struct error error;

	if (!address.n && what != RECIPIENT_DISCARD) {
		log_warn("policy.recipient", kv_str("s", run->session),
		    kv_str("why", "the address is not known; nothing was done"));
		return true;
	}
	static const char *const words[] = { [RECIPIENT_ADD] = "addRcpt",
		[RECIPIENT_DISCARD] = "discardRcpt",
		[RECIPIENT_REDIRECT] = "redirectTo",
		[RECIPIENT_ARCHIVE] = "archiveTo" };
	TRACE(run->trace, TRACE_CHANGE, 0, slice_of(words[what]), address, SLICE(""));
	return run->deeds->recipient(run->host, what, address, &error) ||
	    vm_fault(vm, arena_str(run->turn, slice_of(error.why)));
}

#define RECIPIENT_CALL(function, what)                                                             \
	static bool function(struct vm *vm, const struct vm_builtin *self,                         \
	    const struct value *args, unsigned count, struct value *out)                           \
	{                                                                                          \
		(void)self;                                                                        \
		(void)out;                                                                         \
		return recipient(vm, what, args, count);                                           \
	}

RECIPIENT_CALL(add_rcpt, RECIPIENT_ADD)
RECIPIENT_CALL(discard_rcpt, RECIPIENT_DISCARD)
RECIPIENT_CALL(redirect_to, RECIPIENT_REDIRECT)
RECIPIENT_CALL(archive_to, RECIPIENT_ARCHIVE)

/* ---- the log ---- */

static bool write_log(struct vm *vm, const struct vm_builtin *self, const struct value *args,
    unsigned count, struct value *out)
{
	const struct policy_run *run = vm->host;
	slice level = text_of(args, count, 0), text = text_of(args, count, 1);

	(void)self;
	(void)out;
	if (slice_eq(level, SLICE("debug")))
		log_debug("policy.log", kv_str("s", run->session), kv_text("text", text));
	else if (slice_eq(level, SLICE("info")))
		log_info("policy.log", kv_str("s", run->session), kv_text("text", text));
	else
		log_warn("policy.log", kv_str("s", run->session), kv_text("level", level),
		    kv_text("text", text));
	return true;
}

/* ---- reading the header ---- */

static bool field_text(struct vm *vm, slice value, struct value *out)
{
	struct buf text;

	buf_init(&text, HEADER_TEXT);
	encoded_words_decode(NULL, value, &text);
	slice clean = text_clean(slice_trim(buf_slice(&text)), HEADER_TEXT, vm->arena);
	bool ok = vm_text(vm, clean, HEADER_TEXT, out);
	buf_free(&text);
	return ok;
}

static bool header(struct vm *vm, const struct vm_builtin *self, const struct value *args,
    unsigned count, struct value *out)
{
	const struct policy_run *run = vm->host;
	slice value;

	(void)self;
	return !header_find(run->deeds->header(run->host), text_of(args, count, 0), &value) ||
	    field_text(vm, value, out);
}

static bool headers(struct vm *vm, const struct vm_builtin *self, const struct value *args,
    unsigned count, struct value *out)
{
	const struct policy_run *run = vm->host;
	slice rest = run->deeds->header(run->host), name = text_of(args, count, 0);
	struct value *items = vm_take(vm, HEADER_FIELDS * sizeof *items);
	struct header_field field;
	size_t n = 0;

	(void)self;
	if (!items)
		return false;
	while (n < HEADER_FIELDS && header_next(&rest, &field))
		if (slice_eq_nocase(field.name, name) && !field_text(vm, field.value, &items[n++]))
			return false;
	out->kind = VALUE_LIST;
	out->list.items = items;
	out->list.count = n;
	return true;
}

/* ---- which is which ---- */

/* A check whose engine is not built yet has no answer; what else is not there must not be left out in silence. */
static bool not_built(struct vm *vm, const struct vm_builtin *self, const struct value *args,
    unsigned count, struct value *out)
{
	const struct policy_run *run = vm->host;
	const struct host_method *m = &run->state->version->policy->host->methods[self->id];

	(void)args;
	(void)count;
	if (m->spec->kind != METHOD_CHECK)
		return vm_fault(vm, arena_printf(run->turn, "%s is not built yet", m->spec->name));
	TRACE(run->trace, TRACE_CHECK, 0, slice_of(m->spec->name), SLICE(""), SLICE("no answer"),
	    SLICE("it is not built yet"));
	check_failed(vm, m);
	*out = vm->vars[m->outputs[0]];
	return true;
}

static const struct {
	const char *name;
	vm_builtin_fn *run;
} own[] = {
	{ "addHeader", add_header },
	{ "addIfNotExistsHeader", add_missing },
	{ "modifyHeader", modify_header },
	{ "modifyIfExistsHeader", modify_there },
	{ "removeFirstHeader", remove_first },
	{ "removeHeader", remove_header },
	{ "addRcpt", add_rcpt },
	{ "discardRcpt", discard_rcpt },
	{ "redirectTo", redirect_to },
	{ "archiveTo", archive_to },
	{ "fileInto", file_into },
	{ "setFlag", set_flag },
	{ "log", write_log },
	{ "header", header },
	{ "headers", headers },
};

static vm_builtin_fn *find(const char *name)
{
	for (size_t i = 0; i < sizeof own / sizeof own[0]; i++)
		if (strcmp(own[i].name, name) == 0)
			return own[i].run;
	vm_builtin_fn *check = check_find(name);
	return check ? check : not_built;
}

void calls_start(const struct policy_host *host)
{
	if (host->method_count > METHODS_MAX)
		panic("more than %d methods", METHODS_MAX);
	for (unsigned i = 0; i < host->method_count; i++)
		runs[i] = find(host->methods[i].name);
}

bool policy_call(struct vm *vm, const struct vm_builtin *self, const struct value *args,
    unsigned count, struct value *out)
{
	return runs[self->id](vm, self, args, count, out);
}
