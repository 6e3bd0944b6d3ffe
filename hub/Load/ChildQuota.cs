using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Load;

/// <summary>What one child may lay upon its parent. Each is far above what an honest one needs; whoever is over it waits, and loses nothing.</summary>
/// <param name="EscalationsPerHour">Escalations, their later versions and receipts of orders that are written here for it in an hour, and at once after an hour of rest.</param>
/// <param name="Cells">Cells held here that came by it; about 100 B of memory each.</param>
public readonly record struct ChildBounds(int EscalationsPerHour, int Cells)
{
    /// <summary>
    /// What a hello can leave behind here: another epoch, another signer. An honest child needs one for each restore and each renewal; 60 an hour are 30 kB of journal.
    /// </summary>
    public const int ChangesPerHour = 60;

    /// <summary>Origins of one child, counted at each grain: the nation has 400 below it in all.</summary>
    public const int OriginsMax = 10_000;

    /// <summary>The largest province escalates some thousands of cases a day and has under a million cells; the rest is for a year brought again at once.</summary>
    public static ChildBounds Usual { get; } = new(100_000, 4_000_000);
}

/// <summary>
/// Keeps what each child has used of its <see cref="ChildBounds"/>. A child with a valid certificate that was taken over, or went mad, fills neither the disk nor
/// the memory of its parent, and nobody else waits for it. Known to this process only: a start forgives. For one thread at a time.
/// </summary>
public sealed class ChildQuota(ChildBounds bounds, TimeProvider clock)
{
    /// <summary>Of cells no hour brings room: only a person does.</summary>
    private static readonly TimeSpan AskAgain = TimeSpan.FromMinutes(1);

    private readonly Dictionary<(NodeId Child, Measure Measure), Bucket> _buckets = [];
    private readonly Dictionary<(NodeId Child, Measure Measure), long> _told = [];

    private enum Measure
    {
        Escalations,
        Hellos,
        Cells,
    }

    /// <summary>Is told of a child that has reached a bound, once an hour for each bound at most. Quick; throws nothing.</summary>
    public Action<NodeId, string>? Reached { get; set; }

    /// <summary>Takes so many escalations and receipts of a child; null where it may, or why and how long it waits.</summary>
    public OverQuota? TakeEscalations(NodeId child, int count) => Take((child, Measure.Escalations), count, bounds.EscalationsPerHour) is { } wait
        ? Over((child, Measure.Escalations), $"{child} sends more than {bounds.EscalationsPerHour} escalations and receipts an hour (limits.escalationsPerHour of its parent)", wait)
        : null;

    /// <summary>Takes a hello that leaves something behind here.</summary>
    public OverQuota? TakeHello(NodeId child) => Take((child, Measure.Hellos), 1, ChildBounds.ChangesPerHour) is { } wait
        ? Over((child, Measure.Hellos), $"{child} asks for more than {ChildBounds.ChangesPerHour} epochs or signers an hour", wait)
        : null;

    /// <summary>Whether a child may have so many cells held here, of so many origins at each grain; <paramref name="letGo"/> of them were let go of and take their room still (L13).</summary>
    public OverQuota? HoldCells(NodeId child, long count, int origins, long letGo = 0) =>
        count > bounds.Cells
            ? Over(
                (child, Measure.Cells),
                $"{count} cells of {child} would be held{(letGo > 0 ? $", {letGo} of them let go of because their names are another's (L13)" : string.Empty)}, and {bounds.Cells} may be (limits.cellsPerChild of its parent)",
                AskAgain)
        : origins > ChildBounds.OriginsMax ? Over((child, Measure.Cells), $"{child} speaks of {origins} origins, and {ChildBounds.OriginsMax} may be", AskAgain)
        : null;

    private TimeSpan? Take((NodeId, Measure) of, int count, int perHour)
    {
        var now = clock.GetTimestamp();
        var left = _buckets.TryGetValue(of, out var bucket) ? Math.Min(perHour, bucket.Left + (clock.GetElapsedTime(bucket.At, now).TotalHours * perHour)) : perHour;

        // A part that is larger than an hour's measure is taken once that is full, or it would never be. No configured measure is smaller than a part may be.
        var needed = Math.Min(count, perHour);
        _buckets[of] = new Bucket(left >= needed ? left - needed : left, now);
        return left >= needed ? null : TimeSpan.FromHours((needed - left) / perHour);
    }

    private OverQuota Over((NodeId Child, Measure) of, string message, TimeSpan wait)
    {
        if (!_told.TryGetValue(of, out var told) || clock.GetElapsedTime(told).TotalHours >= 1)
        {
            _told[of] = clock.GetTimestamp();
            Reached?.Invoke(of.Child, message);
        }

        return new OverQuota(message + ".", wait);
    }

    private readonly record struct Bucket(double Left, long At);
}

/// <summary>Why a child must wait, and how long.</summary>
public readonly record struct OverQuota(string Message, TimeSpan Wait);
