/* Keytabs and tickets without a KDC: what is read, told and refused. tests/system/test_kerberos.py has a KDC. */
#include "lib/unit.h"

#include <ftw.h>
#include <unistd.h>

#include "base/file.h"
#include "vault/ap_req.h"
#include "vault/kerberos.h"
#include "vault/principal.h"
#include "vault/seal.h"

/* ---- keytabs ---- */

static void add_number(struct buf *out, uint32_t n, int octets)
{
	while (octets--)
		buf_addc(out, (char)(n >> 8 * octets));
}

static void add_text(struct buf *out, const char *text)
{
	add_number(out, (uint32_t)strlen(text), 2);
	buf_adds(out, text);
}

/* A key of service/h@R; vno 0: only the short kvno is there. */
static void add_entry(
    struct buf *out, const char *service, int enctype, uint32_t kvno, uint32_t vno)
{
	struct buf entry;

	buf_init(&entry, 1000);
	add_number(&entry, 2, 2);
	add_text(&entry, "R");
	add_text(&entry, service);
	add_text(&entry, "h");
	add_number(&entry, 1, 4);
	add_number(&entry, 0, 4);
	add_number(&entry, kvno, 1);
	add_number(&entry, (uint32_t)enctype, 2);
	add_text(&entry, "0123456789abcdef");
	if (vno)
		add_number(&entry, vno, 4);
	add_number(out, (uint32_t)entry.n, 4);
	buf_add(out, buf_slice(&entry));
	buf_free(&entry);
}

static void begin_keytab(struct buf *out)
{
	buf_init(out, 10000);
	add_number(out, 0x0502, 2);
}

static void keys_are_read_with_long_versions_and_over_holes(void **state)
{
	struct arena *arena = arena_new(KEYTAB_MEMORY);
	struct keytab keytab;
	struct error error;
	struct buf file, name;

	(void)state;
	begin_keytab(&file);
	add_entry(&file, "smtp", ENCTYPE_AES256_SHA1, 2, 0);
	add_number(&file, 0u - 5, 4);
	buf_adds(&file, "holes");
	add_entry(&file, "IMAP", ENCTYPE_RC4, 44, 300);
	assert_true(keytab_read(buf_slice(&file), arena, &keytab, &error));
	assert_int_equal(keytab.count, 2);
	assert_int_equal(keytab.entries[0].kvno, 2);
	assert_int_equal(keytab.entries[1].kvno, 300);
	assert_int_equal(keytab.entries[1].enctype, ENCTYPE_RC4);
	assert_slice(keytab.entries[1].key, "0123456789abcdef");
	assert_true(keytab_serves(&keytab.entries[1], KERBEROS_IMAP));
	assert_false(keytab_serves(&keytab.entries[1], KERBEROS_SMTP));
	buf_init(&name, 100);
	keytab_principal(&keytab.entries[1], &name);
	assert_slice(buf_slice(&name), "IMAP/h@R");
	buf_free(&name);
	buf_free(&file);
	arena_free(arena);
}

static void a_keytab_that_ends_anywhere_is_refused_in_words(void **state)
{
	struct arena *arena = arena_new(KEYTAB_MEMORY);
	struct keytab keytab;
	struct error error;
	struct buf file;

	(void)state;
	begin_keytab(&file);
	add_entry(&file, "smtp", ENCTYPE_AES256_SHA1, 2, 7);
	for (size_t n = 0; n < file.n; n++) {
		assert_false(keytab_read(slice_head(buf_slice(&file), n), arena, &keytab, &error));
		assert_true(strlen(error.why) > 10);
		arena_reset(arena);
	}
	assert_true(keytab_read(buf_slice(&file), arena, &keytab, &error));
	file.p[7] = 9; /* more components than there are */
	assert_false(keytab_read(buf_slice(&file), arena, &keytab, &error));
	buf_free(&file);
	arena_free(arena);
}

static void keep_text(void *context, const char *text)
{
	buf_addf(context, "%s\n", text);
}

