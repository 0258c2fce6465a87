{{- /*
  A grant certificate: the names of the token, and the two ids of the grant as extensions.

  options.x509.claimExtensions makes the same certificate without a template and is the recommended form: it
  checks both ids before anything is drawn up, and nothing in it can be mistyped. This template is for whoever
  needs a template anyway, and for authorities that run step-ca as well.

  The ids stand as DER UTF8String below the arc 1.3.6.1.4.1.99999; write your own arc if ca.json has an oidArc.
  asn1Enc builds the DER, whatever the length. Many templates paste it instead, which is right only for 36 bytes:
      "value": "{{ printf "\x0c\x24%s" .Token.mosaic_grant_id | b64enc }}"
*/ -}}
{
  "subject": {{ toJson .Subject }},
  "sans": {{ toJson .SANs }},
{{- if typeIs "*rsa.PublicKey" .Insecure.CR.PublicKey }}
  "keyUsage": ["digitalSignature", "keyEncipherment"],
{{- else }}
  "keyUsage": ["digitalSignature"],
{{- end }}
  "extKeyUsage": ["serverAuth", "clientAuth"],
  "extensions": [
    {"id": "1.3.6.1.4.1.99999.1", "value": {{ printf "utf8:%s" .Token.mosaic_grant_id | asn1Enc | toJson }}},
    {"id": "1.3.6.1.4.1.99999.2", "value": {{ printf "utf8:%s" .Token.mosaic_subject_user_id | asn1Enc | toJson }}}
  ]
}
