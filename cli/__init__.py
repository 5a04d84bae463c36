"""The `lintel` command: mounts what each service owns, and the few commands that belong to no service."""
