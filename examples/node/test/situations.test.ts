// The eleven situations of a gateway's client; docs/gateway.md lists them, and tests/gateway/situations.rs has the same for
// the Rust client. Each meets stepless, and each meets step-ca where STEPLESS_TEST_STEP_CA describes a running one, in the
// form of `stepless serve --print-json`.

import assert from 'node:assert/strict';
import { createHash, createHmac, createPublicKey, randomUUID, verify, X509Certificate } from 'node:crypto';
import { after, before, beforeEach, describe, test } from 'node:test';
import { CaError, type CaErrorKind } from '../src/ca-error.js';
import { CaService, type IssuedCert } from '../src/ca-service.js';
import { readExtensions } from '../src/certificate.js';
import { ProvisionerKey } from '../src/provisioner-key.js';
import { newCsr, pem, type NewCsr } from './new-csr.js';
import { send, startRelay, type Relay } from './relay.js';
import { provisionerKey, startStepless, type Ca } from './stepless.js';

const NAME = 'gateway.example';
const described = process.env['STEPLESS_TEST_STEP_CA'];

describe('stepless', () => situations(startStepless));
describe('step-ca', { skip: described ? false : 'STEPLESS_TEST_STEP_CA describes none' }, () =>
  situations(async () => ({ ...(JSON.parse(described ?? '') as Ca), stop: async () => {} })),
);

