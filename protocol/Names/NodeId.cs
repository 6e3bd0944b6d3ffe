namespace CityGrid.Protocol.Names;

/// <summary>The name of a node (节点), unique in its network, kept for the node's whole life: 1 to 64 characters of <c>[a-z0-9._-]</c>.</summary>
public readonly record struct NodeId : IComparable<NodeId>
{
    private readonly string? _text;

    private NodeId(string text) => _text = text;

    /// <summary>The most characters it may have.</summary>
    public const int LengthMax = 64;

    /// <summary>True only for <c>default</c>, which is no name.</summary>
    public bool IsNone => _text is null;

    /// <summary>Reads the name, or throws <see cref="FormatException"/> with what is wrong.</summary>
    public static NodeId Parse(string text) =>
        TryParse(text, out var name)
            ? name
            : throw new FormatException($"'{text}' is no NodeId: 1 to {LengthMax} characters of a-z, 0-9, '-', '_' and '.' are expected.");

    /// <summary>Reads the name; false when the text is none.</summary>
    public static bool TryParse(string? text, out NodeId name)
    {
        name = default;
        if (text is null || !Token.IsSlug(text, LengthMax))
        {
            return false;
        }

        name = new NodeId(text);
        return true;
    }

    public int CompareTo(NodeId other) => string.CompareOrdinal(_text, other._text);

    public override string ToString() => _text ?? throw new InvalidOperationException("The default NodeId is no name.");
}
