
/* --- What follows is appended where the accelerator is built in: see packaging/mbedtls/accelerator --- */

#define MBEDTLS_ACCELERATOR "openssl"

/* The certificate's and the handshake's keys go through PSA, whose drivers the accelerator is. */
#define MBEDTLS_USE_PSA_CRYPTO
#define MBEDTLS_PSA_P256M_DRIVER_ENABLED /* the driver's interface; p256.c stands behind it instead of p256-m */
#define MBEDTLS_SHA256_PROCESS_ALT
#define MBEDTLS_SHA512_PROCESS_ALT
#undef MBEDTLS_SHA256_USE_ARMV8_A_CRYPTO_IF_PRESENT
#undef MBEDTLS_SHA512_USE_A64_CRYPTO_IF_PRESENT

/* The driver is asked for random signatures only. libcrypto hashes the key into each nonce, so that a repeated random
 * number cannot give it away either. */
#undef MBEDTLS_ECDSA_DETERMINISTIC
#undef MBEDTLS_HMAC_DRBG_C

/* x25519.c is faster. */
#undef MBEDTLS_ECDH_VARIANT_EVEREST_ENABLED
