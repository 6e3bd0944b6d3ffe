using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using CityGrid.Hub.Catalogue;
using CityGrid.Hub.Cells;
using CityGrid.Hub.Escalations;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Reception;
using CityGrid.Node.Cases;
using CityGrid.Node.Hosting;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using CityGrid.Protocol.Wire;
using CityGrid.Tests.Reception;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace CityGrid.Tests.Fuzz;

/// <summary>What comes over the link and the operator's gRPC port: messages, cell values, statements, certificates, and sequences of frames.</summary>
internal static class WireTargets
{
    private const string Own = "4201";

    private static readonly Lazy<ECDsa> Key = new(() => ECDsa.Create(ECCurve.NamedCurves.nistP256));

    public static IReadOnlyList<FuzzTarget> All { get; } =
    [
        new("link-frame", Shape.Protobuf, 2_000, () => [.. Frames().Select(frame => frame.ToByteArray())], LinkFrame) { Words = [Own, "42", "43", "wuhan", "hubei", "gb47678-2026", "all"], BytesPerByte = 20_000 },
        new("link-sequence", Shape.Bytes, 120, () => [Enumerable.Range(0, 800).Select(i => (byte)(i * 7 % 256)).ToArray()], LinkSequence) { BytesPerByte = 2_000_000 },
        new("cell-value", Shape.Bytes, 20_000, () => [[0, 0], Child.Value(5), Wide()], CellValueBytes),
        new("cells-part", Shape.Protobuf, 3_000, () => [.. Frames().Where(f => f.Cells is not null).Select(f => f.Cells.ToByteArray())], CellsPartBytes) { Words = [Own, "wuhan", "Asia/Shanghai"], BytesPerByte = 20_000 },
        new("package-chunk", Shape.Protobuf, 3_000, () => [.. Chunks().Select(chunk => chunk.ToByteArray())], PackageChunkBytes) { Words = ["ministry", "hubei"], BytesPerByte = 20_000 },
        new("package-envelope", Shape.Protobuf, 3_000, () => [.. Catalogue.Packages.Chain(2).Select(package => Catalogue.Packages.Enveloped(package, begins: true).ToByteArray())], PackageEnvelopeBytes) { Words = ["ministry", "wuhan", "CN", "4201", "gb47678-2026"], BytesPerByte = 20_000 },
        new("request-messages", Shape.Protobuf, 4_000, () => GoodRequests.Seeds(GoodRequests.Operators().Concat(GoodRequests.Childrens)), RequestMessage) { Words = [.. GoodRequests.Calls.Select(call => call.Name)], BytesPerByte = 20_000 },
        new("certificate-names", Shape.Bytes, 150, () => [Names("citygrid://node/wuhan", "citygrid://division/4201"), Names()], CertificateNames) { Words = ["citygrid://node/", "citygrid://division/", "hubei"], BytesPerByte = 100_000 },
        new("grpc-timeout", Shape.Text, 5_000, () => ["5S"u8.ToArray(), "99999999n"u8.ToArray()], input => $"{Admission.TimeoutOf(System.Text.Encoding.UTF8.GetString(input)) is null}"),
    ];

    private static List<ConnectRequest> Frames()
    {
        var child = new Child("wuhan", Own);
        var welcomed = new Parent("hubei", "42", Registers.Tempting);
        child.Join(welcomed);
        return
        [
            child.Hello(), child.Cut(0, 5, [child.Cell(3, 1), child.Cell(4, 2, "420111")]), child.Cut(0, 5, [child.Cell(3, 1)], 1, 2),
            child.Cut(0, 5, [], 1, 1, part => CellsPartCodec.Write(part, [child.Cell(3, 1, null, "jiangxia", grain: Grain.National)], [child.Statement(5)], [child.Node])),
            child.Cut(0, 5, [], 1, 1, part => CellsPartCodec.Write(part, [child.Cell(3, 1, grain: Grain.National)], [child.Statement(5) with { Matters = Matters.Of(["01", "x", Matters.Other])!, MattersSince = new Lsn(2) }], [])),
            child.Raise(0, 5, child.Escalation(3, 1), child.Escalation(4, 2)),
            child.Raise(long.MaxValue, long.MaxValue),
            child.Cut(long.MaxValue - 1, long.MaxValue, []),
        ];
    }

