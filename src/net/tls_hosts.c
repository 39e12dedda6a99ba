#include "net/tls_hosts.h"

#include <ctype.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/map.h"
#include "base/memory.h"
#include "net/tls_key.h"

#define NAME_MOST 253

/* ---- identities ---- */

struct tls_identity {
	int count;
	struct {
		X509 *leaf;
		STACK_OF(X509) * chain;
		EVP_PKEY *key;
	} pairs[TLS_PAIRS];
	unsigned char digest[TLS_HOST_DIGEST];
};

static X509 *read_chain(slice pem, STACK_OF(X509) * chain)
{
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	X509 *leaf = PEM_read_bio_X509(bio, NULL, NULL, NULL), *next;

	while (leaf && chain && (next = PEM_read_bio_X509(bio, NULL, NULL, NULL)))
		sk_X509_push(chain, next);
	BIO_free(bio);
	ERR_clear_error();
	return leaf;
}

static bool add_pair(struct tls_identity *t, const struct tls_pair *pair, struct error *error)
{
	int i = t->count++;

	t->pairs[i].chain = sk_X509_new_null();
	t->pairs[i].leaf = read_chain(pair->chain, t->pairs[i].chain);
	if (!t->pairs[i].leaf)
		return error_local(
		    error, "no certificate in PEM form was found in the certificate file");
	EVP_PKEY *public_half = X509_get0_pubkey(t->pairs[i].leaf);
	if (!public_half)
		return error_local(error, "the certificate's public key cannot be read");
	t->pairs[i].key = tls_key_new(public_half, pair->key, error);
	return t->pairs[i].key != NULL;
}

static void digest_pairs(struct tls_identity *t, const struct tls_pair *pairs)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);
	for (int i = 0; i < t->count; i++)
		EVP_DigestUpdate(ctx, pairs[i].chain.p, pairs[i].chain.n);
	EVP_DigestFinal_ex(ctx, t->digest, NULL);
	EVP_MD_CTX_free(ctx);
}

struct tls_identity *tls_identity_new(const struct tls_pair *pairs, int n, struct error *error)
{
	struct tls_identity *t = NEW(struct tls_identity);

	for (int i = 0; i < n && i < TLS_PAIRS; i++) {
		if (!add_pair(t, &pairs[i], error)) {
			tls_identity_free(t);
			return NULL;
		}
	}
	digest_pairs(t, pairs);
	return t;
}

void tls_identity_free(struct tls_identity *t)
{
	if (!t)
		return;
	for (int i = 0; i < t->count; i++) {
		X509_free(t->pairs[i].leaf);
		sk_X509_pop_free(t->pairs[i].chain, X509_free);
		EVP_PKEY_free(t->pairs[i].key);
	}
	free(t);
}

bool tls_identity_use_always(const struct tls_identity *t, SSL_CTX *ssl)
{
	for (int i = 0; i < t->count; i++)
		if (!SSL_CTX_use_cert_and_key(
			ssl, t->pairs[i].leaf, t->pairs[i].key, t->pairs[i].chain, 1))
			return false;
	return true;
}

bool tls_identity_use(const struct tls_identity *t, SSL *ssl)
{
	SSL_certs_clear(ssl); /* a kind that only the default has is not this host's */
	for (int i = 0; i < t->count; i++)
		if (!SSL_use_cert_and_key(
			ssl, t->pairs[i].leaf, t->pairs[i].key, t->pairs[i].chain, 1))
			return false;
	return true;
}

const unsigned char *tls_identity_digest(const struct tls_identity *t)
{
	return t->digest;
}

/* ---- names ---- */

static bool is_label(slice label)
{
	if (!label.n || label.n > 63)
		return false;
	for (size_t i = 0; i < label.n; i++)
		if (!isalnum((unsigned char)label.p[i]) && label.p[i] != '-' && label.p[i] != '_')
			return false;
	return true;
}

bool tls_name_valid(slice name)
{
	if (slice_starts(name, SLICE("*.")))
		name = slice_from(name, 2);
	if (!name.n || name.n > NAME_MOST || name.p[name.n - 1] == '.')
		return false;
	while (name.n) {
		size_t dot = slice_find(name, '.');

		if (!is_label(slice_head(name, dot)))
			return false;
		name = slice_from(name, dot + 1);
	}
	return true;
}

