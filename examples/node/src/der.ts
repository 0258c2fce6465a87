// DER, as much of it as is needed to read a certification request and a certificate (ITU-T X.690). Knows no kinds of errors
// but its own; who calls says what was being read.

import { isIPv6 } from 'node:net';

/** These bytes are not what they are said to be. */
export class DerError extends Error {}

/** One element: its tag, what is in it, and all of it. */
export interface Element {
  readonly tag: number;
  readonly content: Buffer;
  readonly raw: Buffer;
}

export const TAG = {
  boolean: 0x01,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  ia5String: 0x16,
  sequence: 0x30,
  set: 0x31,
} as const;

/** The elements that fill `bytes` to the last one. */
export function elements(bytes: Buffer): Element[] {
  const found: Element[] = [];
  for (let at = 0; at < bytes.length; ) {
    const element = first(bytes.subarray(at));
    found.push(element);
    at += element.raw.length;
  }
  return found;
}

/** The one element that fills `bytes`. */
export function only(bytes: Buffer, tag: number): Element {
  const element = first(bytes);
  if (element.raw.length !== bytes.length) throw new DerError('bytes follow its end');
  return expect(element, tag);
}

/** The elements of a SEQUENCE or SET. */
export function children(element: Element | undefined, tag: number): Element[] {
  return elements(expect(element, tag).content);
}

/** The element, if it is there and has the tag. */
export function expect(element: Element | undefined, tag: number): Element {
  if (element?.tag !== tag) throw new DerError(`no element 0x${tag.toString(16)} where one belongs`);
  return element;
}

function first(bytes: Buffer): Element {
  const [tag, short] = bytes;
  if (tag === undefined || short === undefined) throw new DerError('it is cut off');
  if ((tag & 0x1f) === 0x1f) throw new DerError('it has a tag of several bytes');
  let header = 2;
  let length = short;
  if (short >= 0x80) {
    const size = short & 0x7f;
    header += size;
    if (size < 1 || size > 4 || bytes.length < header) throw new DerError('it has no length');
    length = bytes.readUIntBE(2, size);
    // The shortest form is the only one in DER.
    if (length < 0x80 || length < 2 ** (8 * (size - 1))) throw new DerError('a length is not in its shortest form');
  }
  if (bytes.length < header + length) throw new DerError('it is cut off');
  return { tag, content: bytes.subarray(header, header + length), raw: bytes.subarray(0, header + length) };
}

/** An object identifier as dotted text. */
export function oid(element: Element | undefined): string {
  const arcs: bigint[] = [];
  let arc = 0n;
  for (const byte of expect(element, TAG.oid).content) {
    arc = (arc << 7n) | BigInt(byte & 0x7f);
    if (byte < 0x80) {
      arcs.push(arc);
      arc = 0n;
    }
  }
  const [head = 0n, ...rest] = arcs;
  const root = head < 80n ? head / 40n : 2n;
  return [root, head - root * 40n, ...rest].join('.');
}

/** Extensions, RFC 5280 section 4.1: each value by its object identifier. */
export function extensions(list: Element[]): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (const item of list) {
    const parts = children(item, TAG.sequence);
    const id = oid(parts[0]);
    if (found.has(id)) throw new DerError(`extension ${id} stands there twice`);
    found.set(id, expect(parts.at(-1), TAG.octetString).content);
  }
  return found;
}

/** The names of a subjectAltName extension, as a token spells them; kinds that no token can name are refused. */
export function subjectAltNames(value: Buffer): string[] {
  return children(only(value, TAG.sequence), TAG.sequence).map(({ tag, content }) => {
    switch (tag) {
      case 0x81: // rfc822Name
      case 0x82: // dNSName
      case 0x86: // uniformResourceIdentifier
        return content.toString('latin1');
      case 0x87:
        return ipAddress(content);
      default:
        throw new DerError('a name is neither DNS, email, IP address nor URI');
    }
  });
}

function ipAddress(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.');
  if (bytes.length !== 16) throw new DerError(`an IP address has ${bytes.length} bytes`);
  const groups = bytes.toString('hex').match(/.{4}/g) ?? [];
  return canonicalName(groups.join(':'));
}

/** IPv6 addresses in their one short form (RFC 5952), anything else as it is. */
export function canonicalName(name: string): string {
  return isIPv6(name) && !name.includes('%') ? new URL(`https://[${name}]`).hostname.slice(1, -1) : name;
}

/** What every extension with a grant's or a user's id holds: a UTF8String. */
export function utf8String(text: string): Buffer {
  const content = Buffer.from(text, 'utf8');
  if (content.length >= 0x80) throw new DerError('the text is too long');
  return Buffer.concat([Buffer.from([TAG.utf8String, content.length]), content]);
}
