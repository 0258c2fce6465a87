// Stands between a client and an authority: keeps what the client sent, and changes what the authority answered.
//
// Its server certificate is by the authority itself, so that a client which trusts that root alone trusts the relay.

import https from 'node:https';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { CaService } from '../src/ca-service.js';
import { ProvisionerKey } from '../src/provisioner-key.js';
import { newCsr } from './new-csr.js';
import { provisionerKey, type Ca } from './stepless.js';

export interface Answer {
  status: number;
  body: string;
}

/** What came in, and what the authority answered to it. */
export interface Call {
  readonly path: string;
  readonly body: string;
  readonly answer: Answer;
}

export interface Relay {
  readonly url: string;
  /** In the order of their answers. */
  readonly calls: Call[];
  /** What becomes of answers; nothing unless told. Without an answer the connection ends. */
  change: (answer: Answer) => Answer | undefined;
  stop(): Promise<void>;
}

export async function startRelay(ca: Ca): Promise<Relay> {
  const csr = newCsr('relay.example', ['127.0.0.1']);
  const key = await ProvisionerKey.open(provisionerKey(ca, 'mosaic-fed'));
  const service = new CaService({ url: ca.url, rootPem: ca.root, key });
  const { certChainPem } = await service.issueCert({ csrPem: csr.pem, grantId: NOBODY, subjectUserId: NOBODY });

  const calls: Call[] = [];
  const server = https.createServer({ key: csr.key, cert: certChainPem }, async (incoming, outgoing) => {
    const [path, body] = [incoming.url ?? '', await text(incoming)];
    const answer = await send(ca, incoming.method ?? '', path, body);
    calls.push({ path, body, answer });
    const changed = relay.change(answer);
    if (!changed) return outgoing.destroy();
    return outgoing.writeHead(changed.status, { 'Content-Type': 'application/json' }).end(changed.body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A test that fails before it stops the relay shall end all the same.
  server.unref();
  const relay: Relay = {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    change: (answer) => answer,
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
  return relay;
}

const NOBODY = '00000000-0000-0000-0000-000000000000';

/** Sends a request to the authority, whatever it is. */
export function send(ca: Ca, method: string, path: string, body: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = https.request(ca.url + path, { method, ca: ca.root, agent: false }, (response) => {
      text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

async function text(stream: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
