// What the service makes of its settings, and of certificates that an authority does not issue by itself.

import assert from 'node:assert/strict';
import { X509Certificate, generateKeyPairSync, randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, mock, test } from 'node:test';
import { CompactEncrypt, FlattenedEncrypt } from 'jose';
import { CaError } from '../src/ca-error.js';
import { CaService, type IssueCertRequest } from '../src/ca-service.js';
import { ProvisionerKey } from '../src/provisioner-key.js';
import { freshKey, newCsr, pem } from './new-csr.js';
import { startRelay, type Relay } from './relay.js';
import { provisionerKey, startStepless, type Stepless } from './stepless.js';

let ca: Stepless;
let relay: Relay;
let folder: string;

before(async () => {
  ca = await startStepless();
  relay = await startRelay(ca);
  folder = await mkdtemp(join(tmpdir(), 'gateway-'));
  await writeFile(join(folder, 'root.crt'), ca.root);
});

after(async () => {
  await relay.stop();
  await ca.stop();
  await rm(folder, { recursive: true });
});

beforeEach(() => {
  relay.change = (answer) => answer;
  relay.calls.length = 0;
});

function request(name = 'gateway.example'): IssueCertRequest {
  return { csrPem: newCsr(name, [name]).pem, grantId: randomUUID(), subjectUserId: randomUUID() };
}

function environment(more: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return {
    STEP_CA_URL: ca.url,
    STEP_CA_ROOT_CERT_PATH: join(folder, 'root.crt'),
    STEP_CA_PROVISIONER_KEY_JSON: provisionerKey(ca, 'mosaic-fed'),
    ...more,
  };
}

const ENCRYPTION = { alg: 'PBES2-HS256+A128KW', enc: 'A256GCM', cty: 'jwk+json' };

/** The key of mosaic-fed as `encryptedKey` of a ca.json has it. */
async function encrypted(password: string): Promise<string> {
  const key = new CompactEncrypt(Buffer.from(provisionerKey(ca, 'mosaic-fed'))).setProtectedHeader(ENCRYPTION);
  return key.setKeyManagementParameters({ p2c: 600_000 }).encrypt(Buffer.from(password));
}

/** The same as `step crypto jwk create` writes it into a file. */
async function encryptedFile(password: string): Promise<string> {
  const key = new FlattenedEncrypt(Buffer.from(provisionerKey(ca, 'mosaic-fed'))).setProtectedHeader(ENCRYPTION);
  return JSON.stringify(await key.setKeyManagementParameters({ p2c: 600_000 }).encrypt(Buffer.from(password)), null, 2);
}

async function fails(promise: Promise<unknown>, kind: string, message: RegExp): Promise<void> {
  const error = await promise.then(() => assert.fail('it was accepted'), (error: unknown) => error);
  assert.ok(error instanceof CaError, String(error));
  assert.equal(error.kind, kind, error.message);
  assert.match(error.message, message);
}

test('the environment is enough', async () => {
  for (const provisioner of ['mosaic-fed', 'mosaic-hs']) {
    const service = await CaService.fromEnv(environment({ STEP_CA_PROVISIONER_KEY_JSON: provisionerKey(ca, provisioner) }));
    await service.issueCert(request());
  }
});

test('secrets can be mounted, and the key be encrypted', async () => {
  await writeFile(join(folder, 'password'), 'a password\n');
  for (const key of [await encrypted('a password'), await encryptedFile('a password')]) {
    await writeFile(join(folder, 'key'), `${key}\n`);
    const mounted = environment({
      STEP_CA_PROVISIONER_KEY_JSON: '',
      STEP_CA_PROVISIONER_KEY_JSON_FILE: join(folder, 'key'),
      STEP_CA_PROVISIONER_PASSWORD_FILE: join(folder, 'password'),
    });
    await (await CaService.fromEnv(mounted)).issueCert(request());
  }
});

test('requests may be for keys of other kinds', async () => {
  const service = await CaService.fromEnv(environment({}));
  for (const { privateKey } of [
    generateKeyPairSync('ec', { namedCurve: 'P-384' }),
    generateKeyPairSync('rsa', { modulusLength: 2048 }),
    generateKeyPairSync('ed25519'),
  ]) {
    const { certPem } = await service.issueCert({ ...request(), csrPem: newCsr('gateway.example', [], privateKey).pem });
    assert.ok(new X509Certificate(certPem).checkPrivateKey(privateKey));
  }
});

test('what is missing or wrong is named, and no secret with it', async () => {
  const key = await encrypted('right');
  for (const [variables, message] of [
    [{ STEP_CA_URL: '' }, /^STEP_CA_URL is not set$/],
    [{ STEP_CA_URL: 'http://localhost:1' }, /"http:\/\/localhost:1" is not an https URL/],
    [{ STEP_CA_ROOT_CERT_PATH: join(folder, 'absent') }, /^STEP_CA_ROOT_CERT_PATH names the file/],
    [{ STEP_CA_PROVISIONER_KEY_JSON_FILE: join(folder, 'absent') }, /are both set$/],
    [{ STEP_CA_PROVISIONER_KEY_JSON: '{"kty":"oct","k":"c2VjcmV0' }, /^the provisioner key is no JWK, or the password/],
    [{ STEP_CA_PROVISIONER_KEY_JSON: key }, /is encrypted and there is no password$/],
    [{ STEP_CA_PROVISIONER_KEY_JSON: key, STEP_CA_PROVISIONER_PASSWORD: 'wrong' }, /or the password is another one$/],
  ] as const) {
    await fails(CaService.fromEnv(environment(variables)), 'Configuration', message);
  }
  const stranger = JSON.stringify({ kty: 'oct', kid: 'nobody', k: Buffer.alloc(32).toString('base64url') });
  const service = await CaService.fromEnv(environment({ STEP_CA_PROVISIONER_KEY_JSON: stranger }));
  await fails(service.issueCert(request()), 'Configuration', /does not list the key "nobody".*it has mini, mosaic-fed, mosaic-hs$/);
  const known = await CaService.fromEnv(environment({}));
  await fails(known.issueCert({ ...request(), grantId: 'one' }), 'Configuration', /^grantId "one" is no UUID$/);
  await fails(known.issueCert({ ...request(), ttl: 'a day' }), 'Configuration', /cannot live for "a day"$/);
});

