#!/bin/sh
# Writes keys and signatures for the unit tests of `crypto`, `jose` and `signer`, and a slow key, with OpenSSL 3.
# The keys are public: never trust anything they sign.
set -eu
cd "$(dirname "$0")"

openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa_2048.pem
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_keygen_pubexp:3 -out rsa_2048_e3.pem
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out rsa_1024.pem
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:5120 -out rsa_5120.pem

# One line a signature: algorithm as crypto prints it, SubjectPublicKeyInfo, signature, over the message.
message=$(mktemp)
printf 'stepless' > "$message"
key=$(mktemp)
line() { # algorithm, openssl dgst options
  name=$1
  shift
  spki=$(openssl pkey -in "$key" -pubout -outform DER | base64 -w0)
  signature=$(openssl dgst "$@" -sign "$key" "$message" | base64 -w0)
  echo "$name $spki $signature"
}
{
  for curve in P-256 P-384 P-521; do
    openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:$curve -out "$key"
    for size in 256 384 512; do line ECDSA-SHA$size -sha$size; done
  done
  for bits in 1024 2047 2048 8200; do
    openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:$bits -out "$key"
    sizes="256 384 512"
    # 1024 bits do not hold SHA-512 twice, and 8200 bits are slow to make and to check.
    [ $bits = 8200 ] && sizes=256
    for size in $sizes; do
      line SHA$size-RSA -sha$size
      [ $bits$size = 1024512 ] && continue
      line SHA$size-RSAPSS -sha$size -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest
    done
  done
  openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_keygen_pubexp:3 -out "$key"
  line SHA256-RSA -sha256
  openssl genpkey -quiet -algorithm ED25519 -out "$key"
  spki=$(openssl pkey -in "$key" -pubout -outform DER | base64 -w0)
  echo "Ed25519 $spki $(openssl pkeyutl -sign -rawin -in "$message" -inkey "$key" | base64 -w0)"
} > signatures.txt
rm -f "$message" "$key"
