using System.Buffers.Binary;
using System.Globalization;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Hub.Storage;
using CityGrid.Node.Cases;
using CityGrid.Node.Stored;
using CityGrid.Protocol.Names;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Tests.Fuzz;

/// <summary>What a node wrote itself and reads again: events, by their codec and by the folds; cases; images of folds, as a start reads them; the pages of a shelf; and the life of a directory.</summary>
internal static class KeptTargets
{
    private const string Shelf = "cases-2026-11";

    private static readonly Instant Noon = Instant.FromUtc(2026, 11, 24, 4, 0);
    private static readonly Incarnation Lineage = new(77);
    private static readonly LiteViewOptions FewPages = new() { CheckpointPages = 12 };

    private static readonly Lazy<IReadOnlyDictionary<string, IReadOnlyList<FoldImage>>> Images = new(() => StoredEvents.Grounds.ToDictionary(ground => ground.Key, ground => MadeImages(ground.Value)));
    private static readonly Lazy<(ModelDisk Disk, IReadOnlyList<IReadOnlyDictionary<UInt128, ViewDocument>> At)> Shelved = new(MadeShelf);
    private static readonly Lazy<byte[]> Life = new(() =>
    {
        var disk = new ModelDisk();
        disk.CreateFolder(JournalFiles.Folder);
        DirectoryLife.Begin(disk, new Incarnation(99));
        return disk.Bytes(DirectoryLife.Path);
    });

    public static IReadOnlyList<FuzzTarget> All { get; } =
    [
        new("case-event", Shape.Protobuf, 5_000, () => [.. StoredEvents.All.Where(one => CaseEventKinds.IsCaseEvent(one.Kind)).Select(one => one.Payload)], CaseEventBytes) { Words = ["gb47678-2026", "330102", "hotline", "01001"] },
        new("case-state", Shape.Protobuf, 5_000, () => [.. States().Select(CaseStateCodec.Write)], CaseStateBytes) { Words = ["gb47678-2026", "330102", "hotline", "01001"] },
        new("fold-event", Shape.Protobuf, 1_000, () => [.. StoredEvents.All.Select(one => NamedInput.Of($"{one.Node} {one.Kind}", one.Payload))], FoldEvent) { Words = ["city-1-1", "city-1-2", "province-1", "ministry"], BytesPerByte = 40_000 },
        new("snapshot-image", Shape.Protobuf, 1_500, () => [.. Images.Value.SelectMany(node => node.Value.Select(image => NamedInput.Of($"{node.Key} {image.Name}", image.Bytes.Span)))], SnapshotImage) { BytesPerByte = 40_000 },
        new("page-file", Shape.Bytes, 100, PageChanges, PageFile) { BytesPerByte = 1_000_000 },
        new("directory-life", Shape.Bytes, 5_000, () => [Life.Value], DirectoryLifeBytes) { Mend = MendLife },
    ];

    /// <summary>An event of a case, under the kind that its body is of and under another: it is read, and is then written and read again as what it was, or refused.</summary>
    private static string CaseEventBytes(byte[] input)
    {
        var way = string.Empty;
        foreach (var kind in new[] { KindOf(input), CaseEventKinds.Reported })
        {
            try
            {
                var entry = CaseEventCodec.Decode(EventOf(kind, input))!;
                var written = CaseEventCodec.Encode([entry.Event], entry.PreviousLsn)[0].Payload;
                var again = CaseEventCodec.Decode(EventOf(kind, written))!;
                FuzzTargets.Sound(CaseEventCodec.Encode([again.Event], again.PreviousLsn)[0].Payload.Span.SequenceEqual(written.Span), "what was read is written as it is");
                way += $"{kind} ";
            }
            catch (FormatException refused)
            {
                way += $"{kind} {FuzzTargets.Shortened(refused.Message)} ";
            }
        }

        return way;
    }

