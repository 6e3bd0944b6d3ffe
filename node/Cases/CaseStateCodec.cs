using System.Buffers.Binary;
using CityGrid.Node.Stored;
using CityGrid.Node.Tally;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;

namespace CityGrid.Node.Cases;

/// <summary>A case's state ⇄ the bytes of a view document or a snapshot. Pure; safe for many threads.</summary>
public static class CaseStateCodec
{
    /// <summary>Another version of the code that makes or reads states means that views and snapshots are made anew.</summary>
    public const int Version = 1;

    public static byte[] Write(CaseState s)
    {
        var stored = new StoredCaseState
        {
            Id = StoredForm.Bytes(s.Id.Value),
            Type = StoredForm.Type(s.Type),
            Division = s.Division.ToString(),
            Source = s.Source.ToString(),
            Stage = (int)s.Stage,
            Version = s.Version,
            LastLsn = s.LastLsn.Value,
            ReportedAt = CaseEventCodec.Ms(s.ReportedAt),
            ReportedDay = s.ReportedDay.Number,
            StepAt = CaseEventCodec.Ms(s.StepAt),
            Grade = (int)s.Grade,
            Summary = s.Summary ?? string.Empty,
            Filing = s.Filing is null ? null : FilingOf(s.Filing),
            End = s.End is null ? null : EndOf(s.End),
            Import = s.Import is null ? null : ImportOf(s.Import),
        };
        stored.Slots.AddRange(s.Slots);
        foreach (var request in s.Requests)
        {
            stored.Requests.Add(new StoredRequest { KeyHash = StoredForm.Bytes(request.KeyHash), Content = request.Content, Version = request.Version, Lsn = request.Lsn.Value });
        }

        foreach (var mark in s.Escalations)
        {
            stored.Escalations.Add(new StoredEscalationMark
            {
                Id = StoredForm.Bytes(mark.Id),
                Version = mark.Version,
                Rule = mark.Rule,
                Grade = (int)mark.Grade,
                Tier = (int)mark.Tier,
                State = (int)mark.State,
                RaisedAt = CaseEventCodec.Ms(mark.RaisedAt),
            });
        }

        foreach (var spot in s.EarlierSpots)
        {
            stored.EarlierSpots.Add(new StoredSpot { Type = StoredForm.Type(spot.Type), Division = spot.Division.ToString() });
        }

        foreach (ref readonly var one in s.Contributions.AsSpan())
        {
            stored.Contributions.Add(new StoredContribution { Segment = one.Segment, Id = one.Id, Day = one.DayNumber, Value = one.Value, Times = one.Times });
        }

        return stored.ToByteArray();
    }

    /// <summary>Bytes that are no case throw <see cref="FormatException"/>.</summary>
    public static CaseState Read(ReadOnlySpan<byte> bytes)
    {
        try
        {
            return StateOf(StoredCaseState.Parser.ParseFrom(bytes));
        }
        catch (Exception e) when (e is InvalidProtocolBufferException or ArgumentException or OverflowException)
        {
            throw new FormatException($"The state of a case cannot be read: {e.Message}", e);
        }
    }

    private static CaseState StateOf(StoredCaseState s) => new()
    {
        Id = CaseId.FromBytes(s.Id.Span),
        Type = LiveForm.Type(s.Type),
        Division = SharedNames.Division(s.Division),
        Source = SharedNames.Source(s.Source),
        Stage = (CaseStage)s.Stage,
        Version = s.Version,
        LastLsn = new Lsn(s.LastLsn),
        ReportedAt = CaseEventCodec.At(s.ReportedAt),
        ReportedDay = new StatDay(s.ReportedDay),
        StepAt = CaseEventCodec.At(s.StepAt),
        Grade = (EmergencyGrade)s.Grade,
        Summary = s.Summary.Length == 0 ? null : s.Summary,
        Filing = s.Filing is null ? null : FilingOf(s.Filing),
        End = s.End is { } end ? new EndState(CaseEventCodec.At(end.At), new StatDay(end.Day), end.HasInTime ? end.InTime : null, end.ElapsedSeconds) : null,
        Import = s.Import is null ? null : ImportOf(s.Import),
        Slots = [.. s.Slots],
        Requests = [.. s.Requests.Select(r => new KeptRequest(BinaryPrimitives.ReadUInt128BigEndian(r.KeyHash.Span), r.Content, r.Version, new Lsn(r.Lsn)))],
        Escalations =
        [
            .. s.Escalations.Select(m => new EscalationMark(
                BinaryPrimitives.ReadUInt128BigEndian(m.Id.Span), m.Version, m.Rule, (EmergencyGrade)m.Grade, (EscalationTier)m.Tier, (EscalationState)m.State, CaseEventCodec.At(m.RaisedAt))),
        ],
        EarlierSpots = [.. s.EarlierSpots.Select(p => new Spot(LiveForm.Type(p.Type), SharedNames.Division(p.Division)))],
        Contributions = [.. s.Contributions.Select(c => Contribution.Kept(checked((byte)c.Segment), checked((ushort)c.Id), new StatDay(c.Day), c.Value, checked((sbyte)c.Times)))],
    };

