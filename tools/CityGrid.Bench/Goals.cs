namespace CityGrid.Bench;

/// <summary>The goals that are measured here, with their gates and aims.</summary>
internal static class Goals
{
    public static readonly Goal Reports = new(
        "PERF-1", "durable reports/s in process, 64 callers ÷ raw group append and fdatasync of 700 B", Bound.Least(0.6), Bound.Least(0.85), "the one writer: some 7.5 µs of it a report (deciding 2.5, folding 1.5, making and hashing the record 1.5, handing on 1, the kernel 1), and a sync of 0.1 ms for each 30; the caller's own 4 µs run beside it on the other core, as do the packing of segments and the collector, which holds both for one part in twenty");

    public static readonly Goal ReportsBound = new(
        "PERF-1", "how far it can go: bare appends that bring a sealed box, a keyed digest and two hashes, and nothing else of a report ÷ the same raw appends", Bound.Least(0), Bound.Least(0), "the cryptography alone, on a file that grows with each append as the raw one does (the node's own does not, where room was made for it)");

    public static readonly Goal ReportsOnSlowDisk = new(
        "PERF-1", "the same on both sides with a sync that takes 2 ms more, as on a disk that keeps its word", Bound.Least(0.6), Bound.Least(0.85), "the callers' own work between two syncs");

    public static readonly Goal ReportsWithViews = new(
        "PERF-1", "the same while the view store is kept up beside it", Bound.Least(0), Bound.Least(0.6), "as the first line: an open case lives in memory, so the view store has nothing to do with a report");

    public static readonly Goal ReportsOverGrpc = new(
        "PERF-2", "durable reports/s over gRPC, 64 callers ÷ PostgreSQL, 64 connections, single inserts", Bound.Least(1.5), Bound.Least(3), "the call and its append take some 50 µs of two cores (next line), a report some 50 more: a larger message, token, digest and sealing, deciding and folding, and the cores' caches that all of it shares; PostgreSQL takes some 150 for an insert with its caller");

    public static readonly Goal GrpcBound = new(
        "PERF-2", "how far it can go: the same call over gRPC that waits for a bare append and does nothing else ÷ the same inserts", Bound.Least(0), Bound.Least(0), "what is left between it and the gate is all the time that a report may take");

    public static readonly Goal NationInProcess = new(
        "PERF-8", "the nation by type over 90 days, in process ÷ PostgreSQL GROUP BY over 1 M raw cases", Bound.Most(1.0 / 200), Bound.Most(1.0 / 800), "the sums of 90 days a type, sixteen or four at a time where they are asked for whole");

    public static readonly Goal NationOverGrpc = new(
        "PERF-8", "the same asked over gRPC ÷ PostgreSQL GROUP BY over 1 M raw cases", Bound.Most(1.0 / 200), Bound.Most(1.0 / 800), "the round trip, writing and reading 150 rows with 600 figures by name and 340 missing origins, and the memory that these take");

    public static readonly Goal NationBesideRollUp = new(
        "PERF-8", "the same asked over gRPC ÷ one PostgreSQL GROUP BY over a roll-up table of 340 cities × 90 days × 150 types", Bound.Most(1.0 / 200), Bound.Most(1.0 / 1500), "as above");

    public static readonly Goal RollUp = new(
        "PERF-9", "reading 1,000 changed cells: with 1 M stored cases ÷ with 10 k", Bound.Most(2.5), Bound.Most(1.6), "the cells changed, and memory that is cold with more cells");

    public static readonly Goal Merge = new(
        "PERF-10", "first merge of 340 cities × 90 days × 150 types ÷ one PostgreSQL GROUP BY over the same cells", Bound.Most(6), Bound.Most(2), "one hash look-up and one insertion a cell");

    public static readonly Goal Replay = new(
        "PERF-11", "replaying a journal of imported cases, events/s ÷ parsing the same payloads alone", Bound.Least(0.25), Bound.Least(0.5), "two cores that are both busy with it: decoding, working out what the case counts, adding to cells, and the memory that all of it leaves behind; an event of 190 B is parsed in 0.4 µs where the parser has nothing else in its caches");

    public static readonly Goal Restart = new(
        "PERF-11", "restart of a node with 1 M cases and a snapshot, seconds until it serves", Bound.Most(5), Bound.Most(1), "loading 50 k open cases and 1 M request keys, and starting the runtime");

    public static readonly Goal Readers = new(
        "PERF-14", "p99 of one writer's reports: with two readers beside it ÷ without", Bound.Most(6), Bound.Most(3), "the kernel takes a core away from a reader only at its tick, every 4 ms; one core is left to the writer, and the view store and the collector want it too");

    public static readonly Goal ReaderFaults = new("PERF-14", "faults of those readers", Bound.Most(0), Bound.Most(0), "–");

    public static readonly Goal FirstAnswer = new("PERF-15", "an empty node: seconds from start to serving", Bound.Most(1.4), Bound.Most(0.7), "the JIT, Kestrel, Quartz and the mapping of calls");

    public static readonly Goal IdleMemory = new("PERF-15", "an empty node: resident MB", Bound.Most(240), Bound.Most(120), "the runtime with Kestrel, gRPC and Quartz");

    public static readonly Goal GrpcShare = new(
        "PERF-17", "durable reports/s over gRPC ÷ the same call doing nothing", Bound.Least(0.25), Bound.Least(0.5), "beside a call's own cost: HTTP/2 and protobuf of a larger message and the way back to the caller (a third), deciding and folding (a fifth), sealing, token and digest (a tenth)");

    public static readonly Goal CellsAtParent = new(
        "cells", "cells of a child applied durably at a parent, a second", Bound.Least(25_000), Bound.Least(50_000), "judging, one journal record a part, and the fold");

    public static readonly Goal Reconnecting = new(
        "T8", "cells/s of 340 children applied durably, from the instant at which all are cut off, each with a backlog, until the last is back and as much is done as before ÷ the same 340 undisturbed", Bound.Least(0.8), Bound.Least(0.8), "340 handshakes with certificates, signers and hellos at both ends, which share the cores here, over the 10 s that the parent asks for (L14); above 1 where those that are back first have the parent to themselves and send larger parts");

    public static readonly Goal ReconnectingCpu = new(
        "T8", "the same: the parent's own processor time a cell", Bound.Most(1.25), Bound.Most(1.25), "as above, without what the children take");

    public static readonly Goal ReconnectingOne = new(
        "T8", "one child that comes back: ms of the parent's processor; in such a storm it takes this every 30 ms", Bound.Most(15), Bound.Most(3), "two P-256 signatures of TLS and two of the child's chains where they are not known yet, TLS and HTTP/2 of .NET, the hello");

    public static readonly Goal ReconnectingLast = new(
        "T8", "the same storm: seconds from the cut until the last child is back", Bound.Most(30), Bound.Most(12), "the 30 ms for each child that a parent asks its children to spread over; one with an alarm comes within a second");

    public static readonly Goal ParentRestarted = new(
        "T8", "the parent killed and started again: seconds from when it serves until the last of the 340 children is back", Bound.Most(75), Bound.Most(30), "the back-off that doubles while nobody answers, up to a minute; a child with an alarm dials at once");

    public static readonly Goal ImportRows = new(
        "import", "rows of the Boston file imported through the tool, a second", Bound.Least(5_000), Bound.Least(20_000), "the tool, gRPC, sealing and deciding of each row on two cores");

    public static readonly Goal MemoryOfMillion = new(
        "memory", "a node with 1 M cases, 50,000 of them open: resident MB after its restart", Bound.Most(1024), Bound.Most(512), "open cases as objects, request keys of 40 B, cells");
}
