/* The whole configuration of the static mbedTLS 3.6 that packaging/mbedtls/build makes; installed in place of the
 * library's own header of this name. What is not named here is not compiled: a server, a client that verifies other
 * servers, and the few certificates and requests that we write ourselves. All else stays out, above all DTLS,
 * resumption, early data, renegotiation, pre-shared keys, CBC and key exchanges without forward secrecy.
 * A system's mbedTLS has more: code must not rely on what is missing here. No include guard, as in the library's own:
 * build_info.h includes it once. */

/* Platform: a hosted Linux. The library reads no files (base/file.c does), opens no sockets, starts no threads. */
#define MBEDTLS_PLATFORM_C
#define MBEDTLS_HAVE_ASM /* big-number multiplication and AES instructions */
#define MBEDTLS_HAVE_TIME
#define MBEDTLS_HAVE_TIME_DATE /* notBefore and notAfter are checked */

/* Our own mistakes show at compile time: results that must be looked at, names that are gone in 4.x. */
#define MBEDTLS_CHECK_RETURN_WARNING
#define MBEDTLS_DEPRECATED_REMOVED

/* What people read: version in `version`, an error's text in logs, why a chain does not verify. */
#define MBEDTLS_VERSION_C
#define MBEDTLS_ERROR_C

/* Random numbers: seeded by getrandom(2), the entropy module's default source; a sandboxed worker needs no file. */
#define MBEDTLS_ENTROPY_C
#define MBEDTLS_CTR_DRBG_C

/* PSA, because TLS 1.3 is written on it. Each handshake holds keys there, and without the dynamic store the 33rd
 * concurrent one fails. No storage: all keys are volatile. */
#define MBEDTLS_PSA_CRYPTO_C
#define MBEDTLS_PSA_KEY_STORE_DYNAMIC

/* No copies of what PSA is given and gives: they are for callers in another domain of trust, and one call for each
 * record clears twice the whole rest of the buffer that the record may grow into. Records are encrypted in place; the
 * AEADs below allow that (gcm.h), without promising it to all callers of PSA. */
#define MBEDTLS_PSA_ASSUME_EXCLUSIVE_BUFFERS

/* Hashes. SHA-1 only because roots that are in use signed themselves with it and would not even parse without; the
 * default verification profile and signature list trust it nowhere. */
#define MBEDTLS_MD_C
#define MBEDTLS_SHA1_C
#define MBEDTLS_SHA256_C
#define MBEDTLS_SHA384_C
#define MBEDTLS_SHA512_C
#define MBEDTLS_SHA256_USE_ARMV8_A_CRYPTO_IF_PRESENT /* ignored where it does not apply, as the next */
#define MBEDTLS_SHA512_USE_A64_CRYPTO_IF_PRESENT
#define MBEDTLS_HKDF_C

/* Record ciphers: AEAD only. The AES instructions are used where the processor has them. */
#define MBEDTLS_CIPHER_C
#define MBEDTLS_AES_C
#define MBEDTLS_AESNI_C
#define MBEDTLS_AESCE_C
#define MBEDTLS_GCM_C
#define MBEDTLS_CHACHA20_C
#define MBEDTLS_POLY1305_C
#define MBEDTLS_CHACHAPOLY_C

/* Curves: P-256 and X25519 for handshakes, P-384 and P-521 because certificates carry them. */
#define MBEDTLS_BIGNUM_C
#define MBEDTLS_ECP_C
#define MBEDTLS_ECP_DP_SECP256R1_ENABLED
#define MBEDTLS_ECP_DP_SECP384R1_ENABLED
#define MBEDTLS_ECP_DP_SECP521R1_ENABLED
#define MBEDTLS_ECP_DP_CURVE25519_ENABLED
#define MBEDTLS_ECP_NIST_OPTIM /* reduction by the primes' shape: several times faster */
#define MBEDTLS_ECDH_C
#define MBEDTLS_ECDH_VARIANT_EVEREST_ENABLED /* X25519 ten times faster; this code is under Apache-2.0 only */
#define MBEDTLS_ECDSA_C
#define MBEDTLS_ECDSA_DETERMINISTIC /* RFC 6979: a repeated random number cannot give the key away */
#define MBEDTLS_HMAC_DRBG_C         /* needed by the line above */

/* RSA: to serve such keys and verify such chains, not to make them. TLS 1.3 signs with PSS only (RFC 8446 4.2.3). */
#define MBEDTLS_RSA_C
#define MBEDTLS_PKCS1_V15
#define MBEDTLS_PKCS1_V21
#define MBEDTLS_X509_RSASSA_PSS_SUPPORT

/* Keys and PEM, both ways: PKCS#8, SEC1 and PKCS#1. No encrypted keys, hence no PKCS#5 and #12. */
#define MBEDTLS_OID_C
#define MBEDTLS_ASN1_PARSE_C
#define MBEDTLS_ASN1_WRITE_C
#define MBEDTLS_BASE64_C
#define MBEDTLS_PEM_PARSE_C
#define MBEDTLS_PEM_WRITE_C
#define MBEDTLS_PK_C
#define MBEDTLS_PK_PARSE_C
#define MBEDTLS_PK_WRITE_C

/* X.509: read chains; write throw-away CAs, tls-alpn-01 answers and signing requests. */
#define MBEDTLS_X509_USE_C
#define MBEDTLS_X509_CRT_PARSE_C
#define MBEDTLS_X509_CREATE_C
#define MBEDTLS_X509_CRT_WRITE_C
#define MBEDTLS_X509_CSR_WRITE_C

/* TLS 1.2 and 1.3, server and client, forward secrecy only. */
#define MBEDTLS_SSL_TLS_C
#define MBEDTLS_SSL_SRV_C
#define MBEDTLS_SSL_CLI_C
#define MBEDTLS_SSL_PROTO_TLS1_2
#define MBEDTLS_KEY_EXCHANGE_ECDHE_ECDSA_ENABLED
#define MBEDTLS_KEY_EXCHANGE_ECDHE_RSA_ENABLED
#define MBEDTLS_SSL_EXTENDED_MASTER_SECRET /* RFC 7627 */
#define MBEDTLS_SSL_PROTO_TLS1_3
#define MBEDTLS_SSL_TLS1_3_COMPATIBILITY_MODE /* RFC 8446 D.4: middleboxes */
#define MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL_ENABLED
#define MBEDTLS_SSL_SERVER_NAME_INDICATION
#define MBEDTLS_SSL_ALPN                  /* http/1.1 and acme-tls/1 */
#define MBEDTLS_SSL_ALL_ALERT_MESSAGES    /* the peer learns why */
#define MBEDTLS_SSL_KEEP_PEER_CERTIFICATE /* TLS 1.3 requires it; `verify` looks at the chain */

/* The two record buffers are most of what a connection costs. In: a ClientHello with every post-quantum share that
 * there is, and a request's head, both far below; a longer record gets the alert record_overflow. Out: a Certificate
 * message, which the library does not split over records: certs/verdict refuses what is longer. */
#define MBEDTLS_SSL_IN_CONTENT_LEN 8192
#define MBEDTLS_SSL_OUT_CONTENT_LEN 8192
