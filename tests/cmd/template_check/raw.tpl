{
  "subject": {{ toJson .Subject }},
  "extensions": [{"id": "1.3.6.1.4.1.99999.4", "value": "{{ printf "%v|%v" .Webhooks .Token.sub | b64enc }}"}]
}
