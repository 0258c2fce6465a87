#!/bin/sh
# Writes one P-256 key in every form the unit tests of `signer` read or refuse, with OpenSSL 3.
# The password is `password`. The key is public: never trust anything it signs.
set -eu
cd "$(dirname "$0")"
pass="-passout pass:password"

openssl ecparam -name prime256v1 -genkey -noout -out sec1.pem
openssl pkcs8 -topk8 -nocrypt -in sec1.pem -out pkcs8.pem
openssl ec -in sec1.pem -outform DER -out sec1.der 2> /dev/null
{ openssl ecparam -name prime256v1; cat sec1.pem; } > with_parameters.pem

for cipher in aes128 aes192 aes256 des3; do
  openssl ec -in sec1.pem -$cipher $pass -out legacy_$cipher.pem 2> /dev/null
done
openssl ec -in sec1.pem -camellia128 $pass -out legacy_camellia128.pem 2> /dev/null

pbes2() { # name, options
  name=$1
  shift
  openssl pkcs8 -topk8 -in sec1.pem $pass -iter 1000 "$@" -out "$name.pem"
}
pbes2 pbes2_sha1_aes128 -v2 aes-128-cbc -v2prf hmacWithSHA1
pbes2 pbes2_sha1_des3 -v2 des3 -v2prf hmacWithSHA1
pbes2 pbes2_sha256_aes192 -v2 aes-192-cbc -v2prf hmacWithSHA256
pbes2 pbes2_sha256_aes256 -v2 aes-256-cbc -v2prf hmacWithSHA256
pbes2 pbes2_sha512 -v2 aes-256-cbc -v2prf hmacWithSHA512
pbes2 pbes2_camellia -v2 camellia-128-cbc -v2prf hmacWithSHA256
openssl pkcs8 -topk8 -in sec1.pem $pass -v1 PBE-SHA1-3DES -out pbes1.pem
openssl pkcs8 -topk8 -in sec1.pem $pass -scrypt -scrypt_N 1024 -out scrypt.pem
openssl pkcs8 -topk8 -in sec1.pem $pass -iter 10000001 -v2 aes-256-cbc -v2prf hmacWithSHA256 \
  -out pbes2_iterations.pem
