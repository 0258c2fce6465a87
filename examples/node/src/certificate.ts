// Checks what the authority sent against what it was asked for.

import { X509Certificate, type KeyObject } from 'node:crypto';
import { CaError } from './ca-error.js';
import { DerError, TAG, children, elements, extensions, only, subjectAltNames, utf8String } from './der.js';

const SUBJECT_ALT_NAME = '2.5.29.17';

/** How far the clocks here and there may differ, in milliseconds. */
export const LEEWAY = 60_000;

/** What a certificate has to be. */
export interface Expected {
  readonly roots: readonly X509Certificate[];
  readonly publicKey: KeyObject;
  readonly names: readonly string[];
  /** Extensions, by object identifier, and the id that each has to hold. */
  readonly ids: ReadonlyMap<string, string>;
}

/** Throws a CaError unless `leaf` is what was asked for and chains by `intermediates` to a root. */
export function check(leaf: X509Certificate, intermediates: readonly X509Certificate[], expected: Expected): void {
  checkChain(leaf, intermediates, expected.roots);
  if (!leaf.publicKey.equals(expected.publicKey)) throw unlike('it is for another key than the request');
  const found = reading(() => readExtensions(leaf));
  const names = reading(() => subjectAltNames(found.get(SUBJECT_ALT_NAME) ?? Buffer.from('3000', 'hex')));
  if (sorted(names) !== sorted(expected.names)) {
    throw unlike(`it is for [${names.join(', ')}], not for [${expected.names.join(', ')}]`);
  }
  for (const [oid, id] of expected.ids) {
    if (!found.get(oid)?.equals(utf8String(id))) {
      throw new CaError('Extensions', `the authority's certificate was refused: it lacks extension ${oid} with the id ${id}`);
    }
  }
}

/** The certificates of PEM texts, each the first of its text. */
export function readCertificates(texts: readonly string[]): X509Certificate[] {
  return reading(() => texts.map((text) => new X509Certificate(text)));
}

/** The values of a certificate's extensions by object identifier. */
export function readExtensions(certificate: X509Certificate): Map<string, Buffer> {
  const [tbs] = children(only(certificate.raw, TAG.sequence), TAG.sequence);
  const list = children(tbs, TAG.sequence).find(({ tag }) => tag === 0xa3);
  return extensions(list ? elements(list.content).flatMap((sequence) => children(sequence, TAG.sequence)) : []);
}

function checkChain(leaf: X509Certificate, intermediates: readonly X509Certificate[], roots: readonly X509Certificate[]): void {
  const now = Date.now();
  let present = leaf;
  for (const next of [...intermediates, undefined]) {
    if (Date.parse(present.validFrom) > now + LEEWAY || Date.parse(present.validTo) < now - LEEWAY) {
      throw unlike(`it is not valid now, but from ${present.validFrom} to ${present.validTo}`);
    }
    if (roots.some((root) => issued(root, present))) return;
    if (!next) break;
    if (!issued(next, present)) throw unlike('a certificate of its chain is not signed by the next one');
    present = next;
  }
  throw unlike('no certificate of its chain is signed by the pinned root');
}

/** Whether `issuer` is an authority that signed `certificate`. */
function issued(issuer: X509Certificate, certificate: X509Certificate): boolean {
  return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

function sorted(names: readonly string[]): string {
  return JSON.stringify([...new Set(names)].sort());
}

function reading<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw unlike(error instanceof DerError ? `it cannot be read: ${error.message}` : 'it cannot be read', error);
  }
}

/** The certificate is another than the one asked for. */
export function unlike(reason: string, cause?: unknown): CaError {
  const more = cause === undefined ? {} : { cause };
  return new CaError('Certificate', `the authority's certificate was refused: ${reason}`, more);
}
