/* HMAC_CTX is deprecated in OpenSSL 3.0 in favour of EVP_MAC, which looks its algorithm up by name each
 * time; this one does not. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "vault/remember.h"

#include <pthread.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "base/clock.h"

#define TAG 32

struct slot {
	unsigned char tag[TAG];
	int64_t until_us;
};

static unsigned char key[TAG];
static struct slot slots[REMEMBER_SLOTS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

bool remember_start(void)
{
	return RAND_bytes(key, sizeof key) == 1;
}

static void make_tag(int64_t account, slice password, int64_t changed_us, unsigned char *tag)
{
	int64_t head[2] = { account, changed_us };
	HMAC_CTX *ctx = HMAC_CTX_new();
	unsigned n = TAG;

	HMAC_Init_ex(ctx, key, sizeof key, EVP_sha256(), NULL);
	HMAC_Update(ctx, (const unsigned char *)head, sizeof head);
	HMAC_Update(ctx, (const unsigned char *)password.p, password.n);
	HMAC_Final(ctx, tag, &n);
	HMAC_CTX_free(ctx);
}

static struct slot *slot_of(const unsigned char *tag)
{
	return &slots[(tag[0] | tag[1] << 8) % REMEMBER_SLOTS];
}

bool remember_knows(int64_t account, slice password, int64_t changed_us)
{
	unsigned char tag[TAG];

	make_tag(account, password, changed_us, tag);
	pthread_mutex_lock(&lock);
	const struct slot *s = slot_of(tag);
	bool known = s->until_us > clock_us() && CRYPTO_memcmp(s->tag, tag, TAG) == 0;
	pthread_mutex_unlock(&lock);
	return known;
}

void remember_add(int64_t account, slice password, int64_t changed_us)
{
	unsigned char tag[TAG];

	make_tag(account, password, changed_us, tag);
	pthread_mutex_lock(&lock);
	struct slot *s = slot_of(tag);
	memcpy(s->tag, tag, TAG);
	s->until_us = clock_us() + REMEMBER_US;
	pthread_mutex_unlock(&lock);
}
