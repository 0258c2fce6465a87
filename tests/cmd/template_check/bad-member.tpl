{
  "subject": {{ toJson .Subject }},
  "keyUsage": ["digitalSignature", "{{ .Token.sub }}"]
}
