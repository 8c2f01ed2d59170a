"""The tables of a library, as docs/library.md describes them."""

import sqlite3
from collections.abc import Iterator
from functools import cache

VERSION = "2"
"""The version that this code reads and writes; `autotag.library.migrate` brings version 1 to it."""

INDEXED = 0.05
"""Most scores are lower than this, and few people look for those: finding them takes a little longer."""

SCHEMA = f"""
CREATE TABLE facts (             -- about the library: 'schema' is its version; 'model', 'sha256', 'commit'
    fact TEXT PRIMARY KEY,       -- and 'precision' say which model tags it; 'excerpt', if it is there, how
    value TEXT NOT NULL          -- many seconds from the middle; 'meanings' which table made 'scores'
) WITHOUT ROWID;

CREATE TABLE outputs (           -- of the model, in its order
    id INTEGER PRIMARY KEY,
    vocabulary TEXT NOT NULL,
    tag TEXT NOT NULL,
    UNIQUE (vocabulary, tag)
);

CREATE TABLE tracks (            -- one row a file, good or bad
    id INTEGER PRIMARY KEY,      -- the same for as long as the file is known
    path TEXT NOT NULL UNIQUE,   -- a BLOB of its bytes where they are not UTF-8
    size INTEGER,                -- bytes
    modified INTEGER,            -- nanoseconds since 1970
    sound BLOB,                  -- hash of the audio's own bytes, which an edit of its file tags leaves alone
    ok INTEGER NOT NULL,         -- 1, or 0 for a file that cannot be tagged: see error_kind
    model TEXT,
    sha256 TEXT,                 -- of the model's file; another one than in 'facts' means: to be tagged again
    duration REAL,               -- seconds
    excerpt REAL,                -- so many seconds from the middle were tagged; NULL for all
    segments INTEGER,            -- how many the scores are the mean of
    decode_ms REAL,
    mel_ms REAL,
    model_ms REAL,
    warnings TEXT,               -- a JSON list
    error_kind TEXT,
    error_message TEXT,
    outputs BLOB                 -- score of each output, float32, little-endian, in the order of 'outputs'
);

CREATE TABLE tags (              -- the meanings of the outputs, as they are shown
    id INTEGER PRIMARY KEY,
    tag TEXT NOT NULL UNIQUE
);

CREATE TABLE scores (            -- of the tags of every track that is ok: merged, implied, corrected; a tag
    tag INTEGER NOT NULL,        -- that another one excludes has no row. tags.id
    track INTEGER NOT NULL,      -- tracks.id
    score REAL NOT NULL,         -- 0 to 1
    PRIMARY KEY (tag, track)     -- in this order a new track adds to the end of some runs, of which a batch
) WITHOUT ROWID;                 -- of tracks shares the pages

CREATE INDEX likely ON scores (tag, score, track) WHERE score >= {INDEXED};

CREATE TABLE corrections (       -- by hand: they win over scores, and stay when a file is tagged again
    track INTEGER NOT NULL,      -- tracks.id
    tag TEXT NOT NULL,           -- its name in 'tags'
    has INTEGER NOT NULL,        -- 1 if the track has the tag, 0 if not
    PRIMARY KEY (track, tag)
) WITHOUT ROWID;

CREATE TABLE embeddings (        -- what 'autotag similar' compares
    track INTEGER PRIMARY KEY,   -- tracks.id
    embedding BLOB NOT NULL      -- 128 signed bytes: see autotag/library/vectors.py
);

CREATE TRIGGER forget AFTER DELETE ON tracks BEGIN
    DELETE FROM scores WHERE track = old.id AND tag IN (SELECT id FROM tags);
    DELETE FROM corrections WHERE track = old.id;
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
    """The statements of `SCHEMA` one by one: `executescript` would end the transaction."""
    statement = ""
    for line in SCHEMA.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


@cache
def columns() -> dict[str, list[str]]:
    """The columns of each table, by its name."""
    database = sqlite3.connect(":memory:")
    try:
        for statement in statements():
            database.execute(statement)
        return columns_of(database)
    finally:
        database.close()


def columns_of(database: sqlite3.Connection) -> dict[str, list[str]]:
    """The columns of each table of a database, by its name; a view is none."""
    tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {
        table: [name for (name,) in database.execute("SELECT name FROM pragma_table_info(?)", (table,))]
        for table in tables
    }
