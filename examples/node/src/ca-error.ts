// Why there is no certificate: a kind for the program, a sentence and a remediation for people.

/** What happened. The kinds are those of the Rust client; docs/gateway.md has the table. */
export type CaErrorKind =
  | 'Configuration'
  | 'MalformedCsr'
  | 'Connection'
  | 'TlsPin'
  | 'Timeout'
  | 'Unauthorized'
  | 'Forbidden'
  | 'Rejected'
  | 'Server'
  | 'NotJson'
  | 'NoCertificate'
  | 'Extensions'
  | 'Certificate';

const REMEDIATIONS: Record<CaErrorKind, string> = {
  Configuration: 'correct the setting that the message names',
  MalformedCsr: 'send one PEM block with a PKCS#10 request, signed with its own key, with a common name or a subjectAltName',
  Connection: 'check the URL, and that the authority is running; its log says whether it did what it was asked for',
  TlsPin: "compare the root's fingerprint with the one that the authority prints at start",
  Timeout: "look into the authority's log before you try again",
  Unauthorized: "check the provisioner's name and key and the authority's URL; the authority's log says which rule the token broke",
  Forbidden: 'correct the request as the message says',
  Rejected: 'correct the request as the message says; after 429 try again later',
  Server: "look into the authority's log; after 503 try again later",
  NotJson: 'check that the URL is that of a step-ca compatible authority',
  NoCertificate: 'check that the URL is that of a step-ca compatible authority',
  Extensions: "check the provisioner's template and the OID arc, which have to be the same here and at the authority",
  Certificate: 'do not trust this authority before its log explains the difference',
};

/** No certificate was handed out. Neither `message` nor `cause` holds a token, a key or a password. */
export class CaError extends Error {
  override readonly name = 'CaError';
  readonly kind: CaErrorKind;
  /** The next thing to do. */
  readonly remediation: string;
  /** The HTTP status, if the authority refused. */
  readonly status: number | undefined;

  constructor(kind: CaErrorKind, message: string, more: { cause?: unknown; status?: number } = {}) {
    super(message, 'cause' in more ? { cause: more.cause } : undefined);
    this.kind = kind;
    this.remediation = REMEDIATIONS[kind];
    this.status = more.status;
  }
}
