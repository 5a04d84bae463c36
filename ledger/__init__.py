"""Who was told what: the record that precedes every answer about a subject."""