/* What is told of a keytab that has an AES key of smtp, and of imap one of this type. */
static void assert_told(int enctype, enum keytab_rc4 rc4, const char *part)
{
	struct arena *arena = arena_new(KEYTAB_MEMORY);
	struct keytab keytab;
	struct error error;
	struct buf file, told;

	begin_keytab(&file);
	buf_init(&told, 10000);
	add_entry(&file, "smtp", ENCTYPE_AES256_SHA1, 2, 0);
	add_entry(&file, "imap", enctype, 3, 0);
	assert_true(keytab_read(buf_slice(&file), arena, &keytab, &error));
	keytab_warn(&keytab, rc4, keep_text, &told);
	slice text = buf_slice(&told);
	assert_int_equal(slice_search_nocase(text, SLICE("smtp/")), SIZE_MAX);
	assert_int_not_equal(slice_search_nocase(text, SLICE("no key of pop/HOST")), SIZE_MAX);
	if (part)
		assert_int_not_equal(slice_search_nocase(text, slice_of(part)), SIZE_MAX);
	else
		assert_int_equal(slice_search_nocase(text, SLICE("imap")), SIZE_MAX);
	buf_free(&told);
	buf_free(&file);
	arena_free(arena);
}

static void keys_that_cannot_be_used_are_told(void **state)
{
	(void)state;
	assert_told(ENCTYPE_AES128_SHA256, KEYTAB_RC4_NO, NULL);
	assert_told(
	    ENCTYPE_RC4, KEYTAB_RC4_NO, "refused keys of imap only: imap/h@R kvno 3 arcfour-hmac");
	assert_told(
	    ENCTYPE_RC4, KEYTAB_RC4_WARN, "RC4 keys of imap only: imap/h@R kvno 3 arcfour-hmac");
	assert_told(ENCTYPE_RC4, KEYTAB_RC4_YES, NULL);
	assert_told(3, KEYTAB_RC4_YES, "refused keys of imap only: imap/h@R kvno 3 des-cbc-md5");
	assert_told(99, KEYTAB_RC4_YES, "imap/h@R kvno 3 enctype 99");
}

/* ---- tokens ---- */

static slice sample(const char *name, struct buf *out)
{
	const char *source = getenv("HAUBERK_SOURCE"); /* meson sets it */
	char path[4096];
	struct error error;

	snprintf(path, sizeof path, "%s/tests/corpus/ap_req/%s", source, name);
	buf_init(out, 10000);
	assert_non_null(source);
	assert_true(file_read(path, out, &error));
	return buf_slice(out);
}

static void a_ticket_tells_whom_it_is_for(void **state)
{
	struct ap_req ticket;
	struct buf file;

	(void)state;
	assert_true(ap_req_read(sample("smtp", &file), &ticket));
	assert_int_equal(ticket.component_count, 2);
	assert_slice(ticket.components[0], "smtp");
	assert_slice(ticket.components[1], "localhost");
	assert_slice(ticket.realm, "EXAMPLE.ORG");
	assert_int_equal(ticket.enctype, ENCTYPE_AES256_SHA1);
	assert_true(ticket.has_kvno);
	buf_free(&file);
	assert_true(ap_req_read(sample("imap-rc4", &file), &ticket));
	assert_int_equal(ticket.enctype, ENCTYPE_RC4);
	assert_int_equal(ticket.kvno, 2);
	buf_free(&file);
	assert_false(ap_req_read(sample("spnego", &file), &ticket));
	buf_free(&file);
}

/* A copy for each length, so that the sanitizer sees a read beyond the end. */
static void a_token_that_ends_anywhere_is_none(void **state)
{
	struct ap_req ticket;
	struct buf file;
	slice whole = sample("smtp", &file);

	(void)state;
	for (size_t n = 0; n < whole.n; n++) {
		char *part = malloc(n + 1);

		memcpy(part, whole.p, n);
		assert_false(ap_req_read((slice){ part, n }, &ticket));
		free(part);
	}
	buf_free(&file);
}

/* ---- the acceptor ---- */

static char folder[] = "/tmp/hauberk-kerberos-XXXXXX";

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	return remove(path);
}

static int start(void **state)
{
	struct error error;

	return mkdtemp(folder) && kerberos_open(folder, KEYTAB_RC4_NO, &error) ? 0 : -1;
}