test('only the pinned root is trusted', async () => {
  const other = await startStepless();
  try {
    const key = await ProvisionerKey.open(provisionerKey(ca, 'mosaic-fed'));
    const service = new CaService({ url: ca.url, rootPem: other.root, key });
    await fails(service.issueCert(request()), 'TlsPin', /is not trusted/);
  } finally {
    await other.stop();
  }
});

test('an answer that does not come is not waited for', async () => {
  const key = await ProvisionerKey.open(provisionerKey(ca, 'mosaic-fed'));
  // Nobody can connect, shake hands and sign as fast as that.
  const service = new CaService({ url: ca.url, rootPem: ca.root, key, provisioner: 'mosaic-fed', timeout: 0 });
  await fails(service.issueCert(request()), 'Timeout', /did not answer within 0 s$/);
});

test('a connection that ends too soon is told', async () => {
  const key = await ProvisionerKey.open(provisionerKey(ca, 'mosaic-fed'));
  const service = new CaService({ url: relay.url, rootPem: ca.root, key, provisioner: 'mosaic-fed' });
  relay.change = () => undefined;
  await fails(service.issueCert(request()), 'Connection', /^no answer from https:.*socket hang up$/);
});

test('a certificate that is not as asked is never handed out', async () => {
  const key = await ProvisionerKey.open(provisionerKey(ca, 'mosaic-fed'));
  const service = new CaService({ url: relay.url, rootPem: ca.root, key, provisioner: 'mosaic-fed' });
  const device = freshKey();
  const asked = { ...request(), csrPem: newCsr('gateway.example', [], device).pem };
  await service.issueCert(asked);
  const earlier = relay.calls[0]?.answer;
  assert.ok(earlier);

  // The certificate of that request in answer to another one.
  relay.change = () => earlier;
  await service.issueCert(asked);
  await fails(service.issueCert({ ...asked, csrPem: request().csrPem }), 'Certificate', /another key/);
  const renamed = newCsr('other.example', [], device).pem;
  await fails(service.issueCert({ ...asked, csrPem: renamed }), 'Certificate', /for \[gateway\.example\], not for \[other\.example\]/);
  await fails(service.issueCert({ ...asked, grantId: randomUUID() }), 'Extensions', /lacks extension 1\.3\.6\.1\.4\.1\.99999\.1 with/);
  await fails(service.issueCert({ ...asked, subjectUserId: randomUUID() }), 'Extensions', /lacks extension 1\.3\.6\.1\.4\.1\.99999\.2 with/);
  await fails(service.issueCert({ ...asked, ttl: '1h' }), 'Certificate', /not 3600 s from now/);
  for (const days of [-2, 2]) {
    mock.timers.enable({ apis: ['Date'], now: Date.now() + days * 86_400_000 });
    await fails(service.issueCert(asked), 'Certificate', /not valid now/);
    mock.timers.reset();
  }

  const answer = JSON.parse(earlier.body) as { crt: string; ca: string };
  const forged = Buffer.from(new X509Certificate(answer.crt).raw);
  forged.writeUInt8(forged.readUInt8(forged.length - 1) ^ 1, forged.length - 1);
  const crt = pem('CERTIFICATE', forged);
  relay.change = () => ({ status: 201, body: JSON.stringify({ crt, certChain: [crt, answer.ca] }) });
  await fails(service.issueCert(asked), 'Certificate', /is not signed by the next one/);
  relay.change = () => ({ status: 201, body: JSON.stringify({ crt, certChain: [answer.crt, answer.ca] }) });
  await fails(service.issueCert(asked), 'Certificate', /crt is not the first certificate of certChain/);
  relay.change = () => ({ status: 201, body: JSON.stringify({ crt: 7, certChain: 'none' }) });
  await fails(service.issueCert(asked), 'Certificate', /cannot be read/);
});

test('a certificate of another authority is never handed out', async () => {
  const other = await startStepless();
  try {
    const asked = request();
    const foreign = await startRelay(other);
    const theirs = await ProvisionerKey.open(provisionerKey(other, 'mosaic-fed'));
    await new CaService({ url: foreign.url, rootPem: other.root, key: theirs }).issueCert(asked);
    await foreign.stop();
    const answer = foreign.calls.find(({ path }) => path === '/1.0/sign')?.answer;
    assert.ok(answer);
    relay.change = () => answer;
    const key = await ProvisionerKey.open(provisionerKey(ca, 'mosaic-fed'));
    const service = new CaService({ url: relay.url, rootPem: ca.root, key, provisioner: 'mosaic-fed' });
    await fails(service.issueCert(asked), 'Certificate', /signed by the pinned root/);
  } finally {
    await other.stop();
  }
});
