{{- $site := .organization -}}
{
  "subject": {
    "commonName": {{ toJson .Subject.CommonName }},
    "organization": {{ toJson $site }},
    "organizationalUnit": {{ toJson .Insecure.User.unit }}
  },
  "sans": {{ toJson .SANs }},
  "keyUsage": ["digitalSignature", "keyAgreement"],
  "extKeyUsage": ["clientAuth", "timeStamping"],
  "basicConstraints": {"isCA": false},
  "ocspServer": "http://ocsp.example/",
  "crlDistributionPoints": ["http://ca.example/1.crl"],
  "policyIdentifiers": "1.3.6.1.4.1.99999.60",
  "extensions": [
{{- with .Token }}
    {"id": "1.3.6.1.4.1.99999.5", "critical": true, "value": {{ asn1Enc (print "utf8:" .model) | toJson }}}
{{- range $i, $tag := .tags }},
    {"id": "1.3.6.1.4.1.99999.7.{{ $i }}", "value": {{ asn1Enc (print "ia5:" $tag) | toJson }}}
{{- end }}
{{- end }}
  ]
}
