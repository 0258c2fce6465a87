// How an application's own mutual TLS is tested: real certificates for both ends, for as long as the tests run.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import https from 'node:https';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { CaService } from '../src/ca-service.js';
import { grantServer } from '../src/grant-server.js';
import { ProvisionerKey } from '../src/provisioner-key.js';
import { newCsr } from './new-csr.js';
import { provisionerKey, startStepless, type Stepless } from './stepless.js';

const grantId = randomUUID();
const subjectUserId = randomUUID();

let ca: Stepless;
let server: https.Server;

before(async () => {
  ca = await startStepless();
  server = grantServer({ ...(await identity(ca, 'app.example')), rootPem: ca.root });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  server.unref();
});

after(async () => {
  server.close();
  await ca.stop();
});

/** A certificate for the grant, with its key. */
async function identity(by: Stepless, name: string): Promise<{ cert: string; key: string }> {
  const csr = newCsr(name, [name]);
  const key = await ProvisionerKey.open(provisionerKey(by, 'mosaic-hs'));
  const service = new CaService({ url: by.url, rootPem: by.root, key });
  const { certChainPem } = await service.issueCert({ csrPem: csr.pem, grantId, subjectUserId });
  return { cert: certChainPem, key: csr.key };
}

async function get(settings: https.RequestOptions): Promise<{ status: number | undefined; body: unknown }> {
  const { port } = server.address() as AddressInfo;
  const target = { host: '127.0.0.1', port, servername: 'app.example', ca: ca.root, agent: false };
  const request = https.get({ ...target, signal: AbortSignal.timeout(10_000), ...settings });
  const [response] = (await once(request, 'response')) as [import('node:http').IncomingMessage];
  let text = '';
  for await (const chunk of response) text += chunk;
  return { status: response.statusCode, body: JSON.parse(text) };
}

test('a client with a grant is let in and known', async () => {
  const answer = await get(await identity(ca, 'device.example'));
  assert.deepEqual(answer, { status: 200, body: { grantId, subjectUserId } });
});

/** The handshake fails, and no request reaches the application. */
async function turnedAway(settings: https.RequestOptions): Promise<void> {
  let requests = 0;
  const count = () => requests++;
  server.on('request', count);
  const refused = once(server, 'tlsClientError');
  // What the client hears depends on which end is faster.
  await assert.rejects(get(settings), { code: /^(ECONNRESET|EPIPE|ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED)$/ });
  await refused;
  server.off('request', count);
  assert.equal(requests, 0);
}

test('a client without a certificate is turned away', () => turnedAway({}));

test('a client of another authority is turned away', async () => {
  const other = await startStepless();
  try {
    await turnedAway(await identity(other, 'device.example'));
  } finally {
    await other.stop();
  }
});

test('a client does not take the server for another one', async () => {
  const device = await identity(ca, 'device.example');
  await assert.rejects(get({ ...device, servername: 'other.example' }), { code: 'ERR_TLS_CERT_ALTNAME_INVALID' });
});
