using NodaTime;

namespace CityGrid.Protocol.Names;

/// <summary>
/// The name of a case for ever: 48 bits of the minting time in Unix milliseconds, then 80 random bits, so that ids sort by time and a node
/// can mint them while cut off. Written as 26 characters of Crockford's base 32 (upper case).
/// </summary>
public readonly record struct CaseId(UInt128 Value) : IComparable<CaseId>
{
    private const string Alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

    public const int TextLength = 26;

    public bool IsNone => Value == UInt128.Zero;

    private static readonly long Latest = Instant.MaxValue.ToUnixTimeMilliseconds();

    /// <summary>When the id was minted; the month of it (UTC) names the view file that the case lives in. The last time of all for an id that somebody made up with a later one.</summary>
    public Instant MintedAt => Instant.FromUnixTimeMilliseconds(Math.Min((long)(ulong)(Value >> 80), Latest));

    /// <summary>Makes an id from a time and 10 random bytes.</summary>
    public static CaseId Mint(Instant now, ReadOnlySpan<byte> random)
    {
        if (random.Length < 10)
        {
            throw new ArgumentException("Ten random bytes are needed.", nameof(random));
        }

        var value = (UInt128)(ulong)(now.ToUnixTimeMilliseconds() & 0xFFFF_FFFF_FFFF);
        for (var i = 0; i < 10; i++)
        {
            value = (value << 8) | random[i];
        }

        return new CaseId(value);
    }

    public static CaseId Parse(string text) =>
        TryParse(text, out var id) ? id : throw new FormatException($"'{text}' is no case id: {TextLength} characters of Crockford's base 32 are expected.");

    public static bool TryParse(string? text, out CaseId id)
    {
        id = default;
        if (text is null || text.Length != TextLength || text[0] > '7')
        {
            return false;
        }

        var value = UInt128.Zero;
        foreach (var c in text)
        {
            var digit = Alphabet.IndexOf(c, StringComparison.Ordinal);
            if (digit < 0)
            {
                return false;
            }

            value = (value << 5) | (uint)digit;
        }

        id = new CaseId(value);
        return true;
    }

    public byte[] ToBytes()
    {
        var bytes = new byte[16];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt128BigEndian(bytes, Value);
        return bytes;
    }

    /// <summary>Reads 16 big-endian bytes, or throws <see cref="FormatException"/>.</summary>
    public static CaseId FromBytes(ReadOnlySpan<byte> bytes) =>
        bytes.Length == 16
            ? new(System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(bytes))
            : throw new FormatException($"A case id has 16 bytes, these are {bytes.Length}.");

    public int CompareTo(CaseId other) => Value.CompareTo(other.Value);

    public override string ToString() => string.Create(TextLength, Value, static (span, value) =>
    {
        for (var i = span.Length - 1; i >= 0; i--)
        {
            span[i] = Alphabet[(int)(uint)(value & 31)];
            value >>= 5;
        }
    });
}