    /// <summary>
    /// One frame, from the child itself after its hello and before, and from another. Nothing throws, a division that is not the child's is never
    /// applied, and what was refused changes nothing.
    /// </summary>
    private static string LinkFrame(byte[] input)
    {
        if (Parsed(input, ConnectRequest.Descriptor, out var fault) is not ConnectRequest frame)
        {
            return fault;
        }

        var way = string.Empty;
        foreach (var (joined, stranger) in new[] { (true, false), (false, false), (true, true) })
        {
            var parent = new Parent("hubei", "42", Registers.Tempting);
            var child = new Child("wuhan", Own);
            if (joined)
            {
                child.Join(parent);
            }

            var peer = stranger ? new Child("xiantao", "429004").Peer : child.Peer;
            var before = parent.Head;
            var answer = parent.Take(peer, frame);
            FuzzTargets.Sound(answer.Number == frame.Number, "an answer has its frame's number");
            FuzzTargets.Sound(answer.FrameCase != ConnectResponse.FrameOneofCase.None, "each frame has one answer");
            FuzzTargets.Sound(answer.Refusal is null || answer.Refusal.Code == LinkRefusalCode.Fork || parent.Head == before, "what was refused is not recorded");
            FuzzTargets.Sound(!stranger || (parent.Cells.Count == 0 && parent.Escalations.Count == 0), "a stranger speaks for nobody");
            InItsPlace(parent);
            answer.ToByteArray();
            way += $"{answer.FrameCase} {answer.Refusal?.Code} {string.Join(',', (answer.Receipt?.Records ?? []).Select(r => r.Code).Distinct().Order(StringComparer.Ordinal))};";
        }

        return way;
    }

    /// <summary>Four bytes are a step of a child: 200 of them, good and bad, and then all that must hold does.</summary>
    private static string LinkSequence(byte[] program)
    {
        var parent = new Parent("hubei", "42", Registers.Tempting);
        var child = new Child("wuhan", Own);
        var ways = new SortedSet<string>(StringComparer.Ordinal);
        var mark = new Dictionary<long, long>();
        for (var i = 0; i + 3 < program.Length && i < 800; i += 4)
        {
            var (what, a, b, c) = (program[i] % 12, program[i + 1], program[i + 2], program[i + 3]);
            var from = parent.Reception.Child(child.Node)?.Cells.Mark.Lsn.Value ?? 0;
            var escalated = parent.Reception.Child(child.Node)?.Escalations.Mark.Lsn.Value ?? 0;
            child.Head = Math.Max(child.Head, Math.Max(from, escalated) + 10);
            ConnectRequest? frame = what switch
            {
                0 => child.Hello(),
                1 => child.Hello(hello => hello.LastEpoch = (a << 8) - b),
                2 or 3 => child.Cut(from, from + 1 + (a % 5), [child.Cell(from + 1, b, c % 2 == 0 ? null : "420111", day: 20_000 + (c % 40))]),
                4 => child.Cut(from, from + 4, [child.Cell(from + 1, a, "4301")], 1 + (b % 3), 3),
                5 => child.Raise(escalated, escalated + 1 + (a % 3), child.Escalation(escalated + 1, b, 1 + (c % 3))),
                6 => child.Cut(from, from, [], 1, 1, part => CellsPartCodec.Write(part, [], [child.Statement(from + a)], [])),
                7 => Bent(Frames()[a % 7], b, c),
                8 => child.Cut(Math.Max(0, from - a), from + b, [child.Cell(c, 1, null, "relayed")]),
                _ => null,
            };
            switch (what)
            {
                case 9:
                    parent.HangUp(child.Node);
                    child.Join9(parent, ways);
                    continue;
                case 10:
                    child.Incarnation = new Incarnation(a + 1UL);
                    child.History = $"life {a}";
                    child.Epoch = default;
                    parent.HangUp(child.Node);
                    child.Join9(parent, ways);
                    continue;
                case 11:
                    parent.Redrive(child.Node);
                    continue;
                default:
                    break;
            }

            var answer = parent.Take(child.Peer, frame!);
            ways.Add($"{answer.FrameCase} {answer.Refusal?.Code}");
            if (answer.Refusal?.Code == LinkRefusalCode.Fork)
            {
                parent.Apply(ReceptionEvents.ToEvent(new QuarantineChange(child.Node, true, string.Empty, string.Empty), parent.Settings.Node));
            }

            if (parent.Reception.Child(child.Node) is { } row)
            {
                FuzzTargets.Sound(row.Cells.Mark.Lsn.Value >= mark.GetValueOrDefault(row.Epoch.Number), "within an epoch a cursor never falls");
                mark[row.Epoch.Number] = row.Cells.Mark.Lsn.Value;
            }
        }

        InItsPlace(parent);
        AsTheJournalHasIt(parent);
        return string.Join(',', ways);
    }

