#include "vault/seal.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/clock.h"

/* sealed = nonce until content tag; the first two are not secret, but proved. */
#define NONCE 12
#define UNTIL 8
#define TAG   16
#define HEAD  (NONCE + UNTIL)

static unsigned char key[32];

bool seal_start(void)
{
	return RAND_bytes(key, sizeof key) == 1;
}

bool seal_close(slice content, int seconds, struct buf *out)
{
	unsigned char *p = (unsigned char *)buf_room(out, HEAD + content.n + TAG);
	int64_t until = clock_us() + seconds * 1000000LL;
	int n, end;

	if (!p || RAND_bytes(p, NONCE) != 1)
		return false;
	memcpy(p + NONCE, &until, UNTIL);
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	bool ok = c && EVP_EncryptInit_ex(c, EVP_aes_256_gcm(), NULL, key, p) == 1 &&
	    EVP_EncryptUpdate(c, NULL, &n, p + NONCE, UNTIL) == 1 &&
	    EVP_EncryptUpdate(c, p + HEAD, &n, (const unsigned char *)content.p, (int)content.n) ==
		1 &&
	    EVP_EncryptFinal_ex(c, p + HEAD + n, &end) == 1 &&
	    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG, p + HEAD + content.n) == 1;
	EVP_CIPHER_CTX_free(c);
	if (ok)
		buf_grow(out, HEAD + content.n + TAG);
	return ok;
}

bool seal_open(slice sealed, struct buf *out)
{
	const unsigned char *s = (const unsigned char *)sealed.p;
	int64_t until;
	int n, end;

	if (sealed.n < HEAD + TAG)
		return false;
	size_t length = sealed.n - HEAD - TAG;
	unsigned char *p = (unsigned char *)buf_room(out, length + 1);
	if (!p)
		return false;
	EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
	bool ok = c && EVP_DecryptInit_ex(c, EVP_aes_256_gcm(), NULL, key, s) == 1 &&
	    EVP_DecryptUpdate(c, NULL, &n, s + NONCE, UNTIL) == 1 &&
	    EVP_DecryptUpdate(c, p, &n, s + HEAD, (int)length) == 1 &&
	    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG, (void *)(s + HEAD + length)) == 1 &&
	    EVP_DecryptFinal_ex(c, p + n, &end) == 1;
	EVP_CIPHER_CTX_free(c);
	memcpy(&until, s + NONCE, UNTIL);
	ok = ok && until >= clock_us();
	if (ok)
		buf_grow(out, length);
	return ok;
}
