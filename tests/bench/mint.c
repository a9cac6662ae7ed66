/* mint: certificates with a P-256 key each, thousands a second, laid out as certbot does.
 *
 * usage: mint FOLDER SEED
 * Standard input: lines NAME HOST..., each a pair: FOLDER/live/NAME/privkey.pem and fullchain.pem, each put in place by
 * a rename, the key first. FOLDER/issuer.pem is made if it is not there; every chain ends with it. Keys follow from
 * SEED and NAME alone: another SEED in the same FOLDER renews. */
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SCALAR_BYTES = 32, POINT_BYTES = 65, KEY_DER_BYTES = 138, SERIAL_BYTES = 16 };

/* RFC 5208 and RFC 5915 around a P-256 key; scalar and point follow. Assembled by hand: the library takes a quarter of
 * a millisecond for each key that it is to encode. */
#define EC_P256 \
	0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, \
		0x03, 0x01, 0x07
static const unsigned char key_head[] = {0x30, 0x81, 0x87, 0x02, 0x01, 0x00, EC_P256, 0x04,
					 0x6d, 0x30, 0x6b, 0x02, 0x01, 0x01, 0x04,    0x20};
static const unsigned char key_middle[] = {0xa1, 0x44, 0x03, 0x42, 0x00};

struct key {
	unsigned char der[KEY_DER_BYTES]; /* the point comes last */
};

struct mint {
	const char *folder, *seed;
	EC_GROUP *curve;
	EVP_PKEY *issuer_key;
	X509 *issuer;
	X509_EXTENSION *constraints, *usage, *extended_usage, *authority;
};

static void die(const char *what)
{
	(void)fprintf(stderr, "mint: %s\n", what);
	exit(1);
}

static void must(bool is_done, const char *what)
{
	if (!is_done)
		die(what);
}

/* path_in: FOLDER/a/b/c; the caller frees it. */
static char *path_in(const struct mint *m, const char *a, const char *b, const char *c)
{
	char *path;
	must(asprintf(&path, "%s/%s%s%s", m->folder, a, b, c) > 0, "out of memory");
	return path;
}

static void hash(const char *seed, const char *name, const char *use, unsigned char out[SHA256_DIGEST_LENGTH])
{
	char text[1024];
	int n = snprintf(text, sizeof text, "%s\n%s\n%s", seed, name, use);
	must(n > 0 && (size_t)n < sizeof text, "a name is too long");
	(void)SHA256((unsigned char *)text, (size_t)n, out);
}

static void make_key(const struct mint *m, const char *seed, const char *name, struct key *out)
{
	unsigned char scalar[SCALAR_BYTES], point_bytes[POINT_BYTES];
	hash(seed, name, "key", scalar);
	scalar[0] &= 0x7f; /* below the order of the group */
	BIGNUM *n = BN_bin2bn(scalar, sizeof scalar, NULL);
	EC_POINT *point = EC_POINT_new(m->curve);
	must(n && point && EC_POINT_mul(m->curve, point, n, NULL, NULL, NULL) == 1 &&
		     EC_POINT_point2oct(m->curve, point, POINT_CONVERSION_UNCOMPRESSED, point_bytes, POINT_BYTES,
					NULL) == POINT_BYTES,
	     "no key");
	BN_free(n);
	EC_POINT_free(point);
	memcpy(out->der, key_head, sizeof key_head);
	memcpy(out->der + sizeof key_head, scalar, SCALAR_BYTES);
	memcpy(out->der + sizeof key_head + SCALAR_BYTES, key_middle, sizeof key_middle);
	memcpy(out->der + KEY_DER_BYTES - POINT_BYTES, point_bytes, POINT_BYTES);
}

/* The library would decode and check each key, which takes longer than to sign. */
static void set_key(X509 *cert, const struct key *key)
{
	unsigned char *point = OPENSSL_memdup(key->der + KEY_DER_BYTES - POINT_BYTES, POINT_BYTES);
	must(point && X509_PUBKEY_set0_param(X509_get_X509_PUBKEY(cert), OBJ_nid2obj(NID_X9_62_id_ecPublicKey),
					     V_ASN1_OBJECT, OBJ_nid2obj(NID_X9_62_prime256v1), point, POINT_BYTES) == 1,
	     "out of memory");
}

