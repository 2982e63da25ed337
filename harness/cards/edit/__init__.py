"""Edits of a card's front matter that change nothing but what was meant."""
