{{ if not .Token.ok }}{{ fail "token must carry ok" }}{{ end }}
{"subject": {{ toJson .Subject }}}