static void add_lower(struct buf *out, slice name)
{
	if (out->n)
		buf_addc(out, '\n');
	for (size_t i = 0; i < name.n; i++)
		buf_addc(out, (char)tolower((unsigned char)name.p[i]));
}

bool tls_names_of(slice chain, struct buf *out, struct error *error)
{
	X509 *leaf = read_chain(chain, NULL);
	GENERAL_NAMES *names =
	    leaf ? X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL) : NULL;
	size_t before = out->n;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *one = sk_GENERAL_NAME_value(names, i);

		if (one->type != GEN_DNS)
			continue;
		slice name = { (const char *)ASN1_STRING_get0_data(one->d.dNSName),
			(size_t)ASN1_STRING_length(one->d.dNSName) };
		if (tls_name_valid(name))
			add_lower(out, name);
	}
	GENERAL_NAMES_free(names);
	X509_free(leaf);
	ERR_clear_error();
	return (out->n > before && !out->full) ||
	    error_local(error, "there is no host's name in the certificate (subjectAltName)");
}

/* ---- hosts ---- */

/* One name; those of one hash behind each other. */
struct entry {
	slice name;
	const struct tls_identity *identity;
	struct entry *next;
};

struct tls_hosts {
	atomic_int held;
	struct hash_key key;
	struct map names; /* struct entry by hash */
	struct tls_identity **identities;
	size_t count;
};

struct tls_hosts *tls_hosts_new(void)
{
	struct tls_hosts *h = NEW(struct tls_hosts);

	h->held = 1;
	if (RAND_bytes((unsigned char *)&h->key, sizeof h->key) != 1)
		panic("openssl: no random octets");
	return h;
}

struct tls_hosts *tls_hosts_hold(struct tls_hosts *h)
{
	if (h)
		h->held++;
	return h;
}

static void free_entries(struct tls_hosts *h)
{
	size_t at = 0;
	struct entry *e;

	while ((e = map_next(&h->names, &at))) {
		while (e) {
			struct entry *next = e->next;

			free((char *)e->name.p);
			free(e);
			e = next;
		}
	}
	map_free(&h->names);
}

void tls_hosts_free(struct tls_hosts *h)
{
	if (!h || --h->held > 0)
		return;
	free_entries(h);
	for (size_t i = 0; i < h->count; i++)
		tls_identity_free(h->identities[i]);
	free(h->identities);
	free(h);
}

static const struct entry *entry_find(const struct tls_hosts *h, slice name)
{
	const struct entry *e = map_get(&h->names, hash_keyed(&h->key, name));

	while (e && !slice_eq(e->name, name))
		e = e->next;
	return e;
}

static void entry_add(struct tls_hosts *h, slice name, const struct tls_identity *identity)
{
	uint64_t hash = hash_keyed(&h->key, name);
	struct entry *e = NEW(struct entry);
	char *copy = memory_new(1, name.n + 1);

	memcpy(copy, name.p, name.n);
	*e = (struct entry){ { copy, name.n }, identity, map_get(&h->names, hash) };
	map_set(&h->names, hash, e);
}

bool tls_hosts_add(
    struct tls_hosts *h, slice names, const struct tls_pair *pairs, int n, struct error *error)
{
	struct tls_identity *identity = tls_identity_new(pairs, n, error);

	if (!identity)
		return false;
	h->identities = memory_resize(h->identities, (h->count + 1) * sizeof h->identities[0]);
	h->identities[h->count++] = identity;
	while (names.n) {
		size_t end = slice_find(names, '\n');
		slice name = slice_head(names, end);

		if (name.n && !entry_find(h, name))
			entry_add(h, name, identity);
		names = slice_from(names, end + 1);
	}
	return true;
}

/* A wildcard stands for exactly one label. */
const struct tls_identity *tls_hosts_find(const struct tls_hosts *h, slice name)
{
	char wild[NAME_MOST + 3] = "*";
	slice rest = slice_from(name, slice_find(name, '.'));
	const struct entry *e = entry_find(h, name);

	if (!e && rest.n > 1 && rest.n <= NAME_MOST) {
		memcpy(wild + 1, rest.p, rest.n);
		e = entry_find(h, (slice){ wild, rest.n + 1 });
	}
	return e ? e->identity : NULL;
}
