using CityGrid.Hub.Journal;
using CityGrid.Hub.Reception;
using CityGrid.Hub.Reception.V1;
using CityGrid.Hub.Views.V1;
using CityGrid.Protocol.Names;
using Google.Protobuf;

namespace CityGrid.Hub.Views;

/// <summary>
/// When each day of each origin below was first known here to be complete. What came until then was late; what comes afterwards is a restatement.
/// Stands behind <see cref="ReceptionFold"/> in the order of folds, whose rows it reads; a day an origin costs 12 bytes.
/// </summary>
public sealed class FinalityFold(ReceptionFold reception) : IFold
{
    private readonly SortedDictionary<NodeId, List<(int Through, long Local)>> _completions = [];

    public string Name => "finality";

    /// <summary>2: what another place said under a name that was given away is forgotten (L13); an image that an older program made holds it still.</summary>
    public int Version => 2;

    public bool Takes(ushort kind) => kind is EventKinds.CellsReceived or EventKinds.NameGiven;

    /// <summary>
    /// The position here at which an origin first said that everything up to and including this day is in; null where it never did. It stays, even
    /// if the origin takes its word back: the figures were out.
    /// </summary>
    public Lsn? CompleteSince(NodeId origin, StatDay day)
    {
        if (!_completions.TryGetValue(origin, out var days) || days[^1].Through < day.Number)
        {
            return null;
        }

        var (low, high) = (0, days.Count - 1);
        while (low < high)
        {
            var middle = (low + high) / 2;
            (low, high) = days[middle].Through < day.Number ? (middle + 1, high) : (low, middle);
        }

        return new Lsn(days[low].Local);
    }

    public void Apply(in JournalEvent journalEvent)
    {
        if (journalEvent.Kind == EventKinds.NameGiven && NodeId.Parse(NameGiven.Parser.ParseFrom(journalEvent.Payload.Span).Name) is var name && reception.Origin(name) is null)
        {
            // Whoever bore the name until then is not the one whose days are asked for from here on.
            _completions.Remove(name);
        }

        if (journalEvent.Kind != EventKinds.CellsReceived)
        {
            return;
        }

        foreach (var origin in reception.Origins)
        {
            if (origin.Local == journalEvent.Lsn)
            {
                Note(origin.Watermark.Origin, origin.Watermark.CompleteThrough, journalEvent.Lsn);
            }
        }
    }

    public void Save(Stream target)
    {
        var image = new FinalityImage();
        foreach (var (origin, days) in _completions)
        {
            image.Origins.Add(new OriginCompletion { Origin = origin.ToString(), Through = { days.Select(d => d.Through) }, Lsn = { days.Select(d => d.Local) } });
        }

        image.WriteTo(target);
    }

    public void Load(Stream source)
    {
        _completions.Clear();
        foreach (var origin in FinalityImage.Parser.ParseFrom(source).Origins)
        {
            if (origin.Through.Count == 0 || origin.Through.Count != origin.Lsn.Count)
            {
                throw new InvalidDataException($"The snapshot of finality is damaged at {origin.Origin}.");
            }

            _completions.Add(NodeId.Parse(origin.Origin), [.. origin.Through.Zip(origin.Lsn)]);
        }
    }

    internal void Note(NodeId origin, StatDay through, Lsn local)
    {
        if (!_completions.TryGetValue(origin, out var days))
        {
            _completions.Add(origin, days = []);
        }

        if (days.Count == 0 || through.Number > days[^1].Through)
        {
            days.Add((through.Number, local.Value));
        }
    }
}
