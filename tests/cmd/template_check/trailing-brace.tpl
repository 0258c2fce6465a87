{
  "subject": "{{ .Token.model }}",
  "sans": {{ toJson .SANs }}
}}
