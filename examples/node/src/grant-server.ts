// An application behind mutual TLS: it knows from the handshake alone which grant let a client in.

import { X509Certificate } from 'node:crypto';
import https from 'node:https';
import type { TLSSocket } from 'node:tls';
import { readExtensions } from './certificate.js';
import { utf8String } from './der.js';

export interface GrantServerOptions {
  /** The server's own certificate with its intermediates, and its key, PEM. */
  readonly cert: string;
  readonly key: string;
  /** The only root whose certificates are let in, PEM. */
  readonly rootPem: string;
  readonly grantOidArc?: string;
}

/** A server that tells its clients which grant they came with; without one they get a 403. */
export function grantServer({ cert, key, rootPem, grantOidArc = '1.3.6.1.4.1.99999' }: GrantServerOptions): https.Server {
  return https.createServer({ cert, key, ca: rootPem, requestCert: true, rejectUnauthorized: true }, (request, response) => {
    const socket = request.socket as TLSSocket;
    const extensions = readExtensions(new X509Certificate(socket.getPeerCertificate().raw));
    const [grantId, subjectUserId] = ['1', '2'].map((last) => id(extensions.get(`${grantOidArc}.${last}`)));
    const granted = grantId !== undefined && subjectUserId !== undefined;
    response.writeHead(granted ? 200 : 403, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify(granted ? { grantId, subjectUserId } : { message: 'the certificate is for no grant' }));
  });
}

/** The id in an extension: a UTF8String of 36 characters. */
function id(value: Buffer | undefined): string | undefined {
  const text = value?.subarray(2).toString('latin1') ?? '';
  return /^[0-9a-f-]{36}$/.test(text) && value?.equals(utf8String(text)) ? text : undefined;
}
