//! The templates of drawn provisioners: of the kinds that sites write.

/// A template, and what the oracle has to know of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Template {
    /// The built-in one.
    Default,
    /// Key usage by the kind of key, with more extensions.
    Leaf,
    /// Subject and names of the request.
    Request,
    /// What the token says besides, all of it optional.
    Claims,
    /// One claim as text, needed (T1).
    NeededClaim,
    /// Fails unless a claim is there.
    Failing,
    /// What the requester says besides.
    User,
    /// Ends of validity of its own.
    Window,
    /// A CA with name constraints (D18).
    Authority,
    /// The two grant extensions (D2, D3).
    Grant,
}

/// All but the built-in one.
pub(crate) const TEMPLATES: [Template; 9] = [
    Template::Leaf,
    Template::Request,
    Template::Claims,
    Template::NeededClaim,
    Template::Failing,
    Template::User,
    Template::Window,
    Template::Authority,
    Template::Grant,
];

impl Template {
    /// As it stands in ca.json; nothing for the built-in one.
    pub(crate) fn text(self) -> Option<&'static str> {
        Some(match self {
            Self::Default => return None,
            Self::Leaf => {
                r#"{"subject": {{ toJson .Subject }}, "sans": {{ toJson .SANs }},
{{- if typeIs "*rsa.PublicKey" .Insecure.CR.PublicKey }}
"keyUsage": ["keyEncipherment", "digitalSignature"],
{{- else if typeIs "ed25519.PublicKey" .Insecure.CR.PublicKey }}
"keyUsage": ["digitalSignature", "contentCommitment"],
{{- else }}
"keyUsage": ["digitalSignature", "keyAgreement"],
{{- end }}
"extKeyUsage": ["serverAuth", "codeSigning"], "unknownExtKeyUsage": ["1.3.6.1.4.1.99999.9"],
"policyIdentifiers": ["2.23.140.1.2.1", "1.2.3.4.5"],
"crlDistributionPoints": ["http://crl.example/a.crl", "http://crl.example/b.crl"],
"ocspServer": "http://ocsp.example", "issuingCertificateURL": ["http://ca.example/ca.crt"],
"extensions": [{"id": "1.3.6.1.4.1.99999.77", "critical": {{ contains "crit" .Subject.CommonName }},
"value": {{ asn1Enc (printf "utf8:%s" .Subject.CommonName) | toJson }}}]}"#
            }
            Self::Request => {
                r#"{"subject": {{ toJson .Insecure.CR.Subject }}, "dnsNames": {{ toJson .Insecure.CR.DNSNames }},
"emailAddresses": {{ toJson .Insecure.CR.EmailAddresses }}, "ipAddresses": {{ toJson .Insecure.CR.IPAddresses }},
"uris": {{ toJson .Insecure.CR.URIs }}, "keyUsage": ["digitalSignature"], "extKeyUsage": ["clientAuth"]}"#
            }
            Self::Claims => {
                r#"{"subject": {"commonName": {{ toJson .Subject.CommonName }}, "country": {{ .country | upper | toJson }},
"organizationalUnit": {{ toJson .units }}, "locality": {{ .Token.place | default "Nowhere" | toString | trunc 40 | toJson }},
"extraNames": [{"type": "1.2.840.113549.1.9.1", "value": {{ .Token.email | default "none@claims.example" | toString | toJson }}}]},
"sans": {{ toJson .SANs }}, "keyUsage": ["digitalSignature"], "extKeyUsage": ["clientAuth", "emailProtection"]}"#
            }
            Self::NeededClaim => {
                r#"{"subject": {"commonName": "{{ .Subject.CommonName | squote | len }}", "organization": "{{ .Token.email }}"},
"sans": {{ toJson .SANs }}, "keyUsage": ["digitalSignature"], "extKeyUsage": ["clientAuth"]}"#
            }
            Self::Failing => {
                r#"{{ if not .Token.place }}{{ fail "where is the place of this token?" }}{{ end -}}
{"subject": {"commonName": {{ toJson .Subject.CommonName }}, "province": {{ toJson .Token.place }}},
"sans": {{ toJson .SANs }}, "keyUsage": ["digitalSignature"], "extKeyUsage": ["serverAuth"]}"#
            }
            Self::User => {
                r#"{"subject": {"commonName": {{ toJson .Subject.CommonName }}
{{- with .Insecure.User }}, "organization": {{ toJson .org }}{{ end }}},
"sans": {{ toJson .SANs }}, "keyUsage": ["digitalSignature"], "extKeyUsage": ["serverAuth"]}"#
            }
            Self::Window => {
                r#"{"subject": {{ toJson .Subject }}, "sans": {{ toJson .SANs }},
{{- with .Token.tnb }}"notBefore": {{ toJson . }},{{ end }}
{{- with .Token.tna }}"notAfter": {{ toJson . }},{{ end }}
"keyUsage": ["digitalSignature"]}"#
            }
            Self::Authority => {
                r#"{"subject": {{ toJson .Subject }}, "keyUsage": ["certSign", "crlSign"],
"basicConstraints": {"isCA": true, "maxPathLen": 0},
"nameConstraints": {"critical": true, "permittedDNSDomains": ["own.example"],
"excludedDNSDomains": ["bad.own.example"], "permittedIPRanges": ["10.0.0.0/8"],
"permittedEmailAddresses": ["own.example"], "excludedURIDomains": [".bad.example"]}}"#
            }
            Self::Grant => {
                r#"{"subject": {{ toJson .Subject }}, "sans": {{ toJson .SANs }}, "keyUsage": ["digitalSignature"],
"extensions": [
{"id": "1.3.6.1.4.1.99999.1", "value": "{{ printf "\x0c\x24%s" .Token.mosaic_grant_id | b64enc }}"},
{"id": "1.3.6.1.4.1.99999.2", "value": "{{ printf "\x0c\x24%s" .Token.mosaic_subject_user_id | b64enc }}"}]}"#
            }
        })
    }
}
