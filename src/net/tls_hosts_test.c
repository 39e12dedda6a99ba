/* Names of hosts, and which certificates are shown for them. */
#include "lib/unit.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "net/tls_hosts.h"

/* A certificate whose subjectAltName is this, as openssl.cnf writes it; NULL: it has none. */
static void make_pem(const char *names, struct buf *out)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	BIO *bio = BIO_new(BIO_s_mem());
	char *p;

	X509_set_version(x, 2);
	X509_set_pubkey(x, key);
	X509_gmtime_adj(X509_getm_notBefore(x), 0);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	if (names) {
		X509_EXTENSION *one = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);

		assert_non_null(one);
		X509_add_ext(x, one, -1);
		X509_EXTENSION_free(one);
	}
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	PEM_write_bio_X509(bio, x);
	long n = BIO_get_mem_data(bio, &p);
	buf_init(out, 100000);
	buf_add(out, (slice){ p, (size_t)n });
	BIO_free(bio);
	X509_free(x);
	EVP_PKEY_free(key);
}

static void names_of_hosts_and_wildcards_are_told_from_others(void **state)
{
	static const char *const good[] = { "a", "a.example", "*.a.example",
		"xn--bcher-kva.example", "_x.a-b.example", "1.2.3.4" };
	static const char *const bad[] = { "", ".", "a.", ".a", "a..b", "*", "*.", "a.*.b", "**.a",
		"a b", "\xc3\xbc.example", "a\nb", "*a.example", "a/b",
		"x123456789012345678901234567890123456789012345678901234567890123.example" };
	char wide[260];

	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		assert_true(tls_name_valid(slice_of(good[i])));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(tls_name_valid(slice_of(bad[i])));
	memset(wide, 'a', sizeof wide);
	for (size_t i = 50; i < sizeof wide; i += 50)
		wide[i] = '.';
	assert_true(tls_name_valid((slice){ wide, 253 }));
	assert_false(tls_name_valid((slice){ wide, 254 }));
}

static void names_are_taken_from_the_certificate(void **state)
{
	struct buf pem, names;
	struct error error;

	buf_init(&names, 1000);
	make_pem(
	    "DNS:Mail.Example,email:a@b.example,DNS:*.b.example,IP:192.0.2.1,DNS:bad name", &pem);
	assert_true(tls_names_of(buf_slice(&pem), &names, &error));
	assert_string_equal(names.p, "mail.example\n*.b.example");
	buf_free(&pem);
	buf_clear(&names);
	for (int i = 0; i < 2; i++) {
		make_pem(i ? "email:a@b.example" : NULL, &pem);
		assert_false(tls_names_of(buf_slice(&pem), &names, &error));
		buf_free(&pem);
	}
	assert_false(tls_names_of(SLICE("nothing"), &names, &error));
	buf_free(&names);
}

static void an_exact_name_wins_over_a_wildcard(void **state)
{
	struct tls_hosts *hosts = tls_hosts_new();
	const struct tls_identity *a, *wild;
	struct error error;
	struct buf pem;

	make_pem("DNS:a", &pem);
	struct tls_pair pair = { buf_slice(&pem), SLICE("tls.0") };
	assert_true(tls_hosts_add(hosts, SLICE("*.b.example\nother.example"), &pair, 1, &error));
	assert_true(tls_hosts_add(hosts, SLICE("a.b.example"), &pair, 1, &error));
	assert_false(tls_hosts_add(
	    hosts, SLICE("x"), &(struct tls_pair){ SLICE("no"), SLICE("k") }, 1, &error));
	assert_non_null(a = tls_hosts_find(hosts, SLICE("a.b.example")));
	assert_non_null(wild = tls_hosts_find(hosts, SLICE("z.b.example")));
	assert_ptr_not_equal(a, wild);
	assert_ptr_equal(wild, tls_hosts_find(hosts, SLICE("other.example")));
	const char *none[] = { "b.example", "y.z.b.example", "x", "", ".b.example.", "example",
		"a.b.example.", ".", "*" };
	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
		assert_null(tls_hosts_find(hosts, slice_of(none[i])));
	/* Held twice: it goes with the second. */
	tls_hosts_hold(hosts);
	tls_hosts_free(hosts);
	assert_ptr_equal(a, tls_hosts_find(hosts, SLICE("a.b.example")));
	tls_hosts_free(hosts);
	buf_free(&pem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_hosts_and_wildcards_are_told_from_others),
		cmocka_unit_test(names_are_taken_from_the_certificate),
		cmocka_unit_test(an_exact_name_wins_over_a_wildcard),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