    private static void Join9(this Child child, Parent parent, SortedSet<string> ways)
    {
        var answer = parent.Take(child.Peer, child.Hello());
        ways.Add($"hello {answer.FrameCase} {answer.Refusal?.Code}");
        if (answer.Welcome is { } welcome)
        {
            child.Epoch = new Epoch(welcome.ChildEpoch, welcome.ChildEpochNonce);
        }
    }

    private static ConnectRequest Bent(ConnectRequest good, byte at, byte to)
    {
        var bytes = good.ToByteArray();
        bytes[at % bytes.Length] = to;
        return Parsed(bytes, ConnectRequest.Descriptor, out _) as ConnectRequest ?? good;
    }

    /// <summary>INV-29 after the fact: whatever came, no cell of another place is held.</summary>
    private static void InItsPlace(Parent parent)
    {
        foreach (var row in parent.Cells.ChangedSince(Lsn.Zero, parent.Head))
        {
            FuzzTargets.Sound(parent.Settings.Register.IsAtOrBelow(row.Key.Division, DivisionCode.Parse(Own)), $"a cell of {row.Key.Division} is held");
        }
    }

    /// <summary>The folds are functions of the journal: another that reads it stands the same.</summary>
    private static void AsTheJournalHasIt(Parent parent)
    {
        var cells = new CellFold();
        var reception = new ReceptionFold(cells);
        var escalations = new EscalationFold(parent.Settings.Node);
        foreach (var journalEvent in parent.Journal.SelectMany(record => record.Events))
        {
            reception.Apply(journalEvent);
            escalations.Apply(journalEvent);
        }

        FuzzTargets.Sound(cells.Whole(Grain.Detail, Grain.National) == parent.Cells.Whole(Grain.Detail, Grain.National), "the cells are those of the journal");
        FuzzTargets.Sound(escalations.Count == parent.Escalations.Count, "the escalations are those of the journal");
        FuzzTargets.Sound(reception.ParkedInAll == parent.Reception.ParkedInAll && reception.RefusedInAll == parent.Reception.RefusedInAll, "what is kept aside is that of the journal");
    }

