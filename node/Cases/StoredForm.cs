using System.Buffers.Binary;
using CityGrid.Hub.Catalogue;
using CityGrid.Node.Stored;
using CityGrid.Protocol.Names;
using Google.Protobuf;
using static CityGrid.Node.Cases.CaseEventCodec;

namespace CityGrid.Node.Cases;

/// <summary>Events into stored messages.</summary>
internal static class StoredForm
{
    public static StoredCaseEvent Of(CaseEvent happened)
    {
        var stored = new StoredCaseEvent
        {
            CaseId = UnsafeByteOperations.UnsafeWrap(happened.Case.ToBytes()),
            OccurredAt = Ms(happened.OccurredAt),
            Day = happened.Day.Number,
            Reason = happened.Reason ?? string.Empty,
        };
        if (happened.Request is { } request)
        {
            stored.RequestHash = Bytes(request.KeyHash);
            stored.RequestContent = request.Content;
        }

        if (happened.Sealed is { } part)
        {
            stored.Sealed = new Sealed { Slot = part.Slot, Box = UnsafeByteOperations.UnsafeWrap(part.Box) };
        }

        SetBody(stored, happened);
        return stored;
    }

    private static void SetBody(StoredCaseEvent stored, CaseEvent happened)
    {
        switch (happened)
        {
            case Reported e:
                stored.Reported = new StoredReported
                {
                    Type = Type(e.Type),
                    Division = e.Division.ToString(),
                    Source = e.Source.ToString(),
                    Grade = (int)e.Grade,
                    Summary = e.Summary ?? string.Empty,
                };
                break;
            case PreFilingChecked e:
                stored.PreFilingChecked = new StoredPreFilingChecked { Passed = e.Passed };
                break;
            case Filed e:
                stored.Filed = new StoredFiled
                {
                    Type = Type(e.Type),
                    Row = e.Row,
                    Limit = Limit(e.Limit),
                    LimitIsDefault = e.LimitIsDefault,
                    Deadline = Ms(e.Deadline),
                    ElapsedSeconds = e.ElapsedSeconds,
                };
                break;
            case Dispatched e:
                stored.Dispatched = new StoredDispatched { Unit = e.Unit };
                break;
            case HandlingFinished e:
                stored.HandlingFinished = new StoredHandlingFinished { ElapsedSeconds = e.ElapsedSeconds, WorkedSeconds = e.WorkedSeconds };
                Set(e.InTime, v => stored.HandlingFinished.InTime = v);
                break;
            case PreClosingChecked e:
                stored.PreClosingChecked = new StoredPreClosingChecked { Passed = e.Passed };
                break;
            case Closed e:
                stored.Closed = new StoredClosed { ElapsedSeconds = e.ElapsedSeconds, WorkedSeconds = e.WorkedSeconds };
                Set(e.InTime, v => stored.Closed.InTime = v);
                break;
            case Voided:
                stored.Voided = new StoredVoided();
                break;
            case Returned e:
                stored.Returned = new StoredReturned { Unit = e.Unit };
                break;
            case Reworked:
                stored.Reworked = new StoredReworked();
                break;
            case Extended e:
                stored.Extended = new StoredExtended { Deadline = Ms(e.Deadline) };
                break;
            case Suspended e:
                stored.Suspended = new StoredSuspended { Until = Ms(e.Until) };
                Set(e.RemainingMilliseconds, v => stored.Suspended.RemainingMs = v);
                break;
            case Resumed e:
                stored.Resumed = new StoredResumed { ByItself = e.ByItself, SuspendedWorkedSeconds = e.SuspendedWorkedSeconds };
                Set(e.Deadline, v => stored.Resumed.Deadline = Ms(v));
                Set(e.NextStepAt, v => stored.Resumed.NextStepAt = Ms(v));
                break;
            case Reopened:
                stored.Reopened = new StoredReopened();
                break;
            default:
                SetRarerBody(stored, happened);
                break;
        }
    }

