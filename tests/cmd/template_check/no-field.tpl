{
  "subject": {{ toJson .Subject.Nickname }}
}
