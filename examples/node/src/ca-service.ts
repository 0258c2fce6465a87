// What a gateway calls: a certificate for a grant, checked before it is handed out.
//
// In NestJS: { provide: CaService, useFactory: () => CaService.fromEnv() }

import { readFile } from 'node:fs/promises';
import type { X509Certificate } from 'node:crypto';
import { Authority, type SignAnswer } from './authority.js';
import { CaError } from './ca-error.js';
import { LEEWAY, check, readCertificates, unlike, type Expected } from './certificate.js';
import { readCsr } from './csr.js';
import { ProvisionerKey } from './provisioner-key.js';

export interface CaServiceOptions {
  /** `https://host[:port]` */
  readonly url: string;
  /** The only root that is trusted, PEM; several are several roots. */
  readonly rootPem: string;
  readonly key: ProvisionerKey;
  /** The provisioner's name; without it the authority is asked once which one has the key. */
  readonly provisioner?: string | undefined;
  /** The arc of the two grant extensions, 1.3.6.1.4.1.99999 unless told. */
  readonly grantOidArc?: string | undefined;
  /** How long a call may take, in milliseconds; 30 s unless told. */
  readonly timeout?: number;
}

export interface IssueCertRequest {
  /** The certification request, one PEM block. Its names become those of the certificate. */
  readonly csrPem: string;
  /** A UUID, as `subjectUserId` is. */
  readonly grantId: string;
  readonly subjectUserId: string;
  /** How long the certificate shall live, such as `24h` or `1h30m`; what the provisioner gives if absent. */
  readonly ttl?: string;
}

export interface IssuedCert {
  readonly certPem: string;
  /** The certificate and the intermediates, as far as the authority sent them; never the root. */
  readonly certChainPem: string;
  /** Decimal digits, as `/revoke` takes them. */
  readonly serial: string;
  readonly notAfter: Date;
}

export class CaService {
  readonly #authority: Authority;
  readonly #roots: readonly X509Certificate[];
  readonly #key: ProvisionerKey;
  readonly #grantOidArc: string;
  #provisioner: string | undefined;

  constructor(options: CaServiceOptions) {
    const texts = options.rootPem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
    if (!texts) throw new CaError('Configuration', 'there is no certificate in the text of the root');
    this.#roots = readCertificates(texts);
    this.#authority = new Authority(options.url, options.rootPem, options.timeout ?? 30_000);
    this.#key = options.key;
    this.#provisioner = options.provisioner;
    this.#grantOidArc = options.grantOidArc ?? '1.3.6.1.4.1.99999';
  }

  /** As the environment says: docs/gateway.md has the table. */
  static async fromEnv(env: NodeJS.ProcessEnv = process.env): Promise<CaService> {
    const password = await setting(env, 'STEP_CA_PROVISIONER_PASSWORD');
    return new CaService({
      url: await needed(env, 'STEP_CA_URL'),
      rootPem: await file('STEP_CA_ROOT_CERT_PATH', await needed(env, 'STEP_CA_ROOT_CERT_PATH')),
      key: await ProvisionerKey.open(await needed(env, 'STEP_CA_PROVISIONER_KEY_JSON'), password),
      provisioner: await setting(env, 'STEP_CA_PROVISIONER_NAME'),
      grantOidArc: await setting(env, 'STEP_CA_GRANT_OID_ARC'),
    });
  }

