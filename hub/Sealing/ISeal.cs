namespace CityGrid.Hub.Sealing;

/// <summary>
/// The cipher of sealed personal data, handed in: AES-256-GCM in production, a cheap keyed stand-in in simulation. Both refuse another key,
/// another nonce, other associated data and any changed bit, and never hand out garbage.
/// </summary>
public interface ISeal
{
    /// <summary>What stands in the first byte of a box: 1 AES-256-GCM, 127 the stand-in. Numbers are never reused.</summary>
    byte Algorithm { get; }

    void Encrypt(in SealInput input, ReadOnlySpan<byte> plaintext, Span<byte> ciphertext, Span<byte> tag);

    /// <summary>False, and a target of zeros, where anything does not belong together.</summary>
    bool TryDecrypt(in SealInput input, ReadOnlySpan<byte> ciphertext, ReadOnlySpan<byte> tag, Span<byte> plaintext);
}

/// <summary>What a text is sealed with: a 32-byte key, a 12-byte nonce, and the data that it is bound to.</summary>
public readonly ref struct SealInput(ReadOnlySpan<byte> key, ReadOnlySpan<byte> nonce, ReadOnlySpan<byte> associated)
{
    public const int NonceBytes = 12;

    public const int TagBytes = 16;

    public ReadOnlySpan<byte> Key { get; } = key;

    public ReadOnlySpan<byte> Nonce { get; } = nonce;

    public ReadOnlySpan<byte> Associated { get; } = associated;
}
