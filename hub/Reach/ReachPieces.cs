using System.Collections.Immutable;
using CityGrid.Protocol.V1;
using Google.Protobuf;

namespace CityGrid.Hub.Reach;

/// <summary>
/// The results of one child to one query, put together from pieces that may come in any order and more than once. Immutable.
/// </summary>
public sealed record ReachPieces
{
    public static readonly ReachPieces None = new();

    private ImmutableDictionary<int, Open> Begun { get; init; } = ImmutableDictionary<int, Open>.Empty;

    private ImmutableHashSet<int> Whole { get; init; } = [];

    /// <summary>How many results there are in all; 0 while the child has not said so.</summary>
    private int InAll { get; init; }

    private int Waiting { get; init; }

    /// <summary>Everything that the child has to say has come.</summary>
    public bool IsComplete => InAll > 0 && Whole.Count == InAll;

    /// <summary>Something has come.</summary>
    public bool HasAny => !Whole.IsEmpty;

    /// <summary>With one more piece; <paramref name="result"/> is one that it completes. Null for a piece that is none.</summary>
    public ReachPieces? With(ReachAnswer piece, out ReachResult? result)
    {
        result = null;
        if (piece.Result is < 1 or > ReachShape.ResultsMax || piece.Total is < 0 or > ReachShape.ResultBytesMax
            || piece.Offset < 0 || piece.Offset > piece.Total - piece.Content.Length || (piece.Content.IsEmpty && piece.Total > 0))
        {
            return null;
        }

        if (Whole.Contains(piece.Result))
        {
            return this;
        }

        var open = Begun.GetValueOrDefault(piece.Result) ?? new Open(piece.Total, ImmutableSortedDictionary<int, ByteString>.Empty, 0);
        if (open.Total != piece.Total)
        {
            return null;
        }

        if (open.Pieces.ContainsKey(piece.Offset))
        {
            return this;
        }

        open = open with { Pieces = open.Pieces.Add(piece.Offset, piece.Content), Bytes = open.Bytes + piece.Content.Length };
        var waiting = Waiting + piece.Content.Length;
        if (open.Bytes < open.Total)
        {
            return waiting > ReachShape.PiecesBytesMax ? null : this with { Begun = Begun.SetItem(piece.Result, open), Waiting = waiting };
        }

        result = open.Read();
        return result is null || result.Results < 0 || result.Results > ReachShape.ResultsMax || (InAll > 0 && result.Results > 0 && result.Results != InAll) ? null : this with
        {
            Begun = Begun.Remove(piece.Result),
            Whole = Whole.Add(piece.Result),
            Waiting = waiting - open.Bytes,
            InAll = Math.Max(InAll, result.Results),
        };
    }

    /// <summary>A result of which not all has come.</summary>
    private sealed record Open(int Total, ImmutableSortedDictionary<int, ByteString> Pieces, int Bytes)
    {
        /// <summary>Null where the pieces are not those of one message.</summary>
        public ReachResult? Read()
        {
            var bytes = new byte[Total];
            var at = 0;
            foreach (var (offset, content) in Pieces)
            {
                if (offset != at || content.Length > Total - at)
                {
                    return null;
                }

                content.CopyTo(bytes, at);
                at += content.Length;
            }

            try
            {
                return Protocol.Wire.MessageBounds.Fault(bytes, ReachResult.Descriptor) is null ? ReachResult.Parser.ParseFrom(bytes) : null;
            }
            catch (InvalidProtocolBufferException)
            {
                return null;
            }
        }
    }
}
