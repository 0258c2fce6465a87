{
  "subject": "{{ .Token.none }}"
}
