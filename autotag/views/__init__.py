"""What networks see and hear, for people: pictures, pages and sounds."""

TAGGRAM_TAGS = 15
"""Tags over time that are drawn unless more or fewer are asked for."""
