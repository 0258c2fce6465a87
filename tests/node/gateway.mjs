// What a gateway does to get a certificate for a grant, in Node 20 without packages.
//
//   node gateway.mjs --url https://localhost:9000 --root root_ca.crt --key provisioner.jwk --provisioner NAME
//
// The key is the provisioner's `oct` JWK. Writes `gateway: ok` and ends with 0, or says what is wrong and ends with 1.

import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import fs from 'node:fs';
import https from 'node:https';
import { parseArgs } from 'node:util';

const options = parseArgs({
  options: {
    url: { type: 'string' },
    root: { type: 'string' },
    key: { type: 'string' },
    provisioner: { type: 'string' },
  },
}).values;

const name = 'gateway.example';
const grantId = crypto.randomUUID();
const userId = crypto.randomUUID();

// DER, as much of it as a certification request needs (RFC 2986).

function tlv(tag, ...parts) {
  const content = Buffer.concat(parts);
  const length = [];
  for (let rest = content.length; rest > 0; rest >>= 8) length.unshift(rest & 0xff);
  const head = content.length < 0x80 ? [tag, content.length] : [tag, 0x80 | length.length, ...length];
  return Buffer.concat([Buffer.from(head), content]);
}

const sequence = (...parts) => tlv(0x30, ...parts);
const set = (...parts) => tlv(0x31, ...parts);
const octets = (content) => tlv(0x04, content);
const utf8 = (text) => tlv(0x0c, Buffer.from(text, 'utf8'));

function oid(dotted) {
  const [first, second, ...rest] = dotted.split('.').map(Number);
  const bytes = [];
  for (let arc of [first * 40 + second, ...rest]) {
    const digits = [arc & 0x7f];
    while ((arc >>= 7) > 0) digits.unshift(0x80 | (arc & 0x7f));
    bytes.push(...digits);
  }
  return tlv(0x06, Buffer.from(bytes));
}

function certificationRequest({ publicKey, privateKey }, commonName, dnsNames) {
  const names = sequence(...dnsNames.map((dns) => tlv(0x82, Buffer.from(dns, 'ascii'))));
  const extensions = sequence(sequence(oid('2.5.29.17'), octets(names)));
  const info = sequence(
    tlv(0x02, Buffer.from([0])),
    sequence(set(sequence(oid('2.5.4.3'), utf8(commonName)))),
    publicKey.export({ type: 'spki', format: 'der' }),
    tlv(0xa0, sequence(oid('1.2.840.113549.1.9.14'), set(extensions))),
  );
  const ecdsaWithSha256 = sequence(oid('1.2.840.10045.4.3.2'));
  const signature = crypto.sign('sha256', info, privateKey);
  return sequence(info, ecdsaWithSha256, tlv(0x03, Buffer.from([0]), signature));
}

function pem(label, der) {
  const lines = der.toString('base64').match(/.{1,64}/g).join('\n');
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}

// The token.

function token(csr) {
  const jwk = JSON.parse(fs.readFileSync(options.key, 'utf8'));
  const now = Math.floor(Date.now() / 1000);
  const header = { alg: 'HS256', typ: 'JWT', kid: jwk.kid };
  const claims = {
    iss: options.provisioner,
    aud: `${options.url}/1.0/sign`,
    sub: name,
    sans: [name],
    iat: now,
    nbf: now,
    exp: now + 300,
    jti: crypto.randomUUID(),
    mosaic_grant_id: grantId,
    mosaic_subject_user_id: userId,
    step: { sha: crypto.createHash('sha256').update(csr).digest('hex') },
  };
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const input = `${part(header)}.${part(claims)}`;
  const secret = Buffer.from(jwk.k, 'base64url');
  return `${input}.${crypto.createHmac('sha256', secret).update(input).digest('base64url')}`;
}

// HTTPS, trusting one root.

const root = fs.readFileSync(options.root, 'utf8');

function request(url, settings, body) {
  return new Promise((resolve, reject) => {
    const outgoing = https.request(url, { ca: root, agent: false, ...settings }, (incoming) => {
      const chunks = [];
      incoming.on('data', (chunk) => chunks.push(chunk));
      incoming.on('end', () => resolve({
        status: incoming.statusCode,
        type: incoming.headers['content-type'],
        text: Buffer.concat(chunks).toString('utf8'),
      }));
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

const post = (path, body) => request(
  options.url + path,
  { method: 'POST', headers: { 'Content-Type': 'application/json' } },
  JSON.stringify(body),
);

// The way of a grant.

const pair = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
const csr = certificationRequest(pair, name, [name]);
const body = { csr: pem('CERTIFICATE REQUEST', csr), ott: token(csr) };

const answer = await post('/1.0/sign', body);
assert.equal(answer.status, 201, answer.text);
assert.equal(answer.type, 'application/json');
const signed = JSON.parse(answer.text);
assert.deepEqual(Object.keys(signed), ['crt', 'ca', 'certChain', 'tlsOptions']);
assert.equal(signed.certChain[0], signed.crt);
assert.equal(signed.certChain[1], signed.ca);

const leaf = new crypto.X509Certificate(signed.crt);
const issuer = new crypto.X509Certificate(signed.ca);
const anchor = new crypto.X509Certificate(root);
assert.ok(leaf.checkIssued(issuer) && leaf.verify(issuer.publicKey), 'the issuer signed the leaf');
assert.ok(issuer.checkIssued(anchor) && issuer.verify(anchor.publicKey), 'the root signed the issuer');
assert.ok(leaf.checkPrivateKey(pair.privateKey), 'the leaf is for our key');
assert.equal(leaf.subject, `CN=${name}`);
assert.equal(leaf.subjectAltName, `DNS:${name}`);
assert.equal(leaf.ca, false);
const life = (Date.parse(leaf.validTo) - Date.parse(leaf.validFrom)) / 1000;
assert.equal(life, 24 * 3600 + 60);

for (const [identifier, id] of [['1.3.6.1.4.1.99999.1', grantId], ['1.3.6.1.4.1.99999.2', userId]]) {
  const extension = sequence(oid(identifier), octets(utf8(id)));
  assert.ok(leaf.raw.includes(extension), `${identifier} carries ${id}, not critical`);
}

// One token, one certificate.
assert.equal((await post('/1.0/sign', body)).status, 401);

// The certificate does what it is for: both ends of a mutual TLS connection.
const identity = {
  key: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }),
  cert: signed.certChain.join(''),
};
const server = https.createServer(
  { ...identity, ca: root, requestCert: true, rejectUnauthorized: true },
  (incoming, outgoing) => outgoing.end(incoming.socket.getPeerCertificate().subject.CN),
);
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const greeting = await request(
  `https://127.0.0.1:${server.address().port}/`,
  { ...identity, servername: name },
);
server.close();
assert.equal(greeting.text, name);

console.log('gateway: ok');
