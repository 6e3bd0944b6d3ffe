namespace CityGrid.Bench;

/// <summary>The goals that are measured here, with their gates and aims.</summary>
internal static class Goals
{
    public static readonly Goal Reports = new(
        "PERF-1", "durable reports/s in process, 64 callers ÷ raw group append and fdatasync of 700 B", Bound.Least(0.6), Bound.Least(0.85), "a report takes some 50 µs of two cores (sealing, three hashes, deciding, counting, waking writer and caller): on a disk that acknowledges 64 appends in 0.3 ms that is all of it, on one that needs 2 ms it is a third");

    public static readonly Goal ReportsBound = new(
        "PERF-1", "how far it can go: bare appends that bring a sealed box, a keyed digest and two hashes, and nothing else of a report ÷ the same raw appends", Bound.Least(0), Bound.Least(0), "the cryptography alone; below the gate of the line above means that no program that seals and chains can meet it on this disk");

    public static readonly Goal ReportsOnSlowDisk = new(
        "PERF-1", "the same on both sides with a sync that takes 2 ms more, as on a disk that keeps its word", Bound.Least(0.6), Bound.Least(0.85), "the callers' own work between two syncs");

    public static readonly Goal ReportsWithViews = new(
        "PERF-1", "the same while the view store is kept up beside it", Bound.Least(0), Bound.Least(0.6), "LiteDB takes as long for a document as all the rest of a report");

    public static readonly Goal ReportsOverGrpc = new(
        "PERF-2", "durable reports/s over gRPC, 64 callers ÷ PostgreSQL, 64 connections, single inserts", Bound.Least(1.5), Bound.Least(3), "a report over gRPC takes some 140 µs of two cores, its caller's included; where the disk acknowledges at once PostgreSQL waits for its cores too, and needs less of them");

    public static readonly Goal GrpcBound = new(
        "PERF-2", "how far it can go: the same call over gRPC that waits for a bare append and does nothing else ÷ the same inserts", Bound.Least(0), Bound.Least(0), "what is left between it and the gate is all the time that a report may take");

    public static readonly Goal NationInProcess = new(
        "PERF-8", "the nation by type over 90 days, in process ÷ PostgreSQL GROUP BY over 1 M raw cases", Bound.Most(1.0 / 200), Bound.Most(1.0 / 800), "13,500 sums of 25 ns");

    public static readonly Goal NationOverGrpc = new(
        "PERF-8", "the same asked over gRPC ÷ PostgreSQL GROUP BY over 1 M raw cases", Bound.Most(1.0 / 200), Bound.Most(1.0 / 800), "the round trip of one caller at a time, writing and reading 150 rows and 340 missing origins (two thirds), and 13,500 sums");

    public static readonly Goal RollUp = new(
        "PERF-9", "reading 1,000 changed cells: with 1 M stored cases ÷ with 10 k", Bound.Most(2.5), Bound.Most(1.6), "the cells changed, and memory that is cold with more cells");

    public static readonly Goal Merge = new(
        "PERF-10", "first merge of 340 cities × 90 days × 150 types ÷ one PostgreSQL GROUP BY over the same cells", Bound.Most(6), Bound.Most(2), "one hash look-up and one insertion a cell");

    public static readonly Goal Replay = new(
        "PERF-11", "replaying a journal of imported cases, events/s ÷ parsing the same payloads alone", Bound.Least(0.25), Bound.Least(0.5), "the folding thread: making the case and what it counts, adding to cells, and the memory that both leave behind; reading, checking the chain and decoding go on beside it and take half as long");

    public static readonly Goal Restart = new(
        "PERF-11", "restart of a node with 1 M cases and a snapshot, seconds until it serves", Bound.Most(5), Bound.Most(1), "loading 50 k open cases and 1 M request keys, and starting the runtime");

    public static readonly Goal Readers = new(
        "PERF-14", "p99 of one writer's reports: with two readers beside it ÷ without", Bound.Most(6), Bound.Most(3), "two cores for a writer, its callers and two readers that never rest");

    public static readonly Goal ReaderFaults = new("PERF-14", "faults of those readers", Bound.Most(0), Bound.Most(0), "–");

    public static readonly Goal FirstAnswer = new("PERF-15", "an empty node: seconds from start to serving", Bound.Most(1.4), Bound.Most(0.7), "the JIT, Kestrel, Quartz and the mapping of calls");

    public static readonly Goal IdleMemory = new("PERF-15", "an empty node: resident MB", Bound.Most(240), Bound.Most(120), "the runtime with Kestrel, gRPC and Quartz");

    public static readonly Goal GrpcShare = new(
        "PERF-17", "durable reports/s over gRPC ÷ the same call doing nothing", Bound.Least(0.25), Bound.Least(0.5), "beside a call's own cost: the view store (15 %), deciding and folding (15 %), sealing and hashes, the way back to the caller");

    public static readonly Goal CellsAtParent = new(
        "cells", "cells of a child applied durably at a parent, a second", Bound.Least(25_000), Bound.Least(50_000), "judging, one journal record a part, and the fold");

    public static readonly Goal ImportRows = new(
        "import", "rows of the Boston file imported through the tool, a second", Bound.Least(5_000), Bound.Least(20_000), "the tool, gRPC, sealing and deciding of each row on two cores");

    public static readonly Goal MemoryOfMillion = new(
        "memory", "a node with 1 M cases, 50,000 of them open: resident MB after its restart", Bound.Most(1024), Bound.Most(512), "open cases as objects, request keys of 40 B, cells");
}
