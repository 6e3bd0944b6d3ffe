using System.Buffers.Binary;
using System.Security.Cryptography;
using CityGrid.Hub.Seams;

namespace CityGrid.Hub.Sealing;

/// <summary>
/// Makes sealed boxes and opens them. A box is {algorithm 1 B, key slot 8 B little-endian, nonce 12 B, ciphertext, tag 16 B}; algorithm and slot
/// are bound to the text together with the caller's associated data (the case id), so a box moved to another case or slot does not open.
/// Safe for many threads.
/// </summary>
public sealed class Sealer(KeyPool keys, ISeal seal, IEntropy entropy)
{
    private const int PrefixBytes = 1 + 8;

    /// <summary>How many bytes a box is longer than its text.</summary>
    public const int OverheadBytes = PrefixBytes + SealInput.NonceBytes + SealInput.TagBytes;

    /// <summary>Associated data is a name (a case id has 16 bytes), never a text.</summary>
    public const int AssociatedBytesMax = 256;

    /// <summary>Seals a text under the key of the next unused slot.</summary>
    public (long Slot, byte[] Box) Seal(ReadOnlySpan<byte> plaintext, ReadOnlySpan<byte> associated)
    {
        Span<byte> key = stackalloc byte[KeyPool.KeyBytes];
        try
        {
            var slot = keys.Take(key);
            return (slot, Box(slot, key, plaintext, associated));
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
        }
    }

    /// <summary>
    /// Seals a text under the key of a slot taken from the pool. A slot may seal as many parts of its case as there are: every box draws a
    /// nonce of its own. An erased or unreadable slot throws: nothing is ever sealed under a key that is none.
    /// </summary>
    public byte[] Seal(long slot, ReadOnlySpan<byte> plaintext, ReadOnlySpan<byte> associated)
    {
        Span<byte> key = stackalloc byte[KeyPool.KeyBytes];
        try
        {
            var state = keys.Read(slot, key);
            return state == KeyState.Present
                ? Box(slot, key, plaintext, associated)
                : throw new InvalidOperationException($"Key slot {slot} is {state}: nothing can be sealed under it. Take a new slot from the pool.");
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
        }
    }

    /// <summary>Opens a box: the text, or that its key was erased, or that box, key or associated data do not belong together.</summary>
    public Unsealed Unseal(ReadOnlySpan<byte> box, ReadOnlySpan<byte> associated)
    {
        if (box.Length < OverheadBytes || box[0] != seal.Algorithm)
        {
            return Unsealed.Damaged;
        }

        Span<byte> bound = stackalloc byte[PrefixBytes + AssociatedBytesMax];
        bound = Bind(box, associated, bound);
        Span<byte> key = stackalloc byte[KeyPool.KeyBytes];
        try
        {
            switch (keys.Read(SlotOf(box), key))
            {
                case KeyState.Erased:
                    return Unsealed.Erased;
                case KeyState.Present:
                    break;
                default:
                    return Unsealed.Damaged;
            }

            var input = new SealInput(key, box.Slice(PrefixBytes, SealInput.NonceBytes), bound);
            var plaintext = new byte[box.Length - OverheadBytes];
            return seal.TryDecrypt(input, box[(PrefixBytes + SealInput.NonceBytes)..^SealInput.TagBytes], box[^SealInput.TagBytes..], plaintext)
                ? new Unsealed(UnsealState.Opened, plaintext)
                : Unsealed.Damaged;
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
        }
    }

    /// <summary>The same, with the <see cref="Tag"/> of another text under the same key.</summary>
    public (long Slot, byte[] Box, ulong Tag) Seal(ReadOnlySpan<byte> plaintext, ReadOnlySpan<byte> associated, ReadOnlySpan<byte> tagged)
    {
        Span<byte> key = stackalloc byte[KeyPool.KeyBytes];
        try
        {
            var slot = keys.Take(key);
            return (slot, Box(slot, key, plaintext, associated), TagUnder(key, tagged));
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
        }
    }

    /// <summary>
    /// A tag of a text under a slot's key (64 bits of its HMAC-SHA256): of equal texts it is the same for as long as the key is there. Whoever has not the key cannot
    /// tell which text a tag is of, however few they might be, and once the key is erased nobody can. Null where the slot has no key.
    /// </summary>
    public ulong? Tag(long slot, ReadOnlySpan<byte> text)
    {
        Span<byte> key = stackalloc byte[KeyPool.KeyBytes];
        try
        {
            return keys.Read(slot, key) == KeyState.Present ? TagUnder(key, text) : null;
        }
        finally
        {
            CryptographicOperations.ZeroMemory(key);
        }
    }

    /// <summary>The slot whose key seals a box; 0 for bytes that are no box.</summary>
    public static long SlotOf(ReadOnlySpan<byte> box) =>
        box.Length < OverheadBytes ? 0 : BinaryPrimitives.ReadInt64LittleEndian(box[1..]);

    private static ulong TagUnder(ReadOnlySpan<byte> key, ReadOnlySpan<byte> text)
    {
        Span<byte> tag = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(key, text, tag);
        return BinaryPrimitives.ReadUInt64BigEndian(tag);
    }

    private byte[] Box(long slot, ReadOnlySpan<byte> key, ReadOnlySpan<byte> plaintext, ReadOnlySpan<byte> associated)
    {
        var box = new byte[plaintext.Length + OverheadBytes];
        box[0] = seal.Algorithm;
        BinaryPrimitives.WriteInt64LittleEndian(box.AsSpan(1), slot);
        var nonce = box.AsSpan(PrefixBytes, SealInput.NonceBytes);
        entropy.Fill(nonce);
        Span<byte> bound = stackalloc byte[PrefixBytes + AssociatedBytesMax];
        bound = Bind(box, associated, bound);
        seal.Encrypt(
            new SealInput(key, nonce, bound), plaintext, box.AsSpan(PrefixBytes + SealInput.NonceBytes, plaintext.Length), box.AsSpan(box.Length - SealInput.TagBytes));
        return box;
    }

    private static Span<byte> Bind(ReadOnlySpan<byte> box, ReadOnlySpan<byte> associated, Span<byte> target)
    {
        if (associated.Length > AssociatedBytesMax)
        {
            throw new ArgumentException($"Associated data has at most {AssociatedBytesMax} bytes, these are {associated.Length}.", nameof(associated));
        }

        box[..PrefixBytes].CopyTo(target);
        associated.CopyTo(target[PrefixBytes..]);
        return target[..(PrefixBytes + associated.Length)];
    }
}

/// <summary>What came of opening a box.</summary>
public enum UnsealState
{
    Opened,

    /// <summary>The key was erased: the text is gone for good, as somebody wanted.</summary>
    Erased,

    /// <summary>Box, key or associated data were changed, or are of another place. Nothing of the text is shown.</summary>
    Damaged,
}

/// <summary>An opened box, or why it did not open; the text is empty unless <see cref="UnsealState.Opened"/>.</summary>
public readonly record struct Unsealed(UnsealState State, ReadOnlyMemory<byte> Plaintext)
{
    public static readonly Unsealed Erased = new(UnsealState.Erased, default);

    public static readonly Unsealed Damaged = new(UnsealState.Damaged, default);
}