function situations(start: () => Promise<Ca & { stop(): Promise<void> }>): void {
  let ca: Awaited<ReturnType<typeof start>>;
  let relay: Relay;
  const grantId = randomUUID();
  const subjectUserId = randomUUID();

  before(async () => {
    ca = await start();
    relay = await startRelay(ca);
  });
  after(async () => {
    await relay.stop();
    await ca.stop();
  });
  beforeEach(() => {
    relay.change = (answer) => answer;
    relay.calls.length = 0;
  });

  /** A service that meets the authority by the relay. */
  async function service(provisioner = 'mosaic-hs', as = provisioner): Promise<CaService> {
    const key = await ProvisionerKey.open(provisionerKey(ca, provisioner));
    return new CaService({ url: relay.url, rootPem: ca.root, key, provisioner: as });
  }

  async function issue(csr: NewCsr, ttl?: string): Promise<IssuedCert> {
    const request = { csrPem: csr.pem, grantId, subjectUserId };
    return (await service()).issueCert(ttl === undefined ? request : { ...request, ttl });
  }

  /** Changes the members of a certificate's answer. */
  function without(...members: string[]): void {
    relay.change = ({ status, body }) => {
      const left = Object.entries(JSON.parse(body)).filter(([name]) => !members.includes(name));
      return { status, body: JSON.stringify(Object.fromEntries(left)) };
    };
  }

  async function refused(issued: Promise<IssuedCert>, kind: CaErrorKind, status?: number): Promise<CaError> {
    const error = await issued.then(() => assert.fail('a certificate was handed out'), (error: unknown) => error);
    assert.ok(error instanceof CaError, String(error));
    assert.deepEqual([error.kind, error.status], [kind, status], error.message);
    assert.notEqual(error.remediation, '');
    assert.ok(!error.message.includes('eyJ'), 'no token in the message');
    return error;
  }

  /** The header and the claims of the token that was sent with the only certificate asked for. */
  function token(): { header: Record<string, unknown>; claims: Record<string, unknown>; input: string; signature: Buffer } {
    const sent = relay.calls.filter(({ path }) => path === '/1.0/sign');
    assert.equal(sent.length, 1);
    const { ott } = JSON.parse(sent[0]?.body ?? '') as { ott: string };
    const [header = '', claims = '', signature = ''] = ott.split('.');
    const part = (text: string) => JSON.parse(Buffer.from(text, 'base64url').toString()) as Record<string, unknown>;
    return { header: part(header), claims: part(claims), input: `${header}.${claims}`, signature: Buffer.from(signature, 'base64url') };
  }

  test('a grant certificate is issued', async () => {
    const csr = newCsr(NAME, [NAME, '10.0.0.1']);
    const issued = await issue(csr, '1h');
    const leaf = new X509Certificate(issued.certPem);
    assert.equal(leaf.subject, `CN=${NAME}`);
    assert.equal(leaf.subjectAltName, `DNS:${NAME}, IP Address:10.0.0.1`);
    assert.equal(issued.serial, BigInt(`0x${leaf.serialNumber}`).toString());
    assert.equal(issued.notAfter.getTime(), Date.parse(leaf.validTo));
    // A minute of backdating before it.
    assert.equal(Date.parse(leaf.validTo) - Date.parse(leaf.validFrom), 3660_000);
    const found = readExtensions(leaf);
    assert.equal(found.get('1.3.6.1.4.1.99999.1')?.toString('latin1'), `\x0c\x24${grantId}`);
    assert.equal(found.get('1.3.6.1.4.1.99999.2')?.toString('latin1'), `\x0c\x24${subjectUserId}`);
    const { crt, ca: issuer } = JSON.parse(relay.calls[0]?.answer.body ?? '') as { crt: string; ca: string };
    assert.equal(issued.certPem, crt);
    assert.equal(issued.certChainPem, crt + issuer);
  });

  test('without a chain it is crt and ca', async () => {
    without('certChain');
    const issued = await issue(newCsr(NAME, [NAME]));
    const [leaf, issuer, ...more] = issued.certChainPem.match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----\n/g) ?? [];
    assert.equal(leaf, issued.certPem);
    assert.ok(new X509Certificate(issued.certPem).checkIssued(new X509Certificate(issuer ?? '')));
    assert.deepEqual(more, []);
  });

  test('without chain and ca it is crt alone', async () => {
    without('certChain', 'ca');
    const issued = await issue(newCsr(NAME, [NAME]));
    assert.equal(issued.certChainPem, issued.certPem);
    // Its issuer is asked for, to check it.
    assert.deepEqual(relay.calls.map(({ path }) => path), ['/1.0/sign', '/1.0/intermediates']);
    relay.change = ({ status, body }) => {
      const { crt, crts } = JSON.parse(body) as { crt?: string; crts?: string[] };
      return crts ? { status: 404, body: '{}' } : { status, body: JSON.stringify({ crt }) };
    };
    await refused(issue(newCsr(NAME, [NAME])), 'Rejected', 404);
  });

  test('a token that is not accepted is unauthorized', async () => {
    // The key of one provisioner in the name of another.
    const impostor = await service('mosaic-hs', 'mosaic-fed');
    const issued = impostor.issueCert({ csrPem: newCsr(NAME).pem, grantId, subjectUserId });
    const error = await refused(issued, 'Unauthorized', 401);
    assert.match(error.message, /lacked necessary authorization/);
  });

  test('another refusal comes with its reason', async () => {
    const error = await refused(issue(newCsr(NAME), '48h'), 'Forbidden', 403);
    assert.match(error.message, /more than the authorized maximum certificate duration/);
    for (const status of [400, 404, 429, 500, 503]) {
      relay.change = () => ({ status, body: JSON.stringify({ status, message: `because of ${status}` }) });
      const { message } = await refused(issue(newCsr(NAME)), status < 500 ? 'Rejected' : 'Server', status);
      assert.match(message, new RegExp(`because of ${status}$`));
    }
  });

  test('a malformed csr is never sent', async () => {
    const csr = newCsr(NAME, [NAME]);
    const forged = Buffer.from(csr.der);
    forged.writeUInt8(forged.readUInt8(forged.length - 1) ^ 1, forged.length - 1);
    for (const [text, reason] of [
      ['not a request', /there is no PEM block/],
      [csr.pem + csr.pem, /more than one PEM block/],
      [csr.pem.replace(/REQUEST/g, ''), /there is no PEM block|is a CERTIFICATE/],
      [csr.pem.replace('MI', 'M*'), /not base64/],
      [pem('CERTIFICATE REQUEST', csr.der.subarray(0, -1)), /cut off/],
      [pem('CERTIFICATE REQUEST', Buffer.concat([csr.der, Buffer.from([0])])), /bytes follow/],
      [pem('CERTIFICATE REQUEST', Buffer.from('3000', 'hex')), /no element/],
      [pem('CERTIFICATE REQUEST', forged), /signature/],
      [newCsr('').pem, /neither a common name nor a subjectAltName/],
    ] as const) {
      const error = await refused(issue({ ...csr, pem: text }), 'MalformedCsr');
      assert.match(error.message, reason);
    }
    assert.deepEqual(relay.calls, []);
  });

  test('an answer that is not json is told apart', async () => {
    relay.change = ({ status }) => ({ status, body: '<html>maintenance</html>' });
    await refused(issue(newCsr(NAME)), 'NotJson');
    relay.change = ({ status }) => ({ status, body: '{}' });
    await refused(issue(newCsr(NAME)), 'NoCertificate');
  });

  test('an authority that is not there is a connection error', async () => {
    const gone = await startRelay(ca);
    await gone.stop();
    const key = await ProvisionerKey.open(provisionerKey(ca, 'mosaic-hs'));
    const service = new CaService({ url: gone.url, rootPem: ca.root, key, provisioner: 'mosaic-hs' });
    const error = await refused(service.issueCert({ csrPem: newCsr(NAME).pem, grantId, subjectUserId }), 'Connection');
    assert.match(error.message, /ECONNREFUSED/);
  });

  test('the token names provisioner and authority', async () => {
    for (const provisioner of ['mosaic-hs', 'mosaic-fed']) {
      relay.calls.length = 0;
      await (await service(provisioner)).issueCert({ csrPem: newCsr(NAME).pem, grantId, subjectUserId });
      const jwk = JSON.parse(provisionerKey(ca, provisioner)) as { kid: string; k: string };
      const { header, claims, input, signature } = token();
      const symmetric = provisioner === 'mosaic-hs';
      assert.deepEqual(header, { alg: symmetric ? 'HS256' : 'ES256', typ: 'JWT', kid: jwk.kid });
      assert.equal(claims['iss'], provisioner);
      assert.equal(claims['aud'], `${relay.url}/1.0/sign`);
      if (symmetric) {
        assert.deepEqual(signature, createHmac('sha256', Buffer.from(jwk.k, 'base64url')).update(input).digest());
      } else {
        const key = createPublicKey({ key: jwk, format: 'jwk' });
        assert.ok(verify('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }, signature));
      }
    }
  });

  test('the token names request and grant', async () => {
    const csr = newCsr(NAME, [NAME, '10.0.0.1']);
    await issue(csr);
    const { claims } = token();
    assert.equal(claims['sub'], NAME);
    assert.deepEqual(claims['sans'], [NAME, '10.0.0.1']);
    assert.equal(claims['mosaic_grant_id'], grantId);
    assert.equal(claims['mosaic_subject_user_id'], subjectUserId);
    const fingerprint = createHash('sha256').update(csr.der);
    assert.deepEqual(claims['step'], { sha: fingerprint.copy().digest('hex') });
    assert.deepEqual(claims['cnf'], { 'x5rt#S256': fingerprint.digest('base64url') });
  });

  test('the token is for once and for minutes', async () => {
    const before = Math.floor(Date.now() / 1000);
    const ids = new Set<unknown>();
    for (let round = 0; round < 3; round++) {
      relay.calls.length = 0;
      await issue(newCsr(NAME));
      const { claims } = token();
      const iat = claims['iat'] as number;
      assert.ok(iat >= before && iat <= Date.now() / 1000);
      assert.deepEqual([claims['nbf'], claims['exp']], [iat, iat + 300]);
      ids.add(claims['jti']);
    }
    assert.equal(ids.size, 3);
    // The authority keeps to it.
    assert.equal((await send(ca, 'POST', '/1.0/sign', relay.calls[0]?.body ?? '')).status, 401);
  });
}
