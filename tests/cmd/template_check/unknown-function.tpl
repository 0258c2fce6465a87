{
  "subject": {{ toJson .Subject }},
  "sans": {{ nosuch .SANs }}
}
