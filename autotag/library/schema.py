"""The tables of a library, as README.md describes them."""

import sqlite3
from collections.abc import Iterator

VERSION = "1"
"""Of the schema that this code reads and writes."""

INDEXED = 0.05
"""Most scores are lower than this, and few people look for those: finding them takes a little longer."""

SCHEMA = f"""
CREATE TABLE facts (             -- about the library: 'schema' is its version; 'model', 'commit' and
    fact TEXT PRIMARY KEY,       -- 'precision' say which model all of its scores are of; 'excerpt', if it is
    value TEXT NOT NULL          -- there, how many seconds in the middle of each file
) WITHOUT ROWID;

CREATE TABLE tags (              -- the model's vocabulary
    id INTEGER PRIMARY KEY,
    tag TEXT NOT NULL UNIQUE,
    threshold REAL NOT NULL      -- the score from which on a track counts as having the tag
);

CREATE TABLE tracks (            -- one row a file, good or bad
    id INTEGER PRIMARY KEY,
    path TEXT NOT NULL UNIQUE,   -- a BLOB of its bytes where they are not UTF-8
    size INTEGER,                -- bytes
    modified INTEGER,            -- nanoseconds since 1970
    ok INTEGER NOT NULL,         -- 1, or 0 for a file that cannot be tagged: see error_kind
    model TEXT,
    duration REAL,               -- seconds
    excerpt REAL,                -- so many seconds in the middle were heard; NULL for all
    segments INTEGER,            -- how many the scores are the mean of
    decode_ms REAL,
    mel_ms REAL,
    model_ms REAL,
    warnings TEXT,               -- separated by '; '
    error_kind TEXT,
    error_message TEXT
);

CREATE TABLE scores (            -- of every tag of every track that is ok
    tag INTEGER NOT NULL,        -- tags.id
    track INTEGER NOT NULL,      -- tracks.id
    score REAL NOT NULL,         -- 0 to 1
    PRIMARY KEY (tag, track)     -- in this order a new track adds to the end of 50 runs, of which a batch
) WITHOUT ROWID;                 -- of tracks shares the pages

CREATE INDEX likely ON scores (tag, score, track) WHERE score >= {INDEXED};

CREATE TABLE embeddings (        -- what 'autotag similar' compares
    track INTEGER PRIMARY KEY,   -- tracks.id
    embedding BLOB NOT NULL      -- 128 signed bytes: see autotag/library/vectors.py
);

CREATE TRIGGER forget AFTER DELETE ON tracks BEGIN
    DELETE FROM scores WHERE track = old.id AND tag IN (SELECT id FROM tags);
    DELETE FROM embeddings WHERE track = old.id;
END;

CREATE VIEW top_tags AS          -- for people: SELECT * FROM top_tags
    SELECT path, (
        SELECT group_concat(printf('%s %.2f', tag, score), ', ') FROM (
            SELECT tags.tag, scores.score FROM tags CROSS JOIN scores
            ON scores.tag = tags.id AND scores.track = tracks.id ORDER BY scores.score DESC LIMIT 5
        )
    ) AS top_tags, duration, error_message
    FROM tracks;
"""


def statements() -> Iterator[str]:
    """Those of `SCHEMA` one by one: `executescript` would end the transaction."""
    statement = ""
    for line in SCHEMA.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