    private static ushort KindOf(byte[] payload)
    {
        try
        {
            var body = StoredCaseEvent.Parser.ParseFrom(payload).BodyCase;
            return body == StoredCaseEvent.BodyOneofCase.None ? CaseEventKinds.Filed : CaseEventKinds.Of(body);
        }
        catch (InvalidProtocolBufferException)
        {
            return CaseEventKinds.Filed;
        }
    }

    private static JournalEvent EventOf(ushort kind, ReadOnlyMemory<byte> payload) => new(new Lsn(100), new Lsn(100), new Lsn(100), Noon, "desk", kind, CaseEventKinds.Schema, payload);

    private static IEnumerable<CaseState> States()
    {
        foreach (var record in StoredEvents.Grounds["city-1-1"].Records)
        {
            CaseState? state = null;
            foreach (var entry in record.Events.Select(one => CaseEventCodec.Decode(one)).OfType<CaseEntry>().Where(entry => entry.PreviousLsn == Lsn.Zero || state is not null))
            {
                state = CaseState.Apply(entry.PreviousLsn == Lsn.Zero ? null : state, entry.Event, entry.Stamp);
                yield return state;
            }
        }
    }

    /// <summary>A case as a view document or an image has it: what is read is written and read again as what it was.</summary>
    private static string CaseStateBytes(byte[] input)
    {
        try
        {
            var state = CaseStateCodec.Read(input);
            var written = CaseStateCodec.Write(state);
            FuzzTargets.Sound(CaseStateCodec.Write(CaseStateCodec.Read(written)).AsSpan().SequenceEqual(written), "what was read is written as it is");
            return $"{state.Stage} {state.Filing is null} {state.End is null} {state.Import is null}";
        }
        catch (FormatException refused)
        {
            return FuzzTargets.Shortened(refused.Message);
        }
    }

    /// <summary>
    /// The last event of a journal is another than its kind says. Whatever the folds make of it is told; the node starts, takes a change, and what it keeps in a snapshot is read at the next start.
    /// </summary>
    private static string FoldEvent(byte[] input)
    {
        if (NamedInput.Read(input) is not var (name, payload) || name.Split(' ') is not [var node, var number] || !StoredEvents.Grounds.TryGetValue(node, out var ground)
            || !ushort.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var kind) || !StoredEvents.Kinds.Contains(kind))
        {
            return "nobody's";
        }

        using var journal = JournalOf(ground);
        journal.Append([new RecordDraft("desk", [new EventDraft(kind, 1, payload)])], Noon);
        var told = new List<(string Fold, Exception Failure)>();
        using var sequencer = new Sequencer(journal, ground.FoldsOver(journal), TimeProvider.System) { FoldFailed = (fold, _, failure) => told.Add((fold.Name, failure)) };
        sequencer.Recover();
        foreach (var (fold, failure) in told)
        {
            FuzzTargets.Sound(failure is not (NullReferenceException or IndexOutOfRangeException), $"{fold} refuses and does not stumble: {failure}");
        }

        var answered = false;
        sequencer.Submit(new Note { Actor = "desk" }, _ => answered = true);
        while (sequencer.Pump())
        {
        }

