using CityGrid.Hub.Journal;
using CityGrid.Node.Stored;
using CityGrid.Protocol.Names;
using Google.Protobuf;
using NodaTime;

namespace CityGrid.Node.Cases;

/// <summary>
/// Case events ⇄ their bytes in the journal. Pure; safe for many threads. Names that recur (types, divisions, sources) are read into shared
/// strings, so that a million cases do not keep a million copies.
/// </summary>
public static class CaseEventCodec
{
    /// <summary>
    /// The events of one case in one record, in order. <paramref name="previous"/> is the position of the case's last event before them
    /// (<see cref="CaseState.LastLsn"/>; zero for a new case). They must stand in the record side by side: each but the first says that the
    /// one before it is one position back.
    /// </summary>
    public static IReadOnlyList<EventDraft> Encode(IReadOnlyList<CaseEvent> events, Lsn previous)
    {
        var drafts = new EventDraft[events.Count];
        for (var i = 0; i < drafts.Length; i++)
        {
            var stored = StoredForm.Of(events[i]);
            if (i == 0)
            {
                stored.PreviousLsn = previous.Value;
            }
            else
            {
                stored.PreviousBack = 1;
            }

            var payload = new byte[stored.CalculateSize()];
            stored.WriteTo(payload);
            drafts[i] = new EventDraft(CaseEventKinds.Of(stored.BodyCase), CaseEventKinds.Schema, payload)
            {
                // A beginning is by far the most frequent event that the fold has no state for yet; all others it reads back from their bytes,
                // and of a reason the empty one comes back as none.
                Known = i == 0 && previous == Lsn.Zero && events[0] is Reported or Imported && events[0].Reason is null ? events[0] : null,
            };
        }

        return drafts;
    }

    /// <summary>
    /// The event at this place of the journal; null where it is not one of a case. Bytes that are none throw <see cref="FormatException"/>: the
    /// journal's checksums hold, so a program wrote them that is not this one.
    /// </summary>
    public static CaseEntry? Decode(in JournalEvent journalEvent)
    {
        if (!CaseEventKinds.IsCaseEvent(journalEvent.Kind))
        {
            return null;
        }

        if (journalEvent.Schema > CaseEventKinds.Schema)
        {
            throw new NewerFormatException($"The case event at {journalEvent.Lsn}", journalEvent.Schema, CaseEventKinds.Schema);
        }

        StoredCaseEvent stored;
        try
        {
            stored = StoredCaseEvent.Parser.ParseFrom(journalEvent.Payload.Span);
        }
        catch (InvalidProtocolBufferException e)
        {
            throw new FormatException($"The case event at {journalEvent.Lsn} cannot be read: {e.Message}", e);
        }

        if (stored.BodyCase == StoredCaseEvent.BodyOneofCase.None || CaseEventKinds.Of(stored.BodyCase) != journalEvent.Kind)
        {
            throw new FormatException($"The case event at {journalEvent.Lsn} has kind {journalEvent.Kind} and the body {stored.BodyCase}.");
        }

        try
        {
            var previous = stored.PreviousBack > 0 ? new Lsn(journalEvent.Lsn.Value - stored.PreviousBack) : new Lsn(stored.PreviousLsn);
            return new CaseEntry(LiveForm.Of(stored), new Stamp(journalEvent.Lsn, journalEvent.RecordedAt, journalEvent.Actor), previous);
        }
        catch (Exception e) when (e is ArgumentException or OverflowException)
        {
            throw new FormatException($"The case event at {journalEvent.Lsn} holds what is none: {e.Message}", e);
        }
    }

    internal static long Ms(Instant at) => at.ToUnixTimeMilliseconds();

    internal static Instant At(long milliseconds) => Instant.FromUnixTimeMilliseconds(milliseconds);
}
