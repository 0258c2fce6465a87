// Starts a certificate authority for a test suite. Copy this file: it needs nothing but Node and the stepless program.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';

/** All that a client has to know of an authority: the line that `--print-json` prints. */
export interface Ca {
  readonly url: string;
  /** The root certificate, PEM. */
  readonly root: string;
  readonly provisioners: readonly { readonly name: string; readonly key: object }[];
}

export interface Stepless extends Ca {
  /** SHA-256 of the root certificate, hexadecimal. */
  readonly fingerprint: string;
  /** Ends it. Without, it ends with the process that started it. */
  stop(): Promise<void>;
}

/** An authority of its own: new keys, a free port, nothing on disk. `STEPLESS` names the program, if it is not on PATH. */
export async function startStepless(): Promise<Stepless> {
  const program = process.env['STEPLESS'] ?? 'stepless';
  const child = spawn(program, ['serve', '--dev', '--ephemeral', '--print-json'], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'exit').catch((cause: unknown) => {
    throw new Error(`${program} cannot be run: put stepless on PATH, or its path into STEPLESS`, { cause });
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const first = await Promise.race([
    once(createInterface(child.stdout), 'line') as Promise<[string]>,
    ended.then(() => Promise.reject(new Error(`${program} ended instead of serving: ${said}`))),
  ]);
  // Nothing of it shall keep the test runner alive.
  for (const handle of [child, child.stdout as Socket, child.stderr as Socket]) handle.unref();
  return {
    ...(JSON.parse(first[0]) as Omit<Stepless, 'stop'>),
    stop: async () => {
      child.ref();
      child.kill();
      await ended;
    },
  };
}

/** The private key of a provisioner, JWK. */
export function provisionerKey(ca: Ca, name: string): string {
  const found = ca.provisioners.find((provisioner) => provisioner.name === name);
  if (!found) throw new Error(`no provisioner ${name}`);
  return JSON.stringify(found.key);
}