    /// <summary>The reader of clause C4 and another, written from the clause alone, agree on every input; and what is read is written as it was.</summary>
    private static string CellValueBytes(byte[] input)
    {
        var value = CellCodec.Decode(input, out var refusal);
        var plain = PlainCellValue.Read(input);
        FuzzTargets.Sound(value is null == plain is null, $"the codec says {refusal?.Message ?? "good"}, the plain reader {(plain is null ? "no value" : "good")}");
        FuzzTargets.Sound(value is null == refusal is not null && CellCodec.IsCanonical(input) == value is not null, "one answer, three ways to ask");
        if (value is null)
        {
            return "none";
        }

        FuzzTargets.Sound(CellCodec.Encode(value).AsSpan().SequenceEqual(input), "it is written as it was read");
        FuzzTargets.Sound(PlainCellValue.Write(plain!).AsSpan().SequenceEqual(input), "and so the plain one");
        return $"{Math.Min(value.Counters.Count, 4)} {Math.Min(value.Histograms.Count, 4)}";
    }

    private static List<PackageChunk> Chunks()
    {
        var package = Catalogue.Packages.Of(1, Hash256.Zero);
        var parcel = new PackageParcel(Catalogue.Packages.NameOf(package), Catalogue.Packages.Enveloped(package).ToByteArray());
        var whole = PackageFeed.Step(PackageFeed.Start(new PackagesHeard([], [])), new PackageFeedInput.ParcelReady(parcel), Catalogue.Packages.Now).Send!;
        var half = whole.Clone();
        half.Content = ByteString.CopyFrom(whole.Content.Span[..(whole.Content.Length / 2)]);
        return [whole, half];
    }

    /// <summary>A chunk on its own, and behind a good one: no more is kept than came, and what is whole can be judged.</summary>
    private static string PackageChunkBytes(byte[] input)
    {
        if (Parsed(input, PackageChunk.Descriptor, out var fault) is not PackageChunk chunk || !PackageName.TryRead(chunk.Package, out var name))
        {
            return fault ?? "no name";
        }

        var assembly = new PackageAssembly();
        var before = Chunks()[1];
        var way = string.Empty;
        foreach (var one in new[] { chunk, before, chunk, chunk })
        {
            var envelope = assembly.Add(name, one);
            FuzzTargets.Sound(assembly.Have <= 4 * (chunk.Content.Length + before.Content.Length), "no more is kept than came");
            way += envelope is null ? $"{Math.Min(assembly.Have, 1)}" : PackageJudge.Judge(Catalogue.Packages.Wuhan, new PackageFold(), name, envelope, Catalogue.Packages.Now).Outcome.ToString();
        }

        return way;
    }

    /// <summary>An envelope under its own hash: what is decided is one event, and what a snapshot keeps of it is the same.</summary>
    private static string PackageEnvelopeBytes(byte[] input)
    {
        if (Parsed(input, PackageEnvelope.Descriptor, out var fault) is not PackageEnvelope envelope)
        {
            return fault;
        }

        var content = PackageFile.Parse(envelope.Package);
        var issuer = content is not null && NodeId.TryParse(content.Issuer, out var stated) ? stated : NodeId.Parse("ministry");
        var name = new PackageName(issuer, Math.Max(1, content?.Number ?? 1), Hash256.Of(envelope.Package.Span));
        var fold = new PackageFold();
        var verdict = PackageJudge.Judge(Catalogue.Packages.Wuhan, fold, name, envelope, Catalogue.Packages.Now);
        if (verdict is { Outcome: PackageOutcome.Taken } or { Outcome: PackageOutcome.Refused, IsOfPackage: true })
        {
            fold.Apply(Catalogue.Packages.Event(1, PackageFold.ReceivedEvent(name, envelope, NodeId.Parse("hubei"), NodeId.Parse("wuhan"), verdict.Refusal)));
            FuzzTargets.Sound(PackageJudge.Judge(Catalogue.Packages.Wuhan, fold, name, envelope, Catalogue.Packages.Now).Outcome == PackageOutcome.Known, "what was decided is known");
            using var saved = new MemoryStream();
            fold.Save(saved);
            saved.Position = 0;
            var loaded = new PackageFold();
            loaded.Load(saved);
            FuzzTargets.Sound(loaded.Packages.Select(p => p.Name).SequenceEqual(fold.Packages.Select(p => p.Name)) && loaded.Editions.Count == fold.Editions.Count, "a snapshot keeps what was decided");
        }

        return $"{verdict.Outcome} {verdict.Refusal?.Code} {fold.Editions.Count}";
    }

