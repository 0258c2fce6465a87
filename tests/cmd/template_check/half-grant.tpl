{
  "subject": {{ toJson .Subject }},
  "extensions": [{"id": "1.3.6.1.4.1.99999.1", "value": {{ printf "utf8:%s" .Token.mosaic_grant_id | asn1Enc | toJson }}}]
}
