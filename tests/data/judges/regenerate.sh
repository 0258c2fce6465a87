#!/bin/sh
# Writes the RSA keys of tests/judges, since making them is slow without optimisation, with OpenSSL 3.
# The keys are public: never trust anything they sign.
set -eu
cd "$(dirname "$0")"

for bits in 2048 3072 4096; do
  for owner in root intermediate leaf; do
    openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:$bits -out rsa_${bits}_$owner.pem
  done
done
