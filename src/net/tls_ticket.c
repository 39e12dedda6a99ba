#include "net/tls_ticket.h"

#include <pthread.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#define KEYS 2

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned char keys[KEYS][TLS_TICKET_KEY]; /* under lock, like: */
static size_t key_count;

bool tls_tickets_set(slice all, struct error *error)
{
	if (!all.n || all.n % TLS_TICKET_KEY || all.n > sizeof keys)
		return error_local(error, "malformed keys for session tickets");
	pthread_mutex_lock(&lock);
	explicit_bzero(keys, sizeof keys);
	memcpy(keys, all.p, all.n);
	key_count = all.n / TLS_TICKET_KEY;
	pthread_mutex_unlock(&lock);
	return true;
}

bool tls_tickets_there(void)
{
	pthread_mutex_lock(&lock);
	bool there = key_count > 0;
	pthread_mutex_unlock(&lock);
	return there;
}

/* The present key, or the one of that name. How old it is: 0, 1; -1: there is none. */
static int key_find(const unsigned char *name, unsigned char out[TLS_TICKET_KEY])
{
	int found = -1;

	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < key_count && found < 0; i++)
		if (!name || memcmp(keys[i], name, 16) == 0)
			found = (int)i;
	if (found >= 0)
		memcpy(out, keys[found], TLS_TICKET_KEY);
	pthread_mutex_unlock(&lock);
	return found;
}

/* OpenSSL's question: -1 ends the handshake, 0 no such key, 1 done, 2 done but make a new ticket. */
static int on_key(SSL *ssl, unsigned char name[16], unsigned char iv[EVP_MAX_IV_LENGTH],
    EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int encrypt)
{
	unsigned char key[TLS_TICKET_KEY];
	int age = key_find(encrypt ? NULL : name, key);
	OSSL_PARAM params[] = { OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key + 48, 32),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
		OSSL_PARAM_construct_end() };

	(void)ssl;
	if (age < 0)
		return encrypt ? -1 : 0;
	bool ok = true;
	if (encrypt) {
		memcpy(name, key, 16);
		ok = RAND_bytes(iv, 16) == 1;
	}
	ok = ok && EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key + 16, iv, encrypt) == 1 &&
	    EVP_MAC_CTX_set_params(mac, params) == 1;
	explicit_bzero(key, sizeof key);
	return !ok ? -1 : age ? 2 : 1;
}

void tls_tickets_use(SSL_CTX *ssl)
{
	SSL_CTX_set_tlsext_ticket_key_evp_cb(ssl, on_key);
}
