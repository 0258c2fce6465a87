// The authority over HTTPS: the pinned root and nothing else, one connection a call, JSON or an error.

import https from 'node:https';
import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { CaError, type CaErrorKind } from './ca-error.js';

/** More than any answer holds. */
const MAX_ANSWER = 1 << 20;

/** What `/sign` answers; each member may be missing. */
export interface SignAnswer {
  readonly crt?: string;
  readonly ca?: string;
  readonly certChain?: readonly string[];
}

/** A provisioner as `/provisioners` lists it. */
export interface Provisioner {
  readonly type?: string;
  readonly name?: string;
  readonly key?: { readonly kid?: string; readonly kty?: string };
}

export class Authority {
  /** `https://host[:port]`, without a slash at its end. */
  readonly url: string;
  readonly #rootPem: string;
  readonly #timeout: number;

  constructor(url: string, rootPem: string, timeout: number) {
    if (!URL.canParse(url) || new URL(url).protocol !== 'https:' || new URL(url).pathname !== '/') {
      throw new CaError('Configuration', `"${url}" is not an https URL of a certificate authority`);
    }
    this.url = new URL(url).origin;
    this.#rootPem = rootPem;
    this.#timeout = timeout;
  }

  async sign(request: { csr: string; ott: string; notAfter?: string }): Promise<SignAnswer> {
    return (await this.#call('POST', '/1.0/sign', request)) as SignAnswer;
  }

  async intermediates(): Promise<string[]> {
    return ((await this.#call('GET', '/1.0/intermediates')) as { crts?: string[] }).crts ?? [];
  }

  async provisioners(): Promise<Provisioner[]> {
    const all: Provisioner[] = [];
    for (let cursor = ''; ; ) {
      const path = `/1.0/provisioners?limit=100&cursor=${encodeURIComponent(cursor)}`;
      const page = (await this.#call('GET', path)) as { provisioners?: Provisioner[] | null; nextCursor?: string };
      all.push(...(page.provisioners ?? []));
      // An authority whose cursor does not move on would keep us here for ever.
      if (!page.nextCursor || page.nextCursor <= cursor) return all;
      cursor = page.nextCursor;
    }
  }

  async #call(method: string, path: string, body?: unknown): Promise<object> {
    const { status, text } = await this.#send(method, path, body);
    const json = parse(text);
    if (status < 200 || status > 299) throw refusal(status, json, text);
    if (typeof json !== 'object' || json === null) {
      throw new CaError('NotJson', `the answer of ${path} is not JSON`);
    }
    return json;
  }

  #send(method: string, path: string, body: unknown): Promise<{ status: number; text: string }> {
    return new Promise((resolve, reject) => {
      let socket: Socket | undefined;
      const signal = AbortSignal.timeout(this.#timeout);
      const fail = (error: Error) => reject(this.#failure(error, socket, signal));
      const request = https.request(
        this.url + path,
        {
          method,
          signal,
          agent: false,
          // In place of the well-known roots, not beside them; said explicitly, so that no variable turns it off.
          ca: this.#rootPem,
          rejectUnauthorized: true,
          headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
        },
        (response) => {
          const chunks: Buffer[] = [];
          let size = 0;
          response.on('data', (chunk: Buffer) => {
            size += chunk.length;
            if (size > MAX_ANSWER) response.destroy(new Error(`the answer is longer than ${MAX_ANSWER} bytes`));
            chunks.push(chunk);
          });
          response.on('error', fail);
          response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }));
        },
      );
      request.on('socket', (opened) => (socket = opened));
      request.on('error', fail);
      request.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  #failure(error: Error, socket: Socket | undefined, signal: AbortSignal): CaError {
    if (signal.aborted) {
      return new CaError('Timeout', `${this.url} did not answer within ${this.#timeout / 1000} s`, { cause: error });
    }
    // Set once the server's certificate has not held, be it for its chain or its name.
    if (socket instanceof TLSSocket && socket.authorizationError) {
      return new CaError('TlsPin', `${this.url} is not trusted: ${error.message}`, { cause: error });
    }
    return new CaError('Connection', `no answer from ${this.url}: ${error.message || String(error)}`, { cause: error });
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function refusal(status: number, json: unknown, text: string): CaError {
  const said = (json as { message?: unknown } | null | undefined)?.message;
  const message = typeof said === 'string' ? said : text.trim().slice(0, 300);
  return new CaError(kind(status), `the certificate authority refused with status ${status}: ${message}`, { status });
}

function kind(status: number): CaErrorKind {
  if (status === 401) return 'Unauthorized';
  if (status === 403) return 'Forbidden';
  return status >= 500 ? 'Server' : 'Rejected';
}