static void set_basics(X509 *cert, const char *common_name, const struct key *key, X509_NAME *issuer, int days)
{
	X509_NAME *subject = X509_get_subject_name(cert);
	must(X509_set_version(cert, 2) == 1 && X509_gmtime_adj(X509_getm_notBefore(cert), -3600) &&
		     X509_time_adj_ex(X509_getm_notAfter(cert), days, 0, NULL) &&
		     X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_ASC,
						(const unsigned char *)common_name, -1, -1, 0) == 1 &&
		     X509_set_issuer_name(cert, issuer ? issuer : subject) == 1,
	     "no certificate");
	set_key(cert, key);
}

static void set_serial(X509 *cert, const char *seed, const char *name)
{
	unsigned char sum[SHA256_DIGEST_LENGTH];
	hash(seed, name, "serial", sum);
	sum[0] &= 0x7f;
	BIGNUM *n = BN_bin2bn(sum, SERIAL_BYTES, NULL);
	must(n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert)), "no serial number");
	BN_free(n);
}

static X509_EXTENSION *extension(X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509V3_set_ctx(&ctx, issuer, issuer, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	must(e != NULL, value);
	return e;
}

static void add(X509 *cert, X509_EXTENSION *take)
{
	must(X509_add_ext(cert, take, -1) == 1, "no extension");
	X509_EXTENSION_free(take);
}

static void make_issuer(struct mint *m, const struct key *key, const char *path)
{
	X509 *cert = X509_new();
	must(cert != NULL, "out of memory");
	set_basics(cert, "bench issuer", key, NULL, 3650);
	set_serial(cert, "issuer", "issuer");
	add(cert, extension(cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0"));
	add(cert, extension(cert, NID_key_usage, "critical,keyCertSign,cRLSign"));
	add(cert, extension(cert, NID_subject_key_identifier, "hash"));
	FILE *f = fopen(path, "we");
	must(X509_sign(cert, m->issuer_key, EVP_sha256()) > 0 && f && PEM_write_X509(f, cert) == 1 && fclose(f) == 0,
	     path);
	m->issuer = cert;
}

static void load_issuer(struct mint *m)
{
	struct key key;
	const unsigned char *der = key.der;
	char *path = path_in(m, "issuer.pem", "", "");
	make_key(m, "issuer", "issuer", &key);
	m->issuer_key = d2i_AutoPrivateKey(NULL, &der, KEY_DER_BYTES);
	must(m->issuer_key != NULL, "no issuer");
	FILE *f = fopen(path, "re");
	if (f) {
		m->issuer = PEM_read_X509(f, NULL, NULL, NULL);
		must(m->issuer && fclose(f) == 0, path);
	} else {
		make_issuer(m, &key, path);
	}
	m->constraints = extension(m->issuer, NID_basic_constraints, "critical,CA:FALSE");
	m->usage = extension(m->issuer, NID_key_usage, "critical,digitalSignature");
	m->extended_usage = extension(m->issuer, NID_ext_key_usage, "serverAuth,clientAuth");
	m->authority = extension(m->issuer, NID_authority_key_identifier, "keyid:always");
	free(path);
}

/* add_names: hosts, parted by spaces; changed. */
static void add_names(X509 *cert, char *hosts)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	must(names != NULL, "out of memory");
	for (char *at = hosts, *host; (host = strsep(&at, " "));) {
		GENERAL_NAME *name = GENERAL_NAME_new();
		ASN1_IA5STRING *text = ASN1_IA5STRING_new();
		must(name && text && ASN1_STRING_set(text, host, -1) == 1, "out of memory");
		GENERAL_NAME_set0_value(name, GEN_DNS, text);
		must(sk_GENERAL_NAME_push(names, name) > 0, "out of memory");
	}
	must(X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, X509V3_ADD_APPEND) == 1, "no names");
	GENERAL_NAMES_free(names);
}

static X509 *make_leaf(const struct mint *m, const char *name, char *hosts, const struct key *key)
{
	X509 *cert = X509_new();
	char common_name[64 + 1]; /* RFC 5280, ub-common-name */
	must(cert != NULL, "out of memory");
	(void)snprintf(common_name, sizeof common_name, "%.*s", (int)strcspn(hosts, " "), hosts);
	set_basics(cert, common_name, key, X509_get_subject_name(m->issuer), 89);
	set_serial(cert, m->seed, name);
	must(X509_add_ext(cert, m->usage, -1) == 1 && X509_add_ext(cert, m->extended_usage, -1) == 1 &&
		     X509_add_ext(cert, m->constraints, -1) == 1 && X509_add_ext(cert, m->authority, -1) == 1,
	     "no extension");
	add_names(cert, hosts);
	must(X509_sign(cert, m->issuer_key, EVP_sha256()) > 0, "no signature");
	return cert;
}

/* put: what was written to take, under path in one step. */
static void put(BIO *take, const char *path, mode_t mode)
{
	char *fresh, *bytes;
	must(asprintf(&fresh, "%s.new", path) > 0, "out of memory");
	long len = BIO_get_mem_data(take, &bytes);
	FILE *f = fopen(fresh, "we");
	must(f && fchmod(fileno(f), mode) == 0 && fwrite(bytes, 1, (size_t)len, f) == (size_t)len && fclose(f) == 0 &&
		     rename(fresh, path) == 0,
	     path);
	free(fresh);
	BIO_free(take);
}

static void save(const struct mint *m, const char *name, const struct key *key, X509 *leaf)
{
	char *folder = path_in(m, "live/", name, ""), *key_path = path_in(m, "live/", name, "/privkey.pem"),
	     *chain_path = path_in(m, "live/", name, "/fullchain.pem");
	BIO *key_pem = BIO_new(BIO_s_mem()), *chain_pem = BIO_new(BIO_s_mem());
	must(mkdir(folder, 0755) == 0 || errno == EEXIST, folder);
	must(key_pem && chain_pem && PEM_write_bio(key_pem, "PRIVATE KEY", "", key->der, KEY_DER_BYTES) > 0 &&
		     PEM_write_bio_X509(chain_pem, leaf) == 1 && PEM_write_bio_X509(chain_pem, m->issuer) == 1,
	     "out of memory");
	put(key_pem, key_path, 0600);
	put(chain_pem, chain_path, 0644);
	free(folder);
	free(key_path);
	free(chain_path);
}

static void mint(const struct mint *m, char *line)
{
	struct key key;
	char *hosts = line, *name = strsep(&hosts, " ");
	must(hosts != NULL, "a line without a host");
	make_key(m, m->seed, name, &key);
	X509 *leaf = make_leaf(m, name, hosts, &key);
	save(m, name, &key, leaf);
	X509_free(leaf);
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		(void)fprintf(stderr, "usage: mint FOLDER SEED\n");
		return 2;
	}
	struct mint m = {
		.folder = argv[1],
		.seed = argv[2],
		.curve = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1),
	};
	char *live = path_in(&m, "live", "", ""), *line = NULL;
	size_t cap = 0;
	ssize_t len;
	must(m.curve != NULL, "out of memory");
	must(mkdir(live, 0755) == 0 || errno == EEXIST, live);
	load_issuer(&m);
	while ((len = getline(&line, &cap, stdin)) > 0) {
		line[strcspn(line, "\n")] = '\0';
		mint(&m, line);
	}
	free(line);
	free(live);
	X509_free(m.issuer);
	EVP_PKEY_free(m.issuer_key);
	EC_GROUP_free(m.curve);
	X509_EXTENSION_free(m.constraints);
	X509_EXTENSION_free(m.usage);
	X509_EXTENSION_free(m.extended_usage);
	X509_EXTENSION_free(m.authority);
	return 0;
}
