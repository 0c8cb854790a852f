"""Array functions that several tools share. Pixels in, pixels or numbers out; nothing here knows of views."""
