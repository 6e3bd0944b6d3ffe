using CityGrid.Protocol.Names;

namespace CityGrid.Hub.Storage;

/// <summary>
/// The documents of one shelf that changed and are not in the store yet, in the order of their first such change. Used under the projector's lock.
/// </summary>
internal sealed class PendingShelf
{
    private readonly Dictionary<UInt128, LinkedListNode<Waiting>> _waiting = [];
    private readonly LinkedList<Waiting> _order = new();
    private Dictionary<UInt128, Waiting> _taken = [];
    private Lsn? _takenFirst;

    /// <summary>Bytes of the bodies kept here.</summary>
    public long Bytes { get; private set; }

    public bool HasWork => _order.Count > 0 && _taken.Count == 0;

    /// <summary>Documents that are not in the store, those just on their way to it included.</summary>
    public int Count => _order.Count + _taken.Count;

    /// <summary>The position of the oldest change that is not in the store; null where there is none.</summary>
    public Lsn? Oldest => _takenFirst ?? _order.First?.Value.First;

    /// <summary>A document changed; without a body it is made again from the journal when needed.</summary>
    public void Offer(ViewDocument document, bool keepBody)
    {
        var body = keepBody ? document : null;
        Bytes += Size(body);
        if (_waiting.TryGetValue(document.Id, out var node))
        {
            Bytes -= Size(node.Value.Body);
            node.Value = node.Value with { Last = document.Lsn, Body = body };
            return;
        }

        _waiting.Add(document.Id, _order.AddLast(new Waiting(document.Id, document.Lsn, document.Lsn, body)));
    }

    /// <summary>The newest change of a document that is not in the store; null where there is none.</summary>
    public Waiting? Find(UInt128 id) =>
        _waiting.TryGetValue(id, out var node) ? node.Value : _taken.GetValueOrDefault(id);

    /// <summary>Takes the oldest, within the limits of a transaction. They are still found until <see cref="Done"/> or <see cref="PutBack"/>.</summary>
    public IReadOnlyList<Waiting> Take()
    {
        long bytes = 0;
        _takenFirst = _order.First?.Value.First;
        while (_order.First is { } node && _taken.Count < ViewLimits.DocumentsMax
            && (_taken.Count == 0 || bytes + Size(node.Value.Body) <= ViewLimits.TransactionBytesMax))
        {
            bytes += Size(node.Value.Body);
            _order.RemoveFirst();
            _waiting.Remove(node.Value.Id);
            _taken.Add(node.Value.Id, node.Value);
        }

        return [.. _taken.Values];
    }

    /// <summary>How far the shelf is once those taken are in the store: to the head, or to just before the oldest that still waits.</summary>
    public Lsn AppliedAfterTaken(Lsn head) => _order.First is { } next ? new Lsn(next.Value.First.Value - 1) : head;

    public void Done()
    {
        foreach (var taken in _taken.Values)
        {
            Bytes -= Size(taken.Body);
        }

        _taken = [];
        _takenFirst = null;
    }

    /// <summary>Those taken did not get into the store; they wait again, unless something newer waits in their place.</summary>
    public void PutBack()
    {
        foreach (var taken in _taken.Values.OrderByDescending(taken => taken.First.Value))
        {
            if (_waiting.TryGetValue(taken.Id, out var newer))
            {
                Bytes -= Size(taken.Body);
                _order.Remove(newer);
                newer.Value = newer.Value with { First = taken.First };
                _order.AddFirst(newer);
            }
            else
            {
                _waiting.Add(taken.Id, _order.AddFirst(taken));
            }
        }

        _taken = [];
        _takenFirst = null;
    }

    private static long Size(ViewDocument? body) => body?.Bytes.Length ?? 0;

    /// <summary>A document that waits: the first and the last change since the store's version of it, and the body if it is kept.</summary>
    internal sealed record Waiting(UInt128 Id, Lsn First, Lsn Last, ViewDocument? Body);
}