    private static StoredFiling FilingOf(FilingState f)
    {
        var stored = new StoredFiling
        {
            Row = f.Row,
            Limit = StoredForm.Limit(f.Limit),
            LimitIsDefault = f.LimitIsDefault,
            ClockSince = CaseEventCodec.Ms(f.ClockSince),
            Unit = f.Unit ?? string.Empty,
            HandledSeconds = f.HandledSeconds,
            HandledSegment = f.HandledSegment,
            Extensions = f.Extensions,
            Suspensions = f.Suspensions,
            SuspendedSeconds = f.SuspendedSeconds,
            SuspendedWorkedSeconds = f.SuspendedWorkedSeconds,
            OverdueDay = f.OverdueDay.Number,
            InOverdueStock = f.InOverdueStock,
            OverdueMultiple = f.OverdueMultiple,
            Handlers = { f.Handlers },
        };
        StoredForm.Set(f.FiledAt, v => stored.FiledAt = CaseEventCodec.Ms(v));
        StoredForm.Set(f.Deadline, v => stored.Deadline = CaseEventCodec.Ms(v));
        StoredForm.Set(f.HandledAt, v => stored.HandledAt = CaseEventCodec.Ms(v));
        StoredForm.Set(f.HandledInTime, v => stored.HandledInTime = v);
        StoredForm.Set(f.SuspendedAt, v => stored.SuspendedAt = CaseEventCodec.Ms(v));
        StoredForm.Set(f.SuspendedUntil, v => stored.SuspendedUntil = CaseEventCodec.Ms(v));
        StoredForm.Set(f.RemainingMilliseconds, v => stored.RemainingMs = v);
        StoredForm.Set(f.OverdueAt, v => stored.OverdueAt = CaseEventCodec.Ms(v));
        StoredForm.Set(f.NextStepAt, v => stored.NextStepAt = CaseEventCodec.Ms(v));
        return stored;
    }

    private static FilingState FilingOf(StoredFiling f) => new()
    {
        FiledAt = f.HasFiledAt ? CaseEventCodec.At(f.FiledAt) : null,
        Row = f.Row,
        Limit = f.Limit is { Count: > 0 } limit ? LiveForm.Limit(limit) : default,
        LimitIsDefault = f.LimitIsDefault,
        Deadline = f.HasDeadline ? CaseEventCodec.At(f.Deadline) : null,
        ClockSince = CaseEventCodec.At(f.ClockSince),
        Unit = f.Unit.Length == 0 ? null : f.Unit,
        Handlers = [.. f.Handlers],
        HandledAt = f.HasHandledAt ? CaseEventCodec.At(f.HandledAt) : null,
        HandledInTime = f.HasHandledInTime ? f.HandledInTime : null,
        HandledSeconds = f.HandledSeconds,
        HandledSegment = checked((byte)f.HandledSegment),
        Extensions = f.Extensions,
        Suspensions = f.Suspensions,
        SuspendedAt = f.HasSuspendedAt ? CaseEventCodec.At(f.SuspendedAt) : null,
        SuspendedUntil = f.HasSuspendedUntil ? CaseEventCodec.At(f.SuspendedUntil) : null,
        RemainingMilliseconds = f.HasRemainingMs ? f.RemainingMs : null,
        SuspendedSeconds = f.SuspendedSeconds,
        SuspendedWorkedSeconds = f.SuspendedWorkedSeconds,
        OverdueAt = f.HasOverdueAt ? CaseEventCodec.At(f.OverdueAt) : null,
        OverdueDay = new StatDay(f.OverdueDay),
        InOverdueStock = f.InOverdueStock,
        OverdueMultiple = f.OverdueMultiple,
        NextStepAt = f.HasNextStepAt ? CaseEventCodec.At(f.NextStepAt) : null,
    };

    private static StoredEnd EndOf(EndState end)
    {
        var stored = new StoredEnd { At = CaseEventCodec.Ms(end.At), Day = end.Day.Number, ElapsedSeconds = end.ElapsedSeconds };
        StoredForm.Set(end.InTime, v => stored.InTime = v);
        return stored;
    }

    private static StoredImportState ImportOf(ImportState import)
    {
        var stored = new StoredImportState
        {
            System = import.System,
            ExternalId = import.ExternalId,
            ContentHash = StoredForm.Bytes(import.ContentHash),
            Live = import.Live,
            WorkedHere = import.WorkedHere,
        };
        StoredForm.Set(import.DueAt, v => stored.DueAt = CaseEventCodec.Ms(v));
        StoredForm.Set(import.UpdatedAt, v => stored.UpdatedAt = CaseEventCodec.Ms(v));
        return stored;
    }

    private static ImportState ImportOf(StoredImportState import) => new(
        SharedNames.Word(import.System),
        import.ExternalId,
        Hash256.FromBytes(import.ContentHash.Span),
        import.HasDueAt ? CaseEventCodec.At(import.DueAt) : null,
        import.HasUpdatedAt ? CaseEventCodec.At(import.UpdatedAt) : null,
        import.Live,
        import.WorkedHere);
}