        FuzzTargets.Sound(answered && sequencer.StoppedBy is null, "the node takes a change");
        sequencer.SaveSnapshot();
        using var next = new Sequencer(journal, ground.FoldsOver(journal), TimeProvider.System);
        FuzzTargets.Sound(next.Recover() == 0, "the next start reads the snapshot");
        return $"{kind} {string.Join(' ', told.Select(one => $"{one.Fold} {one.Failure.GetType().Name}"))}";
    }

    private static MemoryJournal JournalOf(Ground ground)
    {
        var journal = new MemoryJournal(new SeededEntropy(4));
        foreach (var record in ground.Records)
        {
            journal.Append([new RecordDraft(record.Actor, [.. record.Events.Select(one => new EventDraft(one.Kind, one.Schema, one.Payload))])], record.RecordedAt);
        }

        return journal;
    }

    private sealed class Note : Command<bool>
    {
        public override IReadOnlyCollection<Touched> Touches => [];

        public override Decision<bool> Decide(Instant now) => Decision<bool>.Of(new RecordDraft("desk", [new EventDraft(CaseEventKinds.PersonalRead, 1, new StoredPersonalRead().ToByteArray())]), _ => true);
    }

    private static IReadOnlyList<FoldImage> MadeImages(Ground ground)
    {
        using var journal = JournalOf(ground);
        using var sequencer = new Sequencer(journal, ground.FoldsOver(journal), TimeProvider.System);
        sequencer.Recover();
        sequencer.SaveSnapshot();
        return journal.LoadSnapshot()!.Folds;
    }

    /// <summary>One image of a whole snapshot is another than was saved: a start reads it or says which fold cannot, and then the journal alone brings the node up.</summary>
    private static string SnapshotImage(byte[] input)
    {
        if (NamedInput.Read(input) is not var (name, bytes) || name.Split(' ') is not [var node, var changed] || !StoredEvents.Grounds.TryGetValue(node, out var ground) || Images.Value[node].All(image => image.Name != changed))
        {
            return "nobody's";
        }

        using var journal = JournalOf(ground);
        journal.SaveSnapshot(journal.Head.Lsn, [.. Images.Value[node].Select(image => image.Name == changed ? image with { Bytes = bytes } : image)]);
        try
        {
            using var sequencer = new Sequencer(journal, ground.FoldsOver(journal), TimeProvider.System);
            FuzzTargets.Sound(sequencer.Recover() == 0, "nothing is replayed behind a snapshot that was read");
            return $"{changed} read";
        }
        catch (FoldImageException unreadable)
        {
            var told = 0;
            using var sequencer = new Sequencer(journal, ground.FoldsOver(journal), TimeProvider.System) { FoldFailed = (_, _, _) => told++ };
            FuzzTargets.Sound(sequencer.Recover(replaysAll: true) == journal.Head.Lsn.Value && told == 0, "the journal brings up what the snapshot does not");
            return $"{changed} {unreadable.InnerException!.GetType().Name}";
        }
    }

    /// <summary>A shelf as a kill leaves it: pages in the data file, and newer ones in the log.</summary>
    private static (ModelDisk, IReadOnlyList<IReadOnlyDictionary<UInt128, ViewDocument>>) MadeShelf()
    {
        var disk = new ModelDisk();
        var at = new List<IReadOnlyDictionary<UInt128, ViewDocument>> { new Dictionary<UInt128, ViewDocument>() };
        using var store = new LiteViewStore(disk, Lineage, FewPages);
        for (var lsn = 1; lsn <= 9; lsn++)
        {
            ViewDocument[] documents = [.. Enumerable.Range(lsn, 3).Select(id => new ViewDocument((UInt128)id, new Lsn(lsn), Enumerable.Repeat((byte)lsn, 400 * id).ToArray()))];
            var next = new Dictionary<UInt128, ViewDocument>(at[^1]);
            Array.ForEach(documents, document => next[document.Id] = document);
            at.Add(next);
            store.Apply(Shelf, documents, new Lsn(lsn));
        }

        return (disk.Copy(), at);
    }

    /// <summary>Files as they are; a page that was changed and one that is cut; and headers of another format, kind, state, lineage and number of durable pages.</summary>
    private static IReadOnlyList<byte[]> PageChanges() =>
    [
        [0, 0], [1, 0], [0, 0, 0, 33, 0, 0, 2, 7, 7], [1, 0, 9, 40, 0, 0, 0],
        [0, 1, 8, 0, 0, 0, 1, 2], [0, 1, 10, 0, 0, 0, 1, 2], [0, 1, 12, 0, 0, 0, 1, 1], [1, 1, 16, 0, 0, 0, 1, 0], [1, 1, 32, 0, 0, 0, 8, 255, 255, 255, 255, 255, 255, 255, 127],
    ];

    /// <summary>
    /// The first byte says which file, the second whether its header is mended; then come changes: an offset of four bytes, a length, and what stands there. An offset past the end cuts the file there. The
    /// shelf answers with what was there at the position that it names, or is put aside; then it can be made anew.
    /// </summary>
    private static string PageFile(byte[] input)
    {
        if (input.Length < 2)
        {
            return "empty";
        }

        var (whole, at) = Shelved.Value;
        var disk = whole.Copy();
        var path = $"views/{Shelf}{(input[0] % 2 == 0 ? ".db" : ".log")}";
        Rewrite(disk, path, input[1] % 2 == 1, input.AsSpan(2));
        var way = string.Empty;
        using var store = new LiteViewStore(disk, Lineage, FewPages with { PutAside = (_, _, why) => way += FuzzTargets.Shortened(why.Message) });
        try
        {
            var applied = store.AppliedLsn(Shelf);
            FuzzTargets.Sound(applied.Value < at.Count, $"nothing was ever applied up to {applied}");
            var found = ViewVerifier.All(store, Shelf).ToDictionary(document => document.Id);
            var expected = at[(int)applied.Value];
            FuzzTargets.Sound(found.Keys.Order().SequenceEqual(expected.Keys.Order()) && found.Values.All(document => document.Lsn == expected[document.Id].Lsn && document.Bytes.Span.SequenceEqual(expected[document.Id].Bytes.Span)), $"what is read is what was there at {applied}");
            way += $" at {applied}";
        }
        catch (ShelfDamagedException)
        {
            FuzzTargets.Sound(store.AppliedLsn(Shelf) == Lsn.Zero, "a shelf that is put aside stands nowhere");
        }
        catch (NewerFormatException)
        {
            return "newer";
        }

        store.Drop(Shelf);
        store.Apply(Shelf, [at[1].Values.First()], new Lsn(1));
        FuzzTargets.Sound(store.AppliedLsn(Shelf) == new Lsn(1) && store.Page(Shelf, UInt128.Zero, 10).Count == 1, "a shelf is made anew");
        return way;
    }

    private static void Rewrite(ModelDisk disk, string path, bool mendsHeader, ReadOnlySpan<byte> changes)
    {
        using var file = disk.Open(path, DiskAccess.ReadWrite);
        while (changes.Length >= 5)
        {
            var (offset, length) = (BinaryPrimitives.ReadUInt32LittleEndian(changes), Math.Min(changes[4], changes.Length - 5));
            if (length == 0 || offset + length > file.Length)
            {
                file.Truncate(offset % (file.Length + 1));
            }
            else
            {
                file.Write(offset, changes.Slice(5, length));
            }

            changes = changes[(5 + length)..];
        }

        if (mendsHeader && file.Length >= 44)
        {
            var header = new byte[44];
            file.Read(0, header);
            BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(40), Crc32C.Of(header.AsSpan(0, 40)));
            file.Write(0, header);
        }

        file.Sync();
    }

    /// <summary>A directory leads the life that was written, or is damaged.</summary>
    private static string DirectoryLifeBytes(byte[] input)
    {
        var disk = new ModelDisk();
        disk.CreateFolder(JournalFiles.Folder);
        using (var file = disk.Open(DirectoryLife.Path, DiskAccess.CreateNew))
        {
            file.Write(0, input);
        }

        try
        {
            var life = DirectoryLife.Read(disk);
            FuzzTargets.Sound(life is not null, "a directory with a life of its own has it");
            DirectoryLife.Begin(disk, life!.Value);
            FuzzTargets.Sound(disk.Bytes(DirectoryLife.Path).AsSpan().SequenceEqual(input), "what was read is written as it was");
            return life == new Incarnation(99) ? "the life that it began" : "another life";
        }
        catch (JournalDamagedException damaged)
        {
            return FuzzTargets.Shortened(damaged.What);
        }
    }

    private static byte[] MendLife(byte[] bytes)
    {
        var mended = (byte[])bytes.Clone();
        if (mended.Length >= 28)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(mended.AsSpan(24), Crc32C.Of(mended.AsSpan(0, 24)));
        }

        return mended;
    }
}
