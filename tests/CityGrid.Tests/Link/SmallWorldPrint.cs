using CityGrid.Hub.Reception;
using CityGrid.Protocol.Names;
using Google.Protobuf;

namespace CityGrid.Tests.Link;

/// <summary>What tells one small world from another: everything that decides how it goes on, and no more.</summary>
internal static class SmallWorldPrint
{
    public static UInt128 Of(SmallWorld world)
    {
        var print = new Fingerprint();
        var left = world.Left;
        print.Add((ulong)((((((((left.Crashes * 8) + left.Losses) * 8) + left.Duplicates) * 8) + left.Breaks) * 8) + left.Restores));
        foreach (var child in world.Children)
        {
            AddChild(print, child);
        }

        foreach (var row in world.Parent.Rows)
        {
            AddRow(print, row);
        }

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

        print.Add((ulong)world.Parent.Grants);
        print.Add((ulong)world.Parent.Unsynced.Length);
        AddFrames(print, world);
        return print.Whole;
    }

    public static ulong Of(IMessage message)
    {
        var print = new Fingerprint();
        print.Add(message);
        return print.Value;
    }

    private static void AddChild(Fingerprint print, ChildSide child)
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
        var sender = child.Sender;
        print.Add((ulong)sender.Phase);
        print.Add((ulong)sender.Number);
        print.Add((ulong)sender.Head.Value);
        print.Add(sender.AnswerBy is null);
        print.Add(sender.Alarm is null);
        print.Add(sender.NotBefore > SmallWorldRules.Now);
        foreach (var outstanding in sender.UnderWay)
        {
            print.Add((ulong)((outstanding.Number << 16) + ((int)outstanding.Lane << 8) + outstanding.Part));
        }

        foreach (var lane in new[] { sender.Escalations, sender.Cells })
        {
            print.Add(lane.From);
            print.Add((ulong)lane.Heard.Value);
            print.Add((ulong)((lane.Sent << 8) + (lane.Gaps << 4) + ((int)lane.Phase << 2) + (lane.Due ? 1 : 0) + (lane.EvenIfEmpty ? 2 : 0)));
            print.Add(lane.Cut is null ? 0 : (ulong)lane.Cut.Parts.Count + 1);
            print.Add(lane.Cut?.To ?? StreamMark.Start);
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
        print.Add(row.Cells.Mark);
        print.Add(row.Escalations.Mark);
        print.Add(row.Cells.Cut?.To ?? StreamMark.Start);
        print.Add(row.Cells.Ahead ?? StreamMark.Start);
        print.Add((ulong)(row.Cells.Cut?.Applied ?? 0));
        print.Add((ulong)(row.Offer?.Incarnation.Value ?? 0));
        print.Add((ulong)(row.Offer?.Epoch.Number ?? 0) + ((row.Offer?.Epoch.Nonce ?? 0) << 8));
        print.Add(row.Quarantine is null);
        print.Add((ulong)row.Retired.Length);
    }

    private static void AddFrames(Fingerprint print, SmallWorld world)
    {
        foreach (var frame in world.Up)
        {
            var seat = world.Parent.Seats.FirstOrDefault(s => s.Child == frame.Child && s.Session == frame.Session);
            print.Add(frame.Print);
            print.Add((ulong)((frame.Child << 1) + (frame.Session == world.Children[frame.Child].Session ? 1 : 0)));
            print.Add((ulong)(seat?.Link.Epoch.Number ?? 0));
        }

        foreach (var frame in world.Down)
        {
            print.Add(frame.Print);
            print.Add((ulong)frame.Child);
        }

        foreach (var child in world.Children)
        {
            print.Add(world.Parent.Seats.FirstOrDefault(s => s.Child == child.Index && s.Session == child.Session) is { } seat ? (ulong)seat.Link.Epoch.Number + 1 : 0);
        }
    }
}