    private static void SetRarerBody(StoredCaseEvent stored, CaseEvent happened)
    {
        switch (happened)
        {
            case Corrected e:
                stored.Corrected = Corrected(e);
                break;
            case Moved e:
                stored.Moved = new StoredMoved { Type = Type(e.Type), Division = e.Division.ToString() };
                break;
            case DeadlinePassed e:
                stored.DeadlinePassed = new StoredDeadlinePassed { Deadline = Ms(e.Deadline) };
                Set(e.NextStepAt, v => stored.DeadlinePassed.NextStepAt = Ms(v));
                break;
            case DeadlineWithdrawn:
                stored.DeadlineWithdrawn = new StoredDeadlineWithdrawn();
                break;
            case OverdueReached e:
                stored.OverdueReached = new StoredOverdueReached { Multiple = e.Multiple };
                Set(e.NextStepAt, v => stored.OverdueReached.NextStepAt = Ms(v));
                break;
            case Escalated e:
                stored.Escalated = new StoredEscalated
                {
                    Id = Bytes(e.Id),
                    Version = e.Version,
                    Rule = e.Rule,
                    Grade = (int)e.Grade,
                    Tier = (int)e.Tier,
                    State = (int)e.State,
                    RaisedAt = Ms(e.RaisedAt),
                };
                break;
            case ReporterErased e:
                stored.ReporterErased = new StoredReporterErased();
                stored.ReporterErased.Slots.AddRange(e.Slots);
                break;
            case Imported e:
                stored.Imported = Imported(e);
                break;
            case CalledBack e:
                stored.CalledBack = new StoredCalledBack { Solved = e.Solved };
                Set(e.Satisfied, v => stored.CalledBack.Satisfied = v);
                break;
            case DeadlineMoved e:
                stored.DeadlineMoved = new StoredDeadlineMoved { Deadline = Ms(e.Deadline) };
                Set(e.NextStepAt, v => stored.DeadlineMoved.NextStepAt = Ms(v));
                Set(e.RemainingMilliseconds, v => stored.DeadlineMoved.RemainingMs = v);
                break;
            case ImportRenewed e:
                stored.ImportRenewed = new StoredImportRenewed { ContentHash = Bytes(e.ContentHash) };
                Set(e.DueAt, v => stored.ImportRenewed.DueAt = Ms(v));
                Set(e.UpdatedAt, v => stored.ImportRenewed.UpdatedAt = Ms(v));
                break;
            default:
                throw new InvalidOperationException($"{happened.GetType().Name} has no stored form.");
        }
    }

    private static StoredCorrected Corrected(Corrected e)
    {
        var stored = new StoredCorrected { ElapsedSeconds = e.ElapsedSeconds, Division = e.Division?.ToString() ?? string.Empty };
        if (e.Type is { } type)
        {
            stored.Type = Type(type);
        }

        if (e.Limit is { } limit)
        {
            stored.Row = limit.Row;
            stored.Limit = Limit(limit.Limit);
            stored.LimitIsDefault = limit.IsDefault;
            stored.Deadline = Ms(limit.Deadline);
            Set(limit.NextStepAt, v => stored.NextStepAt = Ms(v));
            Set(limit.RemainingMilliseconds, v => stored.RemainingMs = v);
        }

        Set(e.Reported, v => (stored.ReportedAt, stored.ReportedDay) = (Ms(v.At), v.Day.Number));
        Set(e.Ended, v => (stored.EndedAt, stored.EndedDay) = (Ms(v.At), v.Day.Number));
        Set(e.InTime, v => stored.InTime = v);
        return stored;
    }

    private static StoredImported Imported(Imported e)
    {
        var stored = new StoredImported
        {
            Type = Type(e.Type),
            Division = e.Division.ToString(),
            Source = e.Source.ToString(),
            System = e.System,
            ExternalId = e.ExternalId,
            ContentHash = Bytes(e.ContentHash),
            Live = e.Live,
            Grade = (int)e.Grade,
            Summary = e.Summary ?? string.Empty,
        };
        Set(e.DueAt, v => stored.DueAt = Ms(v));
        Set(e.UpdatedAt, v => stored.UpdatedAt = Ms(v));
        return stored;
    }

    internal static StoredType Type(TypeKey type) =>
        new() { Catalogue = type.Version.ToString(), Kind = (int)type.Kind, Code = type.Code.ToString() };

    internal static StoredLimit Limit(Limit limit) => new() { Count = limit.Count, Unit = (int)limit.Unit };

    internal static ByteString Bytes(UInt128 value)
    {
        var bytes = new byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, value);
        return UnsafeByteOperations.UnsafeWrap(bytes);
    }

    internal static ByteString Bytes(Hash256 hash) => UnsafeByteOperations.UnsafeWrap(hash.ToBytes());

    internal static void Set<T>(T? value, Action<T> set)
        where T : struct
    {
        if (value is { } some)
        {
            set(some);
        }
    }
}
