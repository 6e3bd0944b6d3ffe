using CityGrid.Hub.Catalogue;
using CityGrid.Hub.Journal;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;

namespace CityGrid.Node.Uplink;

/// <summary>
/// The catalogue packages that a parent's answer by file brings, on their way into this node: each by a command of its own, one after the other as on the line (K3), and what became of them. On the line
/// the parent hears of each refusal before it sends the next; here nobody does, so the next is told itself what it need not wait for (K4). Not for several threads.
/// </summary>
public sealed class BundledPackages(PackageDesk? desk, NodeId parent, BundleContent answer)
{
    private readonly Queue<(PackageName Name, PackageEnvelope Envelope)> _waiting = desk is null ? [] : new(Read(answer));
    private readonly List<string> _refused = [];
    private PackageName _asked;

    /// <summary>The one before, where it was refused and is no fork.</summary>
    private PackageName? _passedOver;

    /// <summary>How many were taken.</summary>
    public int Taken { get; private set; }

    /// <summary>Those that were refused: ISSUER/NUMBER CODE.</summary>
    public IReadOnlyList<string> Refused => _refused;

    /// <summary>Takes the next one; null once there is none. What becomes of it is told to <see cref="Became"/> before the next is asked for.</summary>
    public Command<PackageTaken>? Next()
    {
        if (!_waiting.TryDequeue(out var next))
        {
            return null;
        }

        // They come in the order of the parent's chain, so what stands before this one there is the one before it here.
        (_asked, next.Envelope.Begins) = (next.Name, next.Envelope.Begins || _passedOver?.Issuer == next.Name.Issuer);
        return desk!.Receive(next.Name, next.Envelope, parent);
    }

    public void Became(PackageTaken taken)
    {
        Taken += taken.Outcome == PackageOutcome.Taken ? 1 : 0;
        if (taken.Refusal is { } refusal)
        {
            _refused.Add($"{_asked} {refusal.Code}");
        }

        _passedOver = taken.Outcome == PackageOutcome.Refused && taken.Refusal?.Code != PackageJudge.Fork ? _asked : null;
    }

    private static IEnumerable<(PackageName Name, PackageEnvelope Envelope)> Read(BundleContent answer)
    {
        foreach (var chunk in answer.Responses.Select(response => response.Package).OfType<PackageChunk>())
        {
            if (PackageName.TryRead(chunk.Package, out var name) && new PackageAssembly().Add(name, chunk) is { } envelope)
            {
                yield return (name, envelope);
            }
        }
    }
}