    private static byte[] Wide()
    {
        var draft = new CellDraft();
        draft.Add(1, long.MaxValue);
        draft.Add(6, -1);
        draft.Add(300, 7);
        draft.AddDuration(1, 3600, 2);
        draft.AddBucket(3, 723, 5);
        return draft.ToBytes();
    }

    private static string CellsPartBytes(byte[] input)
    {
        if (Parsed(input, CellsPart.Descriptor, out var fault) is not CellsPart part)
        {
            return fault;
        }

        var reading = CellsPartCodec.Read(part);
        if (reading.Fault is { } refused)
        {
            return refused.Code;
        }

        FuzzTargets.Sound(reading.Cells.Count + reading.Refused.Count == part.Cells.Count, "each cell is read or refused");
        var written = new CellsPart();
        CellsPartCodec.Write(written, reading.Cells.Select(c => c.Row), reading.Watermarks, reading.CompleteOrigins);
        var again = CellsPartCodec.Read(written);
        FuzzTargets.Sound(again.Cells.Select(c => (c.Row.Key, c.Row.Revision)).SequenceEqual(reading.Cells.Select(c => (c.Row.Key, c.Row.Revision))), "cells are written as they were read");
        FuzzTargets.Sound(again.Watermarks.SequenceEqual(reading.Watermarks) && again.CompleteOrigins.SequenceEqual(reading.CompleteOrigins), "and statements");
        return $"{Math.Min(reading.Cells.Count, 3)} {Math.Min(reading.Refused.Count, 3)} {reading.Watermarks.Count > 0}";
    }

    /// <summary>Bounds and parser of a call's request agree with the library's own parser; what is read is written as it was, in the canonical order.</summary>
    private static string RequestMessage(byte[] input)
    {
        if (NamedInput.Read(input) is not var (name, bytes) || GoodRequests.Calls.SingleOrDefault(call => call.Name == name)?.InputType is not { } type)
        {
            return "no call";
        }

        var message = Parsed(bytes, type, out var fault);
        if (message is null)
        {
            return fault;
        }

        FuzzTargets.Sound(type.Parser.ParseFrom(message.ToByteArray()).Equals(message), "it is read as it was written");
        new ContentDigest(new byte[32]).Of(message, "request_key");
        return $"{name} {message.CalculateSize() > 0}";
    }

    private static string CertificateNames(byte[] input)
    {
        var request = new CertificateRequest("CN=someone", Key.Value, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509Extension("2.5.29.17", input, false));
        var day = new DateTimeOffset(2026, 11, 24, 0, 0, 0, TimeSpan.Zero);
        using var certificate = request.Create(new X500DistinguishedName("CN=ca"), X509SignatureGenerator.CreateForECDsa(Key.Value), day, day.AddDays(1), [1]);
        var names = PeerCertificate.NamesIn(certificate);
        var judged = PeerCertificate.Read(certificate, [], PeerUse.Client, day.AddHours(1), out var refusal);
        FuzzTargets.Sound(judged is null && refusal is not null, "what no authority of ours made is never taken");
        return names is null ? "none" : $"{names.Node.ToString() == "wuhan"} {Math.Min(names.Divisions.Count, 3)}";
    }

    private static byte[] Names(params string[] uris)
    {
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            foreach (var uri in uris)
            {
                writer.WriteCharacterString(UniversalTagNumber.IA5String, uri, new Asn1Tag(TagClass.ContextSpecific, 6));
            }

            writer.WriteCharacterString(UniversalTagNumber.IA5String, "example.org", new Asn1Tag(TagClass.ContextSpecific, 2));
        }