static int stop(void **state)
{
	struct error error;

	kerberos_load((slice){ 0 }, &error);
	return nftw(folder, remove_one, 10, FTW_DEPTH | FTW_PHYS);
}

static void assert_refused(enum kerberos_service service, slice token, enum kerberos_result result,
    const char *code, const char *why)
{
	struct kerberos_answer a;

	kerberos_accept(service, KERBEROS_NO_LAYER, token, &a);
	assert_int_equal(a.result, result);
	assert_string_equal(a.code, code);
	assert_non_null(strstr(a.why, why));
	assert_int_equal(a.token.n + a.state.n + a.principal.n, 0);
	kerberos_answer_free(&a);
}

static void load(const char *service, int enctype, uint32_t kvno)
{
	struct error error;
	struct buf file;

	begin_keytab(&file);
	add_entry(&file, service, enctype, kvno, 0);
	assert_true(kerberos_load(buf_slice(&file), &error));
	buf_free(&file);
}

static void each_refusal_has_its_word(void **state)
{
	struct buf smtp, rc4;
	slice token = sample("smtp", &smtp), old = sample("imap-rc4", &rc4);
	struct error error;

	(void)state;
	assert_true(kerberos_load((slice){ 0 }, &error));
	assert_refused(KERBEROS_SMTP, token, KERBEROS_FAILED, "failed", "no keytab");
	load("smtp", ENCTYPE_AES128_SHA1, 1);
	assert_false(kerberos_load(SLICE("rubbish"), &error)); /* those of before stay */
	assert_refused(
	    KERBEROS_SMTP, SLICE("x"), KERBEROS_MALFORMED, "malformed", "none of Kerberos");
	assert_refused(KERBEROS_IMAP, token, KERBEROS_REFUSED, "wrong-service",
	    "for smtp/localhost@EXAMPLE.ORG, kvno 1, aes256-cts-hmac-sha1-96, not for imap/HOST");
	assert_refused(KERBEROS_SMTP, token, KERBEROS_REFUSED, "no-key", "no key of that name");
	assert_refused(
	    KERBEROS_IMAP, old, KERBEROS_REFUSED, "rc4-refused", "msDS-SupportedEncryptionTypes");
	buf_free(&smtp);
	buf_free(&rc4);
}

static void what_is_sealed_comes_back_unchanged_or_not(void **state)
{
	struct buf sealed, out;

	(void)state;
	buf_init(&sealed, 1000);
	buf_init(&out, 1000);
	assert_true(seal_close(SLICE("content"), 60, &sealed));
	assert_int_equal(sealed.n, strlen("content") + SEAL_OCTETS);
	assert_true(seal_open(buf_slice(&sealed), &out));
	assert_slice(buf_slice(&out), "content");
	for (size_t i = 0; i < sealed.n; i++) {
		assert_false(seal_open(slice_head(buf_slice(&sealed), i), &out));
		sealed.p[i] ^= 1;
		assert_false(seal_open(buf_slice(&sealed), &out));
		sealed.p[i] ^= 1;
	}
	buf_clear(&sealed);
	assert_true(seal_close(SLICE("content"), -1, &sealed)); /* over already */
	assert_false(seal_open(buf_slice(&sealed), &out));
	assert_true(seal_start()); /* another process */
	assert_false(seal_open(buf_slice(&sealed), &out));
	buf_free(&sealed);
	buf_free(&out);
}

static void a_state_of_another_process_is_not_taken(void **state)
{
	struct kerberos_answer a;

	(void)state;
	kerberos_finish(
	    SLICE("somebody else's state, which is longer than a seal"), SLICE("x"), &a);
	assert_int_equal(a.result, KERBEROS_FAILED);
	kerberos_answer_free(&a);
}

/* ---- names ---- */

