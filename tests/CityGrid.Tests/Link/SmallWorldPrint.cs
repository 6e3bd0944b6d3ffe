using CityGrid.Hub.Reception;
using CityGrid.Node.Uplink;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;

namespace CityGrid.Tests.Link;

/// <summary>
/// What tells one small world from another: everything that decides how it goes on, and no more. Frames of different connections have no order among
/// them; their numbers count back from the newest of their connection, and those of a connection that has ended nobody compares any more.
/// </summary>
internal static class SmallWorldPrint
{
    public static UInt128 Of(SmallWorld world)
    {
        var print = new Fingerprint();
        var left = world.Left;
        foreach (var kind in (int[])[left.Crashes, left.Losses, left.Duplicates, left.Breaks, left.Restores, left.Overtakings, left.Fulls, left.Clones])
        {
            print.Add((ulong)kind);
        }

        foreach (var child in world.Children)
        {
            AddChild(print, child);
            AddRow(print, world.Parent.Rows[child.Index]);
            print.Add((ulong)world.Parent.Grants[child.Index]);
            AddFrames(print, world, child);
        }

        print.Add((ulong)world.Parent.Cells.Length);
        foreach (var cell in world.Parent.Cells)
        {
            print.Add((ulong)((cell.Origin << 8) + cell.Name));
            print.Add((ulong)((cell.Revision.Epoch << 32) + cell.Revision.Lsn));
            print.Add((ulong)cell.Value);
        }

        foreach (var applied in world.Parent.Escalations)
        {
            print.Add((ulong)((applied.Origin << 24) + (applied.Name << 16) + (applied.Version << 8) + applied.Times));
        }

        print.Add((ulong)world.Parent.Unsynced.Length);
        return print.Whole;
    }

    public static ulong Of(ConnectRequest request) => Of((IMessage?)request.Hello ?? (IMessage?)request.Cells ?? request.Escalations, (int)request.FrameCase);

    public static ulong Of(ConnectResponse response) => Of((IMessage?)response.Welcome ?? (IMessage?)response.Receipt ?? response.Refusal, (int)response.FrameCase);

    private static ulong Of(IMessage frame, int kind)
    {
        var print = new Fingerprint();
        print.Add((ulong)kind);
        print.Add(frame);
        return print.Value;
    }

    private static void AddChild(Fingerprint print, ChildSide child)
    {
        AddDirectory(print, child);
        print.Add(child.Other is null);
        if (child.Other is { } other)
        {
            AddDirectory(print, other);
        }

        AddSender(print, child.Sender);
    }

    private static void AddDirectory(Fingerprint print, ChildSide child)
    {
        print.Add(child.Head);
        print.Add((ulong)child.Incarnation.Value);
        print.Add((ulong)child.Epoch.Number + (child.Epoch.Nonce << 8));
        print.Add((ulong)child.LastEpoch);
        print.Add(child.AckedCells);
        print.Add(child.AckedEscalations);
        print.Add((ulong)child.Happened);
        print.Add(child.IsOldCopy);
        print.Add(child.Original.IsEmpty ? StreamMark.Start : new StreamMark(new Lsn(child.Original.Length), child.Original[^1].Chain));
    }

    private static void AddSender(Fingerprint print, SenderState sender)
    {
        print.Add((ulong)sender.Phase);
        print.Add((ulong)(sender.Phase == SenderPhase.Greeting ? sender.Head.Value : 0));
        print.Add(sender.AnswerBy is null);
        print.Add(sender.Alarm is null);
        print.Add(sender.NotBefore > SmallWorldRules.Now);
        print.Add((ulong)sender.UnderWay.Count);
        foreach (var outstanding in sender.UnderWay)
        {
            print.Add((ulong)(((sender.Number - outstanding.Number) << 16) + ((int)outstanding.Lane << 8) + outstanding.Part));
        }

        AddLane(print, sender.Escalations);
        AddLane(print, sender.Cells);
    }

    private static void AddLane(Fingerprint print, LaneState lane)
    {
        print.Add(lane.From);
        print.Add((ulong)lane.Heard.Value);
        print.Add((ulong)((lane.Sent << 8) + (lane.Gaps << 4) + ((int)lane.Phase << 2) + (lane.Due ? 1 : 0) + (lane.EvenIfEmpty ? 2 : 0)));
        print.Add(lane.NotBefore is null);
        if (lane.Cut is { } cut)
        {
            print.Add((ulong)((cut.ReadAt.Value << 8) + (cut.Parts.Count << 1) + (cut.ReachesHead ? 1 : 0)));
            print.Add(cut.From);
            print.Add(cut.To);
        }
    }

    private static void AddRow(Fingerprint print, ChildRow? row)
    {
        if (row is null)
        {
            print.Add(1UL);
            return;
        }

        print.Add((ulong)row.Incarnation.Value);
        print.Add((ulong)row.Epoch.Number + (row.Epoch.Nonce << 8));
        print.Add((ulong)row.LastEpoch);
        print.Add(row.Cells.Mark);
        print.Add(row.Escalations.Mark);
        print.Add(row.Cells.Cut?.To ?? StreamMark.Start);
        print.Add(row.Cells.Ahead ?? StreamMark.Start);
        print.Add((ulong)(((row.Cells.Cut?.Parts ?? 0) << 8) + (row.Cells.Cut?.Applied ?? 0)));
        print.Add((ulong)(row.Offer?.Incarnation.Value ?? 0));
        print.Add((ulong)(row.Offer?.Epoch.Number ?? 0) + ((row.Offer?.Epoch.Nonce ?? 0) << 8));
        print.Add(row.Quarantine is null);
        print.Add((ulong)row.Retired.Length);
        foreach (var retired in row.Retired)
        {
            print.Add((ulong)retired.Value);
        }
    }

    private static void AddFrames(Fingerprint print, SmallWorld world, ChildSide child)
    {
        AddSeat(print, world, child.Index, child.Session);
        var session = child.Session;
        foreach (var frame in world.Up.Where(f => f.Child == child.Index).OrderByDescending(f => f.Session).ThenBy(f => f.Request.Number).ThenBy(f => f.Again))
        {
            if (frame.Session != session)
            {
                session = frame.Session;
                AddSeat(print, world, child.Index, session);
            }

            print.Add(frame.Print);
            print.Add(frame.Again);
            print.Add(session == child.Session ? (ulong)(child.Sender.Number - frame.Request.Number) : ulong.MaxValue);
        }

        foreach (var frame in world.Down.Where(f => f.Child == child.Index).OrderBy(f => f.Again))
        {
            print.Add(frame.Print);
            print.Add(frame.Again);
            print.Add((ulong)(child.Sender.Number - frame.Response.Number));
        }
    }

    /// <summary>What the parent takes a connection for; every frame that follows is of that connection.</summary>
    private static void AddSeat(Fingerprint print, SmallWorld world, int child, int session)
    {
        var link = world.Parent.Seats.FirstOrDefault(s => s.Child == child && s.Session == session)?.Link;
        print.Add((ulong)((link?.Epoch.Number ?? 0) << 8) + (link?.Epoch.Nonce ?? 0) + 1);
        print.Add((ulong)(link?.Incarnation.Value ?? 0));
    }
}
