// Makes certification requests (RFC 2986): what a device does before it comes to the gateway.

import { createPublicKey, generateKeyPairSync, sign, type KeyObject } from 'node:crypto';

export interface NewCsr {
  readonly der: Buffer;
  readonly pem: string;
  /** The private key, PKCS#8 PEM. */
  readonly key: string;
}

/** A request for a key, a fresh P-256 one unless told; names that are IPv4 addresses become such. */
export function newCsr(commonName: string, names: readonly string[] = [], privateKey = freshKey()): NewCsr {
  const der = certificationRequest(privateKey, commonName, names);
  return { der, pem: pem('CERTIFICATE REQUEST', der), key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string };
}

export function freshKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
}

export function pem(label: string, der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

function certificationRequest(privateKey: KeyObject, commonName: string, names: readonly string[]): Buffer {
  const subject = sequence(set(sequence(COMMON_NAME, tlv(0x0c, Buffer.from(commonName)))));
  const extension = sequence(SUBJECT_ALT_NAME, tlv(0x04, sequence(...names.map(generalName))));
  const attributes = names.length > 0 ? [sequence(EXTENSION_REQUEST, set(sequence(extension)))] : [];
  const info = sequence(
    tlv(0x02, Buffer.from([0])),
    commonName === '' ? sequence() : subject,
    createPublicKey(privateKey).export({ type: 'spki', format: 'der' }),
    tlv(0xa0, ...attributes),
  );
  const [hash, algorithm] = ALGORITHMS[privateKey.asymmetricKeyType ?? ''] ?? ALGORITHMS['ec'];
  return sequence(info, algorithm, tlv(0x03, Buffer.from([0]), sign(hash, info, privateKey)));
}

const generalName = (name: string) =>
  /^[\d.]+$/.test(name) ? tlv(0x87, Buffer.from(name.split('.').map(Number))) : tlv(0x82, Buffer.from(name, 'ascii'));

function tlv(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const header = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...header]), content]);
}

const sequence = (...parts: Buffer[]) => tlv(0x30, ...parts);
const set = (...parts: Buffer[]) => tlv(0x31, ...parts);
const COMMON_NAME = tlv(0x06, Buffer.from('550403', 'hex'));
const SUBJECT_ALT_NAME = tlv(0x06, Buffer.from('551d11', 'hex'));
const EXTENSION_REQUEST = tlv(0x06, Buffer.from('2a864886f70d01090e', 'hex'));

/** Hash and signature algorithm by the kind of the key: ecdsa-with-SHA256, sha256WithRSAEncryption, Ed25519. */
const ALGORITHMS: { ec: [string, Buffer] } & Record<string, [string | null, Buffer]> = {
  ec: ['sha256', sequence(tlv(0x06, Buffer.from('2a8648ce3d040302', 'hex')))],
  rsa: ['sha256', sequence(tlv(0x06, Buffer.from('2a864886f70d01010b', 'hex')), tlv(0x05))],
  ed25519: [null, sequence(tlv(0x06, Buffer.from('2b6570', 'hex')))],
};