static void users_are_named_like_their_accounts(void **state)
{
	static const struct {
		const char *principal, *name; /* NULL: no user */
	} cases[] = {
		{ "alice@EXAMPLE.TEST", "alice@example.test" },
		{ "ALICE@EXAMPLE.TEST", "ALICE@example.test" },
		{ "alice\\@example.test@EXAMPLE.TEST", "alice@example.test" },
		{ "alice\\@other.test@EXAMPLE.TEST", NULL },
		{ "alice\\@x\\@example.test@EXAMPLE.TEST", NULL },
		{ "\\@example.test@EXAMPLE.TEST", NULL },
		{ "o\\/brien@EXAMPLE.TEST", "o/brien@example.test" },
		{ "imap/mx.example.test@EXAMPLE.TEST", NULL },
		{ "a\\n@EXAMPLE.TEST", NULL },
		{ "a\\0@EXAMPLE.TEST", NULL },
		{ "alice@EXAMPLE.TEST\\@x", NULL },
		{ "alice\\", NULL },
		{ "alice@", NULL },
		{ "alice", NULL },
		{ "@EXAMPLE.TEST", NULL },
		{ "", NULL },
	};
	struct arena *arena = arena_new(10000);
	slice name;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		bool user =
		    principal_account(slice_of(cases[i].principal), arena, &name) == PRINCIPAL_USER;

		assert_int_equal(user, cases[i].name != NULL);
		if (user)
			assert_slice(name, cases[i].name);
	}
	arena_free(arena);
}

static void rules_say_which_realms_users_have_accounts(void **state)
{
	static const struct {
		const char *principal, *name;
		enum principal_answer answer;
	} cases[] = {
		{ "Alice@corp.example", "Alice@mail.example", PRINCIPAL_USER },
		{ "bob@OTHER.EXAMPLE", "bob@other.example", PRINCIPAL_USER },
		{ "bob@THIRD.EXAMPLE", NULL, PRINCIPAL_OTHER_REALM },
		{ "a\\@Sales.example@CORP.EXAMPLE", "a@sales.example", PRINCIPAL_USER },
		{ "a\\@corp.example@CORP.EXAMPLE", "a@mail.example", PRINCIPAL_USER },
		/* a suffix belongs to one realm */
		{ "a\\@sales.example@OTHER.EXAMPLE", NULL, PRINCIPAL_UNKNOWN_SUFFIX },
		{ "a\\@sales.example@THIRD.EXAMPLE", NULL, PRINCIPAL_OTHER_REALM },
		{ "a\\@mail.example@CORP.EXAMPLE", NULL, PRINCIPAL_UNKNOWN_SUFFIX },
		{ "imap/mx@CORP.EXAMPLE", NULL, PRINCIPAL_NO_USER },
		{ "a\\@b\\@c@CORP.EXAMPLE", NULL, PRINCIPAL_NO_USER },
	};
	struct arena *arena = arena_new(10000);
	struct error error;
	slice name;

	(void)state;
	principal_init("CORP.EXAMPLE = mail.example\nOTHER.EXAMPLE", "sales.example=CORP.EXAMPLE");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_int_equal(
		    principal_account(slice_of(cases[i].principal), arena, &name), cases[i].answer);
		if (cases[i].name)
			assert_slice(name, cases[i].name);
	}
	principal_init("", "");
	arena_free(arena);
	assert_true(principal_check_realms("A.B = c.d\nE", &error));
	assert_false(principal_check_realms("A.B = c d", &error));
	assert_non_null(strstr(error.why, "A.B = c d"));
	assert_false(principal_check_realms("A\n = b", &error));
	assert_true(principal_check_suffixes("a.b = C.D", &error));
	assert_false(principal_check_suffixes("a.b", &error));
	assert_non_null(strstr(error.why, "suffix = REALM"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_read_with_long_versions_and_over_holes),
		cmocka_unit_test(a_keytab_that_ends_anywhere_is_refused_in_words),
		cmocka_unit_test(keys_that_cannot_be_used_are_told),
		cmocka_unit_test(a_ticket_tells_whom_it_is_for),
		cmocka_unit_test(a_token_that_ends_anywhere_is_none),
		cmocka_unit_test(each_refusal_has_its_word),
		cmocka_unit_test(what_is_sealed_comes_back_unchanged_or_not),
		cmocka_unit_test(a_state_of_another_process_is_not_taken),
		cmocka_unit_test(users_are_named_like_their_accounts),
		cmocka_unit_test(rules_say_which_realms_users_have_accounts),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
