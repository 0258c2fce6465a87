// The provisioner's private key, and the one-time tokens that it signs.

import { createHash, randomUUID } from 'node:crypto';
import { SignJWT, calculateJwkThumbprint, compactDecrypt, flattenedDecrypt, importJWK, type FlattenedJWE, type JWK } from 'jose';
import { CaError } from './ca-error.js';

/** How long a token lives, in seconds. */
const LIFETIME = 300;

/** What keys of provisioners are encrypted with: `step` counts to 600,000, and whoever sends more wants to keep us busy. */
const DECRYPTION = { keyManagementAlgorithms: ['PBES2-HS256+A128KW'], maxPBES2Count: 1_000_000 };

/** What a token says, apart from its times and its id. */
export interface TokenClaims {
  readonly issuer: string;
  readonly audience: string;
  readonly subject: string;
  readonly names: readonly string[];
  /** The certification request that the token is for, and no other. */
  readonly csr: Buffer;
  readonly grantId: string;
  readonly subjectUserId: string;
}

export class ProvisionerKey {
  /** The `kid`, as the authority lists it; empty if it lists none. */
  readonly kid: string;
  readonly #algorithm: string;
  readonly #key: Awaited<ReturnType<typeof importJWK>>;

  private constructor(kid: string, algorithm: string, key: Awaited<ReturnType<typeof importJWK>>) {
    this.kid = kid;
    this.#algorithm = algorithm;
    this.#key = key;
  }

  /** Opens a private JWK, or an encrypted one: `encryptedKey` of ca.json, or a file of `step crypto jwk create`. */
  static async open(text: string, password?: string): Promise<ProvisionerKey> {
    try {
      const jwk = await decrypt(text.trim(), password);
      const algorithm = jwk.alg ?? usualAlgorithm(jwk);
      if (jwk.kty !== 'oct' && jwk.d === undefined) throw new CaError('Configuration', 'the provisioner key has no private part');
      const kid = jwk.kid ?? (jwk.kty === 'oct' ? '' : await calculateJwkThumbprint(jwk));
      return new ProvisionerKey(kid, algorithm, await importJWK(jwk, algorithm));
    } catch (error) {
      if (error instanceof CaError) throw error;
      // What a JSON parser says can quote the key.
      const cause = error instanceof SyntaxError ? undefined : error;
      throw new CaError('Configuration', 'the provisioner key is no JWK, or the password is another one', { cause });
    }
  }

  /** A token for one certificate. Each call makes another one: a token is good once. */
  async token(claims: TokenClaims): Promise<string> {
    const fingerprint = createHash('sha256').update(claims.csr).digest();
    const now = Math.floor(Date.now() / 1000);
    const payload = {
      sans: claims.names,
      step: { sha: fingerprint.toString('hex') },
      cnf: { 'x5rt#S256': fingerprint.toString('base64url') },
      mosaic_grant_id: claims.grantId,
      mosaic_subject_user_id: claims.subjectUserId,
    };
    const header = { alg: this.#algorithm, typ: 'JWT', ...(this.kid === '' ? {} : { kid: this.kid }) };
    return new SignJWT(payload)
      .setProtectedHeader(header)
      .setIssuer(claims.issuer)
      .setAudience(claims.audience)
      .setSubject(claims.subject)
      .setIssuedAt(now)
      .setNotBefore(now)
      .setExpirationTime(now + LIFETIME)
      .setJti(randomUUID())
      .sign(this.#key);
  }
}

async function decrypt(text: string, password: string | undefined): Promise<JWK> {
  const json = text.startsWith('{') ? (JSON.parse(text) as JWK | FlattenedJWE) : undefined;
  if (json !== undefined && !('ciphertext' in json)) return json as JWK;
  if (!password) throw new CaError('Configuration', 'the provisioner key is encrypted and there is no password');
  const secret = Buffer.from(password, 'utf8');
  const { plaintext } =
    json === undefined
      ? await compactDecrypt(text, secret, DECRYPTION)
      : await flattenedDecrypt(json as FlattenedJWE, secret, DECRYPTION);
  return JSON.parse(Buffer.from(plaintext).toString('utf8')) as JWK;
}

/** The one algorithm that fits a key which does not name its own. */
function usualAlgorithm(jwk: JWK): string {
  const algorithms: Record<string, string> = {
    'P-256': 'ES256',
    'P-384': 'ES384',
    'P-521': 'ES512',
    Ed25519: 'EdDSA',
    RSA: 'RS256',
    oct: 'HS256',
  };
  const algorithm = algorithms[jwk.crv ?? jwk.kty ?? ''];
  if (algorithm === undefined) throw new CaError('Configuration', `no algorithm for a key ${jwk.kty} ${jwk.crv ?? ''}`);
  return algorithm;
}
