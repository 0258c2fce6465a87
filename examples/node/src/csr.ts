// A certification request (RFC 2986), read and checked before anything is sent.

import { createPublicKey, verify, type KeyObject } from 'node:crypto';
import { CaError } from './ca-error.js';
import { DerError, TAG, canonicalName, children, expect, extensions, oid, only, subjectAltNames, type Element } from './der.js';

/** A request that is signed with its own key and names somebody. */
export interface Csr {
  readonly pem: string;
  readonly der: Buffer;
  readonly publicKey: KeyObject;
  /** The common name, else the first of the names. */
  readonly subject: string;
  /** The subjectAltNames, else the common name alone. */
  readonly names: readonly string[];
}

const COMMON_NAME = '2.5.4.3';
const EXTENSION_REQUEST = '1.2.840.113549.1.9.14';
const SUBJECT_ALT_NAME = '2.5.29.17';

/** Signature algorithms (RFC 5758, 8017, 8410) and their hashes; SHA-1 is none of them. */
const HASHES = new Map<string, string | null>([
  ['1.2.840.10045.4.3.2', 'sha256'],
  ['1.2.840.10045.4.3.3', 'sha384'],
  ['1.2.840.10045.4.3.4', 'sha512'],
  ['1.2.840.113549.1.1.11', 'sha256'],
  ['1.2.840.113549.1.1.12', 'sha384'],
  ['1.2.840.113549.1.1.13', 'sha512'],
  ['1.3.101.112', null],
]);

/** Reads a request. Throws a CaError of the kind MalformedCsr if it cannot be used. */
export function readCsr(pem: string): Csr {
  try {
    return parse(decodePem(pem));
  } catch (error) {
    // OpenSSL's own errors come from keys that are none.
    const reason = error instanceof DerError ? error.message : 'its key or signature cannot be read';
    throw new CaError('MalformedCsr', `the certification request cannot be used: ${reason}`, { cause: error });
  }
}

function decodePem(pem: string): Buffer {
  const blocks = [...pem.matchAll(/^-----BEGIN ([A-Z0-9 ]+)-----[ \t]*\r?\n([^-]*)^-----END \1-----/gm)];
  const [block] = blocks;
  if (!block) throw new DerError('there is no PEM block');
  if (blocks.length > 1) throw new DerError('there is more than one PEM block');
  if (!/^(NEW )?CERTIFICATE REQUEST$/.test(block[1] ?? '')) throw new DerError(`the PEM block is a ${block[1]}`);
  const base64 = (block[2] ?? '').replace(/\s/g, '');
  const der = Buffer.from(base64, 'base64');
  // Buffer.from leaves out whatever is no base64.
  if (der.toString('base64') !== base64) throw new DerError('the PEM block is not base64');
  return der;
}

function parse(der: Buffer): Csr {
  const [info, algorithm, signature] = children(only(der, TAG.sequence), TAG.sequence);
  const [, subject, publicKeyInfo, attributes] = children(info, TAG.sequence);
  const publicKey = createPublicKey({ key: expect(publicKeyInfo, TAG.sequence).raw, format: 'der', type: 'spki' });

  const hash = HASHES.get(oid(children(algorithm, TAG.sequence)[0]));
  if (hash === undefined) throw new DerError('its signature algorithm is not supported');
  // A BIT STRING begins with the number of unused bits.
  const bits = expect(signature, TAG.bitString).content.subarray(1);
  if (!verify(hash, expect(info, TAG.sequence).raw, publicKey, bits)) throw new DerError('its signature is not by its own key');

  const commonName = readCommonName(subject);
  const alternatives = readNames(children(attributes, 0xa0));
  const [first = ''] = [commonName, ...alternatives].filter((name) => name !== '');
  if (first === '') throw new DerError('it has neither a common name nor a subjectAltName');
  const names = alternatives.length > 0 ? alternatives : [canonicalName(first)];
  return { der, pem: encodePem(der), publicKey, subject: first, names };
}

/** The last common name: the one that step-ca compares. */
function readCommonName(subject: Element | undefined): string {
  const attributes = children(subject, TAG.sequence).flatMap((set) => children(set, TAG.set));
  const values = attributes.map((attribute) => children(attribute, TAG.sequence));
  const value = values.filter(([type]) => oid(type) === COMMON_NAME).at(-1)?.[1];
  if (!value) return '';
  const texts: number[] = [TAG.utf8String, TAG.printableString, TAG.ia5String];
  if (!texts.includes(value.tag)) throw new DerError('its common name is in no common kind of text');
  return value.content.toString('utf8');
}

function readNames(attributes: Element[]): string[] {
  const requests = attributes.map((attribute) => children(attribute, TAG.sequence)).filter(([type]) => oid(type) === EXTENSION_REQUEST);
  const lists = requests.flatMap(([, values]) => children(values, TAG.set));
  const value = extensions(lists.flatMap((list) => children(list, TAG.sequence))).get(SUBJECT_ALT_NAME);
  return value ? subjectAltNames(value) : [];
}

function encodePem(der: Buffer): string {
  const lines = der.toString('base64').replace(/.{64}(?=.)/g, '$&\n');
  return `-----BEGIN CERTIFICATE REQUEST-----\n${lines}\n-----END CERTIFICATE REQUEST-----\n`;
}
