namespace MetricStream.Storing;

/// <summary>The tables of the store, by format version.</summary>
internal static class StoreSchema
{
    /// <summary>
    /// <c>batches</c> are the ids within the id window, with the bodies as posted, in the order of storing (<c>id</c>).
    /// <c>samples</c> are clustered by series and time; <c>ordinal</c> is a running number over all samples, so that two samples of one
    /// series at one time are both kept, in order. <c>series_totals</c> is apart from <c>series</c> because it is rewritten with every
    /// transaction and must be narrow. <c>value</c> is NULL where the sample was NaN.
    /// </summary>
    public const string Version1 = """
        CREATE TABLE sources(
            id INTEGER PRIMARY KEY, source TEXT NOT NULL UNIQUE, position INTEGER NOT NULL, quarantined INTEGER NOT NULL) STRICT;

        CREATE TABLE clients(
            id INTEGER PRIMARY KEY, client TEXT NOT NULL UNIQUE,
            acknowledged INTEGER NOT NULL, rejected INTEGER NOT NULL, last_seen INTEGER NOT NULL) STRICT;

        CREATE TABLE batches(
            id INTEGER PRIMARY KEY, client INTEGER NOT NULL, batch_id TEXT NOT NULL, source INTEGER NOT NULL, position INTEGER NOT NULL,
            arrived INTEGER NOT NULL, metrics INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
        CREATE UNIQUE INDEX batches_by_batch_id ON batches(client, batch_id);
        CREATE INDEX batches_by_client ON batches(client);
        CREATE INDEX batches_by_arrival ON batches(arrived);

        CREATE TABLE series(
            id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, name TEXT NOT NULL, type TEXT NOT NULL, tags TEXT NOT NULL) STRICT;
        CREATE INDEX series_by_name ON series(name);
        CREATE TABLE series_totals(series INTEGER PRIMARY KEY, samples INTEGER NOT NULL) STRICT;

        CREATE TABLE samples(
            series INTEGER NOT NULL, time INTEGER NOT NULL, ordinal INTEGER NOT NULL, value REAL,
            PRIMARY KEY (series, time, ordinal)) STRICT, WITHOUT ROWID;

        CREATE TABLE dead_letters(
            id INTEGER PRIMARY KEY, source INTEGER NOT NULL, position INTEGER NOT NULL, client TEXT, batch_id TEXT,
            reason TEXT NOT NULL, arrived INTEGER, body BLOB NOT NULL) STRICT;

        CREATE TABLE counters(
            id INTEGER PRIMARY KEY CHECK (id = 1), stored INTEGER NOT NULL, duplicates INTEGER NOT NULL,
            dead_lettered INTEGER NOT NULL, rejected INTEGER NOT NULL, next_ordinal INTEGER NOT NULL) STRICT;
        INSERT INTO counters VALUES (1, 0, 0, 0, 0, 0);
        """;

    /// <summary>
    /// What a log with several members needs. A source has the number under which its owner writes (<c>fence</c>), where its history ends
    /// (<c>born</c>: what was there before this store knew it), and how many records were gone before they were read (<c>lost</c>).
    /// <c>acceptances</c> counts each acceptance once, by the server that made it, whatever was
    /// sent again; <c>settled</c> has the record ids of those that did not become a batch: duplicates (1) and dead letters (2).
    /// </summary>
    public const string Version2 = """
        ALTER TABLE sources ADD COLUMN fence INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE sources ADD COLUMN owner TEXT;
        ALTER TABLE sources ADD COLUMN born INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE sources ADD COLUMN lost INTEGER NOT NULL DEFAULT 0;

        ALTER TABLE batches ADD COLUMN record_id BLOB;

        CREATE TABLE acceptances(server TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT, WITHOUT ROWID;
        CREATE TABLE settled(
            record_id BLOB PRIMARY KEY, arrived INTEGER NOT NULL, outcome INTEGER NOT NULL) STRICT, WITHOUT ROWID;
        CREATE INDEX settled_by_arrival ON settled(arrived) WHERE outcome = 1;

        ALTER TABLE counters ADD COLUMN replays INTEGER NOT NULL DEFAULT 0;
        """;

    /// <summary>
    /// Roll-ups, see <see cref="RollupRound"/>: <c>rollups</c> of a minute and of an hour (<c>span</c>, in ms); <c>late</c>, the minutes to
    /// be rolled up anew; <c>rollup_state</c>, how far they are, and the series and time where the walk under way goes on. All begin with
    /// nothing: the samples that are there are rolled up by the first walk.
    /// </summary>
    public const string Version3 = """
        CREATE TABLE rollups(
            series INTEGER NOT NULL, span INTEGER NOT NULL, start INTEGER NOT NULL, count INTEGER NOT NULL,
            min REAL NOT NULL, max REAL NOT NULL, sum REAL, first_time INTEGER NOT NULL, first REAL NOT NULL,
            last_time INTEGER NOT NULL, last REAL NOT NULL, increase REAL,
            PRIMARY KEY (series, span, start)) STRICT, WITHOUT ROWID;
        CREATE TABLE late(
            series INTEGER NOT NULL, minute INTEGER NOT NULL, PRIMARY KEY (series, minute)) STRICT, WITHOUT ROWID;
        CREATE TABLE rollup_state(
            id INTEGER PRIMARY KEY CHECK (id = 1), closed_until INTEGER NOT NULL, rolled_until INTEGER NOT NULL,
            expired_before INTEGER NOT NULL, walking INTEGER NOT NULL, walk_series INTEGER NOT NULL, walk_time INTEGER NOT NULL) STRICT;
        INSERT INTO rollup_state VALUES (1, -63999997200000, -63999997200000, -63999997200000, 0, 0, 0);
        """;
}
