using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using NodaTime;

namespace CityGrid.Tests.Journal;

/// <summary>Records to append, drawn from a seed.</summary>
internal static class Drafts
{
    public static readonly NodeId Node = NodeId.Parse("city-1");

    public static readonly Instant Noon = Instant.FromUtc(2026, 11, 24, 4, 0);

    public static RecordDraft Of(string actor, params byte[][] payloads) =>
        new(actor, [.. payloads.Select((payload, i) => new EventDraft((ushort)(1000 + i), 1, payload))]);

    /// <summary>One to three events with payloads of up to <paramref name="bytesMax"/> bytes, some of them all zeros.</summary>
    public static RecordDraft Drawn(SeededEntropy seed, int bytesMax)
    {
        var events = new EventDraft[1 + seed.Below(3)];
        for (var i = 0; i < events.Length; i++)
        {
            var payload = new byte[seed.Below(bytesMax + 1)];
            if (!seed.OneIn(4))
            {
                seed.Fill(payload);
            }

            events[i] = new((ushort)(1000 + seed.Below(20)), (ushort)seed.Below(4), payload);
        }

        return new($"actor-{seed.Below(5)}", events);
    }

    public static IReadOnlyList<RecordDraft> Batch(SeededEntropy seed, int recordsMax, int bytesMax) =>
        [.. Enumerable.Range(0, 1 + seed.Below(recordsMax)).Select(_ => Drawn(seed, bytesMax))];

    /// <summary>Everything of a record in one line, to compare by.</summary>
    public static string Text(JournalRecord record) =>
        $"{record.First}-{record.Last} {record.RecordedAt} {record.Actor} {record.PreviousHash} {record.Hash} "
        + string.Join(' ', record.Events.Select(e =>
            $"[{e.Lsn} {e.RecordFirst} {e.RecordLast} {e.RecordedAt} {e.Actor} {e.Kind} {e.Schema} {Convert.ToHexString(e.Payload.Span)}]"));

    /// <summary>What was appended, in one line, without what the journal adds to it.</summary>
    public static string Plain(RecordDraft draft) =>
        $"{draft.Actor} {string.Join(' ', draft.Events.Select(e => $"{e.Kind}/{e.Schema}:{Convert.ToHexString(e.Payload.Span)}"))}";

    public static string Plain(JournalRecord record) =>
        $"{record.Actor} {string.Join(' ', record.Events.Select(e => $"{e.Kind}/{e.Schema}:{Convert.ToHexString(e.Payload.Span)}"))}";
}
