{
  "subject": {{ toJson .Subject }
}