        return writer.Encode();
    }

    /// <summary>As a call's request is read: the bounds, and then the parser. What the bounds pass costs the parser no stack and little memory.</summary>
    private static IMessage? Parsed(byte[] bytes, MessageDescriptor type, out string fault)
    {
        if (MessageBounds.Fault(bytes, type) is { } bound)
        {
            fault = FuzzTargets.Shortened(bound);
            return null;
        }

        try
        {
            fault = string.Empty;
            return type.Parser.ParseFrom(bytes);
        }
        catch (InvalidProtocolBufferException)
        {
            fault = "no message";
            return null;
        }
    }
}

/// <summary>Clause C4 read as it stands there, slowly and without any code of the product.</summary>
internal static class PlainCellValue
{
    public static (List<(int Id, long Value)> Counters, List<(int Id, List<(int Index, long Count)> Buckets)> Histograms)? Read(byte[] bytes)
    {
        var at = 0;
        var good = bytes.Length <= 32768;
        ulong Next()
        {
            UInt128 value = 0;
            for (var i = 0; good; i++)
            {
                if (at >= bytes.Length || i >= 10)
                {
                    break;
                }

                var b = bytes[at++];
                value |= (UInt128)(b & 0x7F) << (7 * i);
                if (b < 128)
                {
                    // The shortest form, and 64 bits.
                    good &= (i == 0 || b != 0) && value <= ulong.MaxValue;
                    return good ? (ulong)value : 0;
                }
            }

            good = false;
            return 0;
        }

        long Signed()
        {
            var raw = Next();
            var value = raw % 2 == 0 ? (long)(raw / 2) : -(long)(raw / 2) - 1;
            good &= value != 0;
            return value;
        }

        int Rise(int last, bool mayStay)
        {
            var gap = Next();
            good &= gap <= 65535 && (gap > 0 || mayStay) && last + (int)gap <= 65535;
            return good ? last + (int)gap : 0;
        }

        var counters = new List<(int, long)>();
        var histograms = new List<(int, List<(int, long)>)>();
        var n = Next();
        for (var id = 0; n > 0 && good; n--)
        {
            id = Rise(id, mayStay: false);
            counters.Add((id, Signed()));
        }

        var h = Next();
        for (var id = 0; h > 0 && good; h--)
        {
            id = Rise(id, mayStay: false);
            var buckets = new List<(int, long)>();
            var b = Next();
            good &= b > 0;
            for (var index = -1; b > 0 && good; b--)
            {
                index = index < 0 ? Rise(0, mayStay: true) : Rise(index, mayStay: false);
                buckets.Add((index, Signed()));
            }

            histograms.Add((id, buckets));
        }

        return good && at == bytes.Length ? (counters, histograms) : null;
    }

    public static byte[] Write((List<(int Id, long Value)> Counters, List<(int Id, List<(int Index, long Count)> Buckets)> Histograms)? value)
    {
        var bytes = new List<byte>();
        void Put(ulong number)
        {
            for (; number > 127; number /= 128)
            {
                bytes.Add((byte)((number % 128) + 128));
            }

            bytes.Add((byte)number);
        }

        void Signed(long number) => Put(number >= 0 ? (ulong)number * 2 : ((ulong)(-(number + 1)) * 2) + 1);
        var (counters, histograms) = value!.Value;
        Put((ulong)counters.Count);
        var last = 0;
        foreach (var (id, count) in counters)
        {
            Put((ulong)(id - last));
            Signed(count);
            last = id;
        }

        Put((ulong)histograms.Count);
        last = 0;
        foreach (var (id, buckets) in histograms)
        {
            Put((ulong)(id - last));
            Put((ulong)buckets.Count);
            last = id;
            var before = -1;
            foreach (var (index, count) in buckets)
            {
                Put((ulong)(before < 0 ? index : index - before));
                Signed(count);
                before = index;
            }
        }

        return [.. bytes];
    }
}