  /** Asks for a certificate for a grant. Throws a CaError, and then there is none, whatever the authority sent. */
  async issueCert(request: IssueCertRequest): Promise<IssuedCert> {
    const csr = readCsr(request.csrPem);
    const grantId = uuid('grantId', request.grantId);
    const subjectUserId = uuid('subjectUserId', request.subjectUserId);
    const ttl = request.ttl === undefined ? undefined : seconds(request.ttl);
    const issuer = (this.#provisioner ??= await this.#askForName());
    const audience = `${this.#authority.url}/1.0/sign`;
    const { subject, names } = csr;
    const ott = await this.#key.token({ issuer, audience, subject, names, csr: csr.der, grantId, subjectUserId });
    const askedAt = Date.now();
    const answer = await this.#authority.sign({ csr: csr.pem, ott, ...(ttl === undefined ? {} : { notAfter: `${ttl}s` }) });
    const ids = new Map([[`${this.#grantOidArc}.1`, grantId], [`${this.#grantOidArc}.2`, subjectUserId]]);
    const issued = await this.#check(answer, { roots: this.#roots, publicKey: csr.publicKey, names, ids });
    if (ttl !== undefined) checkLifetime(issued.notAfter, askedAt, ttl);
    return issued;
  }

  /** Without `certChain` the chain is `crt` and `ca`; without `ca` it is `crt`, whose issuer is asked for to check it. */
  async #check(answer: SignAnswer, expected: Expected): Promise<IssuedCert> {
    const texts = answer.certChain?.length ? answer.certChain : [answer.crt, answer.ca].filter((text) => text);
    const [leaf, ...intermediates] = readCertificates(texts as string[]);
    if (!leaf) throw new CaError('NoCertificate', 'the answer holds no certificate');
    if (answer.crt && readCertificates([answer.crt])[0]?.fingerprint256 !== leaf.fingerprint256) {
      throw unlike('crt is not the first certificate of certChain');
    }
    const links = intermediates.length > 0 ? intermediates : readCertificates(await this.#authority.intermediates());
    check(leaf, links, expected);
    return {
      certPem: leaf.toString(),
      certChainPem: [leaf, ...intermediates].join(''),
      serial: BigInt(`0x${leaf.serialNumber}`).toString(),
      notAfter: new Date(leaf.validTo),
    };
  }

  /** The name of the one provisioner that has our key. */
  async #askForName(): Promise<string> {
    const listed = await this.#authority.provisioners();
    const jwk = listed.filter(({ type }) => type?.toLowerCase() === 'jwk');
    const { kid } = this.#key;
    const [found, ...others] = jwk.filter(({ key }) => (kid === '' ? key?.kty === 'oct' : key?.kid === kid));
    if (found?.name === undefined || others.length > 0) {
      const names = listed.map(({ name }) => name).join(', ');
      throw new CaError('Configuration', `the authority does not list the key "${kid}" of exactly one provisioner; it has ${names}`);
    }
    return found.name;
  }
}

/** A variable, or what is in the file that `<name>_FILE` names; the empty text is as if it was not set. */
async function setting(env: NodeJS.ProcessEnv, name: string): Promise<string | undefined> {
  const [value, path] = [env[name], env[`${name}_FILE`]];
  if (value && path) throw new CaError('Configuration', `${name} and ${name}_FILE are both set`);
  // Secrets are mounted with a final newline that nobody meant.
  return (path ? (await file(`${name}_FILE`, path)).trimEnd() : value) || undefined;
}

async function needed(env: NodeJS.ProcessEnv, name: string): Promise<string> {
  const value = await setting(env, name);
  if (value === undefined) throw new CaError('Configuration', `${name} is not set`);
  return value;
}

async function file(name: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new CaError('Configuration', `${name} names the file ${path}, which cannot be read`, { cause });
  }
}

function uuid(name: string, text: string): string {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) throw new CaError('Configuration', `${name} "${text}" is no UUID`);
  return text.toLowerCase();
}

function seconds(ttl: string): number {
  const [, hours = '0', minutes = '0', rest = '0'] = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/.exec(ttl) ?? [];
  const total = Number(hours) * 3600 + Number(minutes) * 60 + Number(rest);
  if (total < 1 || !Number.isSafeInteger(total)) throw new CaError('Configuration', `a certificate cannot live for "${ttl}"`);
  return total;
}

function checkLifetime(notAfter: Date, askedAt: number, ttl: number): void {
  const [earliest, latest] = [askedAt + ttl * 1000 - LEEWAY, Date.now() + ttl * 1000 + LEEWAY];
  if (notAfter.getTime() < earliest || notAfter.getTime() > latest) {
    throw unlike(`it ends at ${notAfter.toISOString()}, not ${ttl} s from now as asked for`);
  }
}
