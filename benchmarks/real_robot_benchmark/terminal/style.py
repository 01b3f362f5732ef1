"""How the terminal console is laid out and coloured."""

from __future__ import annotations

STYLE = """
Screen { layout: vertical; overflow: hidden; }
#top { height: 1; padding: 0 1; background: $primary-darken-2; color: $text; }
#big { height: 3; padding: 0 1; color: $accent; }
#numbers { height: 4; padding: 0 1; }
#instruction { height: auto; max-height: 2; padding: 0 1; }
#columns { height: 1fr; min-height: 3; margin: 1 0 0 0; }
#scene, #stages { width: 1fr; padding: 0 1; scrollbar-size-vertical: 1; }
#message { height: auto; max-height: 3; padding: 0 1; }
#next { height: auto; max-height: 2; padding: 0 1; color: $text-muted; }
#progress { height: 1; padding: 0 1; }
#keys { dock: bottom; height: auto; max-height: 3; padding: 0 1 0 0; background: $panel; color: $text; }
Screen.running #big { color: $text; }
Screen.success #big { color: white; background: #12703a; }
Screen.failure #big { color: white; background: #a40e0e; }
Screen.paused #big { color: black; background: #ffd400; }
ModalScreen { align: center middle; background: $background 60%; }
.dialog {
    width: 76; max-width: 100%; height: auto; max-height: 100%; padding: 1 2;
    background: $surface; border: thick $primary;
}
.title { text-style: bold; margin: 0 0 1 0; }
.soft { color: $text-muted; margin: 1 0 0 0; }
.tight .dialog { padding: 0 2; border: none; }
.tight .title, .tight .soft { margin: 0; }
.lost .dialog { background: #a40e0e; color: white; border: thick #ffd400; }
.lost .soft { color: white; }
"""
